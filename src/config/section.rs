//! Reading one table of settings, key by key, noting everything that is wrong on the way.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use figment::Figment;
use figment::value::{Dict, Value};
use units::{Problem, duration};

use super::schema::{Place, unknown_key};
use super::value;

/// What was found while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What makes the configuration unusable.
    pub(super) problems: Vec<Problem>,
    /// What is legal but probably not meant.
    pub(super) warnings: Vec<String>,
    /// The full keys of wrong values.
    wrong: BTreeSet<String>,
}

/// One table: a section such as `[api]`, or one block of a list such as `[[watch]]`.
///
/// A getter returns the default both when the key is absent and when its value is wrong, so that
/// reading goes on and finds the next problem; [`Section::is_sound`] tells the two apart.
pub(super) struct Section<'a> {
    place: Place,
    /// The values not read yet.
    values: Dict,
    /// The keys that were set.
    given: Vec<String>,
    /// Knows which value came from which environment variable.
    layers: &'a Figment,
    findings: &'a mut Findings,
}

impl<'a> Section<'a> {
    /// Opens the table at `place`.
    pub(super) fn open(place: Place, values: Dict, layers: &'a Figment, findings: &'a mut Findings) -> Self {
        let given = values.keys().cloned().collect();
        Self { place, values, given, layers, findings }
    }

    /// Whether `key` was set, in the file or by the environment.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given.iter().any(|given| given == key)
    }

    /// Whether the value of `key` is a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Array(..)))
    }

    /// Whether nothing was wrong with `keys` so far, here or where a block inherits them from.
    pub(super) fn is_sound(&self, keys: &[&str]) -> bool {
        let origin = |key: &str| match self.place {
            Place::Block(..) if !self.is_given(key) => Place::Section("refresh").key(key),
            place => place.key(key),
        };
        !keys.iter().any(|key| self.findings.wrong.contains(&origin(key)))
    }

    /// Notes a problem with `key`.
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let key = self.place.key(key);
        self.findings.wrong.insert(key.clone());
        self.findings.problems.push(Problem::new(key, message));
    }

    /// Notes something risky about `key`.
    pub(super) fn warn(&mut self, key: &str, message: impl Display) {
        self.findings.warnings.push(format!("{}: {message}", self.place.key(key)));
    }

    /// A setting read by `parse`, whose error says what is wrong with the value.
    pub(super) fn get<T>(
        &mut self,
        key: &str,
        default: T,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        debug_assert!(self.place.knows(key), "{key} is missing in the section's KEYS");
        let Some(given) = self.values.remove(key) else {
            return default;
        };
        match parse(&given) {
            Ok(parsed) => parsed,
            Err(why) => {
                let origin = variable(self.layers, &given).map(|name| format!("; set by {name}"));
                self.problem(key, why + &origin.unwrap_or_default());
                default
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn integer(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.optional_integer(key, range).unwrap_or(default)
    }

    /// A whole number within `range` that need not be given.
    pub(super) fn optional_integer(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let from_environment = self.comes_from_environment(key);
        self.get(key, None, |given| {
            let number = value::integer(given, from_environment)?;
            let found = u64::try_from(number).ok().filter(|number| range.contains(number));
            found
                .map(Some)
                .ok_or_else(|| format!("{number} is out of range ({} to {})", range.start(), range.end()))
        })
    }

    /// [`Section::integer`] for ranges that fit 32 bits.
    pub(super) fn small_integer(&mut self, key: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        u32::try_from(self.integer(key, u64::from(default), wide)).unwrap_or(default)
    }

    /// A duration with its unit, within `range`.
    pub(super) fn duration(
        &mut self,
        key: &str,
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

    /// A list, read by `list`, of texts, each read by `parse`, whose error ends a sentence that
    /// named the text. Bad elements are noted and left out.
    pub(super) fn texts<T, E: Display>(
        &mut self,
        key: &str,
        list: impl FnOnce(&Value) -> Result<Vec<Value>, String>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let elements = self.get(key, Vec::new(), list);
        let mut parsed = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            let read = value::text(element)
                .and_then(|text| parse(text).map_err(|why| format!("{} {why}", value::quote(text))));
            match read {
                Ok(one) => parsed.push(one),
                Err(why) => self.problem(&format!("{key}[{index}]"), why),
            }
        }
        parsed
    }

    /// Records every key that was not read as unknown.
    pub(super) fn finish(self) {
        let unknown = self.values.keys().map(|key| unknown_key(&self.place, key));
        self.findings.problems.extend(unknown);
    }

    fn comes_from_environment(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(|given| variable(self.layers, given).is_some())
    }
}

/// The environment variable a value came from.
fn variable<'a>(layers: &'a Figment, value: &Value) -> Option<&'a str> {
    layers.get_metadata(value.tag())?.source.as_ref()?.custom()
}
