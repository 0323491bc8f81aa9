//! The layers, merged and taken apart into the tables that are read one by one.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use figment::{Figment, Metadata, Profile, Provider};
use units::Problem;

use super::schema::{LISTS, Place, SECTIONS, WATCH, unknown_key};
use super::section::{Findings, Section};
use super::{env, value};

/// All tables, the environment laid over the file.
pub(super) struct Tables {
    sections: Dict,
    /// The lists of blocks, by name.
    lists: BTreeMap<&'static str, Value>,
    layers: Figment,
}

/// The file as a layer.
struct File(Dict);

impl Provider for File {
    fn metadata(&self) -> Metadata {
        Metadata::named("configuration file")
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

impl Tables {
    /// Lays `environment` over `file`. Top-level keys that are no sections are noted and left out.
    pub(super) fn merge(
        mut file: Dict,
        environment: impl IntoIterator<Item = (String, String)>,
        findings: &mut Findings,
    ) -> Self {
        let lists = LISTS.into_iter().filter_map(|list| Some((list, file.remove(list)?))).collect();
        file.retain(|name, given| is_section(name, given, &mut findings.problems));
        let variables = env::variables(environment, &mut findings.problems);
        let layers = variables.into_iter().fold(Figment::from(File(file)), Figment::merge);
        // An empty path is the whole; without layers' data there is none.
        let sections = layers.find_value("").ok().and_then(Value::into_dict).unwrap_or_default();
        Self { sections, lists, layers }
    }

    /// Opens one section; an absent one is empty.
    pub(super) fn section<'a>(&'a mut self, name: &'static str, findings: &'a mut Findings) -> Section<'a> {
        let values = self.sections.remove(name).and_then(Value::into_dict).unwrap_or_default();
        Section::open(Place::Section(name), values, &self.layers, findings)
    }

    /// Opens one block.
    pub(super) fn block<'a>(&'a self, place: Place, values: Dict, findings: &'a mut Findings) -> Section<'a> {
        Section::open(place, values, &self.layers, findings)
    }

    /// The blocks of one of [`LISTS`] with their places. What is no block is noted and left out.
    pub(super) fn blocks(&mut self, name: &'static str, findings: &mut Findings) -> Vec<(Place, Dict)> {
        let mut problem = |key: String, why: String| findings.problems.push(Problem::new(key, why));
        let elements = match self.lists.remove(name) {
            Some(Value::Array(_, elements)) if !elements.is_empty() => elements,
            None | Some(Value::Array(..)) if name == WATCH => {
                problem(WATCH.into(), "nothing is watched (add a [[watch]] block with hashtags)".into());
                return Vec::new();
            }
            None | Some(Value::Array(..)) => return Vec::new(),
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
        // The value stays unsaid: somebody may have written `api = "the key"`.
        problems.push(Problem::new(name, format!("is not a table (write its keys below a line [{name}])")));
    }
    is_table
}
