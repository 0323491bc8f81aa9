//! The layer of environment variables.
//!
//! `TIKTOK_EXPORTER__API__TIMEOUT` sets `api.timeout`. The double underscores keep the variables apart from
//! those that Kubernetes creates for a service of this name (`TIKTOK_EXPORTER_PORT`). Values stay text here,
//! numbers too; the setting decides how to read them.

use std::collections::BTreeMap;

use units::Problem;

use super::schema::{settable_keys, unknown_variable};

const PREFIX: &str = "TIKTOK_EXPORTER__";

/// The environment of this process as text, for [`super::load`]. Invalid Unicode is replaced, so that a variable
/// of another program cannot stop this one.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

/// The variable that sets `key`, such as `api.timeout`.
pub(super) fn variable_for(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The values that `environment` sets, by full key. Variables of this program that set nothing are added to
/// `problems`.
pub(super) fn settings(
    environment: impl IntoIterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (name, value) in environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        match settable_keys().find(|key| variable_for(key) == name) {
            Some(key) => {
                settings.insert(key, value);
            }
            None => problems.push(unknown_variable(&name, &name[PREFIX.len()..])),
        }
    }
    settings
}
