//! Which keys exist, and suggestions for unknown ones.

use tiktok_api::Dialect;
use units::Problem;

use super::{api, budget, discover, env, posts, prometheus, refresh, shard, store, value, watch, web};

/// Every section with its keys, in the order of the documentation. `watch` and `discover` are lists of tables.
pub(super) const SECTIONS: [(&str, &[&str]); 11] = [
    ("api", api::KEYS),
    ("refresh", refresh::KEYS),
    ("posts", posts::KEYS),
    ("budget", budget::KEYS),
    ("prometheus", prometheus::KEYS),
    ("web", web::KEYS),
    ("store", store::KEYS),
    ("shard", shard::KEYS),
    ("watchlist", watch::LIMIT_KEYS),
    (WATCH, watch::KEYS),
    (DISCOVER, discover::KEYS),
];

/// The lists of tables that only a file can hold.
pub(super) const WATCH: &str = "watch";
pub(super) const DISCOVER: &str = "discover";
pub(super) const LISTS: [&str; 2] = [WATCH, DISCOVER];

/// What to do with the API key instead of writing it among the settings.
fn key_hint() -> String {
    let variables: Vec<&str> = Dialect::all().map(|dialect| dialect.provider().key_variable).collect();
    format!(
        "is not a setting: the API key is kept out of the settings; put it into the environment variable {}, or \
         into a file that api.key_file names",
        variables.join(" or ")
    )
}

/// Two names at least this alike are taken for one, mistyped.
const ALIKE: f64 = 0.6;

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

    /// Whether `key` exists in this table.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.keys().contains(&key)
    }

    fn keys(&self) -> Vec<&'static str> {
        let name = match self {
            Self::Root => return SECTIONS.map(|(name, _)| name).to_vec(),
            Self::Section(name) | Self::Block(name, _) => *name,
        };
        SECTIONS.iter().filter(|(section, _)| *section == name).flat_map(|(_, keys)| *keys).copied().collect()
    }
}

/// The problem of a key that does not exist in the table at `place`. Its value is not shown: it
/// may be a secret in the wrong place.
pub(super) fn unknown_key(place: &Place, key: &str) -> Problem {
    if looks_like_the_api_key(key) {
        return Problem::new(place.key(key), key_hint());
    }
    let here = place.keys().into_iter().map(|name| (name, place.key(name)));
    let elsewhere = SECTIONS.iter().flat_map(|(section, keys)| {
        keys.iter().map(move |name| match *section {
            list if LISTS.contains(&list) => (*name, format!("{name} in a [[{list}]] block")),
            section => (*name, Place::Section(section).key(name)),
        })
    });
    let hint = match most_alike(key, here).or_else(|| most_alike(key, elsewhere)) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("known here: {}", place.keys().join(", ")),
    };
    Problem::new(place.key(key), format!("is not a known key; {hint}"))
}

/// The problem of an environment variable that sets nothing. Its value is not shown either.
pub(super) fn unknown_variable(variable: &str, dotted: &str) -> Problem {
    let variable = variable.escape_debug().to_string();
    let leaf = dotted.rsplit('.').next().unwrap_or(dotted);
    if looks_like_the_api_key(leaf) {
        return Problem::new(variable, key_hint());
    }
    if let Some(list) = LISTS.into_iter().find(|list| dotted.split('.').next() == Some(list)) {
        let message = format!("is not a setting: [[{list}]] blocks are written in the configuration file");
        return Problem::new(variable, message);
    }
    let settable = || {
        SECTIONS.iter().filter(|(section, _)| !LISTS.contains(section)).flat_map(|(section, keys)| {
            keys.iter().map(move |name| (*name, Place::Section(section).key(name)))
        })
    };
    let full_names: Vec<String> = settable().map(|(_, full)| full).collect();
    let nearest = most_alike(dotted, full_names.iter().map(|full| (full.as_str(), full.clone())));
    let hint = match nearest.or_else(|| most_alike(leaf, settable())) {
        Some(nearest) => format!("did you mean {}?", env::variable_for(&nearest)),
        None => format!("variables are named as in {}", env::variable_for("api.timeout")),
    };
    Problem::new(variable, format!("is not a known variable; {hint}"))
}

fn most_alike<'n>(key: &str, candidates: impl Iterator<Item = (&'n str, String)>) -> Option<String> {
    let key = key.to_lowercase().replace('-', "_");
    let mut best: Option<(f64, String)> = None;
    for (name, shown) in candidates {
        let likeness = strsim::normalized_damerau_levenshtein(&key, name);
        if likeness >= ALIKE && best.as_ref().is_none_or(|(score, _)| likeness > *score) {
            best = Some((likeness, shown));
        }
    }
    best.map(|(_, shown)| shown)
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
