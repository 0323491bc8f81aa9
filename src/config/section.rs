//! Reads one table of settings, key by key, and collects everything that is wrong.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use figment::value::{Dict, Value};
use units::{Problem, duration};

use super::env::variable_for;
use super::schema::{Place, unknown_key};
use super::value;

/// What was found while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What makes the configuration unusable.
    pub(super) problems: Vec<Problem>,
    /// What is legal but probably not meant.
    pub(super) warnings: Vec<String>,
    /// The full keys of invalid values.
    invalid: BTreeSet<String>,
    /// Each table that was read, with the keys that were looked up in it.
    pub(super) keys: Vec<(&'static str, Vec<&'static str>)>,
}

/// One table: a section such as `[api]`, or one block of a list such as `[[watch]]`.
///
/// A getter returns the default both if the key is absent and if its value is invalid, so that the rest is read
/// as well; [`Section::is_valid`] tells the two apart.
pub(super) struct Section<'a> {
    place: Place,
    /// The values not read yet.
    values: Dict,
    /// The keys that are set.
    set: Vec<String>,
    /// The keys that were looked up.
    keys: Vec<&'static str>,
    /// The full keys of all sections that the environment sets.
    from_environment: &'a BTreeSet<String>,
    findings: &'a mut Findings,
}

impl<'a> Section<'a> {
    /// Opens the table at `place`.
    pub(super) fn open(
        place: Place,
        values: Dict,
        from_environment: &'a BTreeSet<String>,
        findings: &'a mut Findings,
    ) -> Self {
        let set = values.keys().cloned().collect();
        Self { place, values, set, keys: Vec::new(), from_environment, findings }
    }

    /// Whether `key` is set, in the file or by the environment.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.set.iter().any(|set| set == key)
    }

    /// Whether the value of `key` is a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Array(..)))
    }

    /// Whether no problem with `keys` was found so far, here or in the section that a block inherits them from.
    pub(super) fn is_valid(&self, keys: &[&str]) -> bool {
        let origin = |key: &str| match self.place {
            Place::Block(..) if !self.is_set(key) => Place::Section("refresh").key(key),
            place => place.key(key),
        };
        !keys.iter().any(|key| self.findings.invalid.contains(&origin(key)))
    }

    /// Reports a problem with `key`.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let key = self.place.key(key);
        self.findings.invalid.insert(key.clone());
        self.findings.problems.push(Problem::new(key, message));
    }

    /// Warns of a risk of `key`.
    pub(super) fn warn(&mut self, key: &str, message: impl Display) {
        self.findings.warnings.push(format!("{}: {message}", self.place.key(key)));
    }

    /// A setting read by `parse`, whose error says what is wrong with the value.
    pub(super) fn get<T>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        self.keys.push(key);
        let Some(given) = self.values.remove(key) else {
            return default;
        };
        match parse(&given) {
            Ok(parsed) => parsed,
            Err(why) => {
                let origin = self.variable(key).map(|name| format!("; set by {name}"));
                self.problem(key, why + &origin.unwrap_or_default());
                default
            }
        }
    }

    /// A text read by `parse`, whose error completes a sentence that begins with the text.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        key: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        self.get(key, default, |given| parse_text(given, parse))
    }

    /// A whole number within `range`.
    pub(super) fn integer<N: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        default: N,
        range: RangeInclusive<u64>,
    ) -> N {
        let number = self.optional_integer(key, range);
        number.and_then(|number| N::try_from(number).ok()).unwrap_or(default)
    }

    /// A whole number within `range`, if it is set.
    pub(super) fn optional_integer(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let from_environment = self.variable(key).is_some();
        self.get(key, None, |given| {
            let number = value::integer(given, from_environment)?;
            let found = u64::try_from(number).ok().filter(|number| range.contains(number));
            found
                .map(Some)
                .ok_or_else(|| format!("{number} is out of range ({} to {})", range.start(), range.end()))
        })
    }

    /// A duration with its unit, within `range`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.get(key, default, |given| {
            let shown = value::show(given);
            if value::is_number(given) {
                return Err(format!("{shown} has no unit (write it as text with one, as in \"{shown}s\")"));
            }
            let parsed = duration::parse(value::text(given)?).map_err(|why| format!("{shown} {why}"))?;
            if range.contains(&parsed) {
                return Ok(parsed);
            }
            let (from, to) = (duration::show(*range.start()), duration::show(*range.end()));
            Err(format!("{shown} is out of range ({from} to {to})"))
        })
    }

    /// A list, read by `list`, of texts, each read by `parse`, whose error completes a sentence that begins with
    /// the text. Invalid elements are reported and left out.
    pub(super) fn texts<T, E: Display>(
        &mut self,
        key: &'static str,
        list: impl FnOnce(&Value) -> Result<Vec<Value>, String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let elements = self.get(key, Vec::new(), list);
        let mut parsed = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            match parse_text(element, &parse) {
                Ok(one) => parsed.push(one),
                Err(why) => self.problem(&format!("{key}[{index}]"), why),
            }
        }
        parsed
    }

    /// Reports every key that was not read as unknown.
    pub(super) fn finish(self) {
        let unknown = self.values.keys().map(|key| unknown_key(&self.place, key));
        self.findings.problems.extend(unknown);
        if let Place::Section(name) | Place::Block(name, _) = self.place {
            self.findings.keys.push((name, self.keys));
        }
    }

    /// The environment variable that sets `key`.
    fn variable(&self, key: &str) -> Option<String> {
        let key = self.place.key(key);
        self.from_environment.contains(&key).then(|| variable_for(&key))
    }
}

fn parse_text<T, E: Display>(given: &Value, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, String> {
    let text = value::text(given)?;
    parse(text).map_err(|why| format!("{} {why}", value::quote(text)))
}
