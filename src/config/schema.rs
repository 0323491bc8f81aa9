//! Which keys exist, and which one an unknown key may have been meant to be.

use std::sync::LazyLock;

use tiktok_api::Dialect;
use units::Problem;

use super::env::variable_for;
use super::section::Findings;
use super::tables::Tables;
use super::value;

/// Every section with its keys, in the order of the documentation. `watch` and `discover` are lists of tables.
///
/// These are the keys that are looked up when a configuration without settings is read, so that there is no
/// second list of them.
pub(super) static SECTIONS: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
    let mut findings = Findings::default();
    super::read(Tables::with_an_empty_block_each(), true, &mut findings);
    findings.keys
});

/// The lists of tables that only a file can hold.
pub(super) const WATCH: &str = "watch";
pub(super) const DISCOVER: &str = "discover";
pub(super) const LISTS: [&str; 2] = [WATCH, DISCOVER];

/// The full keys that an environment variable can set, such as `api.timeout`.
pub(super) fn settable_keys() -> impl Iterator<Item = String> {
    keys().filter(|(section, _)| !LISTS.contains(section)).map(|(section, key)| format!("{section}.{key}"))
}

/// Every key with its section.
pub(super) fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECTIONS.iter().flat_map(|(section, keys)| keys.iter().map(move |key| (*section, *key)))
}

/// What to do with the API key, which is not a setting.
fn key_hint() -> String {
    let variables: Vec<&str> = Dialect::all().map(|dialect| dialect.provider().key_variable).collect();
    format!(
        "is not a setting: the API key is kept out of the settings; put it into the environment variable {}, or \
         into a file that api.key_file names",
        variables.join(" or ")
    )
}

/// Two names with at least this similarity may be the same one, mistyped.
const SIMILAR: f64 = 0.6;

/// A table of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The file itself, which holds the sections.
    Root,
    /// One section, by its name.
    Section(&'static str),
    /// One block of a list of tables, by the list and its index.
    Block(&'static str, usize),
}

impl Place {
    /// The full name of `key` in this table. A key that TOML would quote is quoted, so that it
    /// stays on one line.
    pub(super) fn key(&self, key: &str) -> String {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || "_-[]".contains(c);
        let key = if key.chars().all(is_bare) { key.to_owned() } else { value::quote(key) };
        match self {
            Self::Root => key,
            Self::Section(name) => format!("{name}.{key}"),
            Self::Block(list, index) => format!("{list}[{index}].{key}"),
        }
    }

    fn keys(&self) -> Vec<&'static str> {
        match self {
            Self::Root => SECTIONS.iter().map(|(name, _)| *name).collect(),
            Self::Section(name) | Self::Block(name, _) => {
                keys().filter(|(section, _)| section == name).map(|(_, key)| key).collect()
            }
        }
    }
}

/// The problem of a key that does not exist in the table at `place`. Its value is not shown: it
/// may be a secret in the wrong place.
pub(super) fn unknown_key(place: &Place, key: &str) -> Problem {
    if looks_like_the_api_key(key) {
        return Problem::new(place.key(key), key_hint());
    }
    let here = place.keys().into_iter().map(|name| (name, place.key(name)));
    let elsewhere = keys().map(|(section, name)| {
        let is_in_list = LISTS.contains(&section);
        (
            name,
            if is_in_list { format!("{name} in a [[{section}]] block") } else { format!("{section}.{name}") },
        )
    });
    let hint = match most_similar(key, here).or_else(|| most_similar(key, elsewhere)) {
        Some(similar) => format!("did you mean {similar}?"),
        None => format!("known here: {}", place.keys().join(", ")),
    };
    Problem::new(place.key(key), format!("is not a known key; {hint}"))
}

/// The problem of an environment variable that sets nothing. `name` is the variable without its prefix. Its value
/// is not shown either.
pub(super) fn unknown_variable(variable: &str, name: &str) -> Problem {
    let variable = variable.escape_debug().to_string();
    let dotted = name.replace("__", ".").to_lowercase();
    let leaf = dotted.rsplit('.').next().unwrap_or_default();
    if looks_like_the_api_key(leaf) {
        return Problem::new(variable, key_hint());
    }
    if let Some(list) = LISTS.into_iter().find(|list| dotted.split('.').next() == Some(list)) {
        let message = format!("is not a setting: [[{list}]] blocks are written in the configuration file");
        return Problem::new(variable, message);
    }
    let by_full_name = settable_keys().map(|full| (full.clone(), full));
    let by_leaf = settable_keys().map(|full| (full.rsplit('.').next().unwrap_or_default().to_owned(), full));
    let hint = match most_similar(&dotted, by_full_name).or_else(|| most_similar(leaf, by_leaf)) {
        Some(similar) => format!("did you mean {}?", variable_for(&similar)),
        None => format!("variables are named as in {}", variable_for("api.timeout")),
    };
    Problem::new(variable, format!("is not a known variable; {hint}"))
}

/// The text of the candidate whose name is most similar to `key`, if one is similar. Of equal ones, the first.
fn most_similar<N: AsRef<str>>(key: &str, candidates: impl Iterator<Item = (N, String)>) -> Option<String> {
    let key = key.to_lowercase().replace('-', "_");
    candidates
        .map(|(name, text)| (strsim::normalized_damerau_levenshtein(&key, name.as_ref()), text))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, text)| text)
}

/// Names under which people put the API key into a configuration.
fn looks_like_the_api_key(key: &str) -> bool {
    let bare = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    let key = bare(key);
    matches!(key.as_str(), "key" | "apikey" | "xapikey" | "apitoken" | "token" | "secret" | "password")
        || Dialect::all().map(Dialect::provider).any(|provider| {
            key == bare(provider.key_variable)
                || key == bare(provider.key_header)
                || key == bare(&format!("{}key", provider.dialect))
        })
}
