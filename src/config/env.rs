//! The layer of environment variables.
//!
//! `TIKTOK_EXPORTER__API__TIMEOUT` sets `api.timeout`. The underscores come in pairs so that the
//! variables which Kubernetes makes for a service of this name (`TIKTOK_EXPORTER_PORT`) are left
//! alone. Values stay text here, digits too, and are read by the type of their setting.

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use units::Problem;

use super::schema::{LISTS, SECTIONS, unknown_variable};

const PREFIX: &str = "TIKTOK_EXPORTER__";

/// The variables of this process as text, for [`super::load`]. What is not Unicode is replaced,
/// instead of ending the program over a variable of somebody else.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// The variable that sets `key`, as `api.timeout`.
pub(super) fn variable_for(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// One variable that sets one key.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    name: String,
    section: &'static str,
    key: &'static str,
    value: String,
}

/// The variables of `environment` that belong to this program, by name. Those that set nothing are
/// added to `problems`.
pub(super) fn variables(
    environment: impl IntoIterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> Vec<Variable> {
    let mut ours: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    let mut variables = Vec::with_capacity(ours.len());
    for (name, value) in ours {
        match settable().find(|(section, key)| variable_for(&format!("{section}.{key}")) == name) {
            Some((section, key)) => variables.push(Variable { name, section, key, value }),
            None => {
                let dotted = name[PREFIX.len()..].replace("__", ".").to_lowercase();
                problems.push(unknown_variable(&name, &dotted));
            }
        }
    }
    variables
}

/// Every section and key that a variable can set. Lists of blocks are written in the file alone.
fn settable() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sections = SECTIONS.into_iter().filter(|(section, _)| !LISTS.contains(section));
    sections.flat_map(|(section, keys)| keys.iter().map(move |key| (section, *key)))
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::from("environment variable", self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let section = Dict::from([(self.key.to_owned(), Value::from(self.value.clone()))]);
        Ok(Profile::Default.collect(Dict::from([(self.section.to_owned(), Value::from(section))])))
    }
}
