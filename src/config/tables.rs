//! Merges the layers and splits the result into the tables that are read one by one.

use std::collections::{BTreeMap, BTreeSet};

use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use units::Problem;

use super::schema::{LISTS, Place, SECTIONS, WATCH, unknown_key};
use super::section::{Findings, Section};
use super::{env, value};

/// All tables, after the environment has overridden the file.
#[derive(Default)]
pub(super) struct Tables {
    sections: Dict,
    /// The lists of blocks, by name.
    lists: BTreeMap<&'static str, Value>,
    /// The full keys that the environment sets.
    from_environment: BTreeSet<String>,
}

impl Tables {
    /// `environment` overrides `file`. Unknown top-level keys are reported and left out.
    pub(super) fn merge(
        mut file: Dict,
        environment: impl IntoIterator<Item = (String, String)>,
        findings: &mut Findings,
    ) -> Self {
        let lists = LISTS.into_iter().filter_map(|list| Some((list, file.remove(list)?))).collect();
        file.retain(|name, given| is_section(name, given, &mut findings.problems));
        let settings = env::settings(environment, &mut findings.problems);
        let layers =
            settings.iter().fold(Figment::from(Serialized::defaults(file)), |layers, (key, value)| {
                layers.merge(Serialized::default(key, value))
            });
        // An empty path is the whole; without any values there is none.
        let sections = layers.find_value("").ok().and_then(Value::into_dict).unwrap_or_default();
        Self { sections, lists, from_environment: settings.into_keys().collect() }
    }

    /// No settings, and one empty block of each list.
    pub(super) fn with_an_empty_block_each() -> Self {
        let block = Value::from(vec![Dict::new()]);
        Self { lists: LISTS.map(|list| (list, block.clone())).into(), ..Self::default() }
    }

    /// Opens one section; an absent one is empty.
    pub(super) fn section<'a>(&'a mut self, name: &'static str, findings: &'a mut Findings) -> Section<'a> {
        let values = self.sections.remove(name).and_then(Value::into_dict).unwrap_or_default();
        Section::open(Place::Section(name), values, &self.from_environment, findings)
    }

    /// Opens one block.
    pub(super) fn block<'a>(&'a self, place: Place, values: Dict, findings: &'a mut Findings) -> Section<'a> {
        Section::open(place, values, &self.from_environment, findings)
    }

    /// The blocks of one of [`LISTS`] with their places. Anything else in it is reported and left out.
    pub(super) fn blocks(&mut self, name: &'static str, findings: &mut Findings) -> Vec<(Place, Dict)> {
        let mut problem = |key: String, why: String| findings.problems.push(Problem::new(key, why));
        let elements = match self.lists.remove(name) {
            Some(Value::Array(_, elements)) => elements,
            None => Vec::new(),
            Some(Value::Dict(..)) => {
                problem(name.into(), format!("is a single table (write [[{name}]], in double brackets)"));
                return Vec::new();
            }
            Some(other) => {
                let shown = value::show(&other);
                problem(name.into(), format!("{shown} is not a list of [[{name}]] blocks"));
                return Vec::new();
            }
        };
        if elements.is_empty() && name == WATCH {
            problem(WATCH.into(), "nothing is watched (add a [[watch]] block with hashtags)".into());
        }
        let mut blocks = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            let shown = value::show(&element);
            match element {
                Value::Dict(_, values) => blocks.push((Place::Block(name, index), values)),
                _ => problem(format!("{name}[{index}]"), format!("{shown} is not a [[{name}]] block")),
            }
        }
        blocks
    }
}

fn is_section(name: &str, given: &Value, problems: &mut Vec<Problem>) -> bool {
    if !SECTIONS.iter().any(|(section, _)| *section == name) {
        problems.push(unknown_key(&Place::Root, name));
        return false;
    }
    let is_table = matches!(given, Value::Dict(..));
    if !is_table {
        // The value is not shown: it may be `api = "the key"`.
        problems.push(Problem::new(name, format!("is not a table (write its keys below a line [{name}])")));
    }
    is_table
}
