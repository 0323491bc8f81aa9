//! Where the configuration and the API key come from, for every command.

use std::path::PathBuf;

use secrecy::SecretString;
use units::{Problem, Problems, Timestamp};

use crate::config::{self, ApiKey, Config, KeySource, Loaded};

/// Where the configuration comes from, at the start and at every reload.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file and the environment of the process.
    File(PathBuf),
    /// The file if it exists, otherwise the defaults with nothing to watch. Under the environment of the process.
    FileIfPresent(PathBuf),
    /// A built-in configuration for the simulator.
    Embedded {
        /// TOML. Without it, the defaults with nothing to watch.
        toml: Option<&'static str>,
        /// Variables that override it.
        overrides: Vec<(String, String)>,
    },
}

/// The key for the simulator, which accepts any.
const SIMULATOR_KEY: &str = "demo";

/// A usable configuration, and the way to its API key.
#[derive(Debug)]
pub struct Startup {
    /// The configuration.
    pub config: Config,
    /// What is allowed but probably a mistake, as `key: what is risky`.
    pub warnings: Vec<String>,
    is_embedded: bool,
}

impl Startup {
    /// Reads the configuration and checks its dates against `now`. Blocks.
    ///
    /// # Errors
    ///
    /// All problems of the configuration.
    pub fn load(source: &Source, now: Timestamp) -> Result<Self, Problems> {
        let environment = config::process_environment;
        let Loaded { config, warnings } = match source {
            Source::File(path) => config::load(path, environment())?,
            Source::FileIfPresent(path) if path.exists() => config::load(path, environment())?,
            Source::FileIfPresent(_) => config::defaults(environment())?,
            Source::Embedded { toml: Some(toml), overrides } => {
                config::load_str(toml, overrides.iter().cloned())?
            }
            Source::Embedded { toml: None, overrides } => config::defaults(overrides.iter().cloned())?,
        };
        config::check_dates(&config.budget, now)?;
        Ok(Self { config, warnings, is_embedded: matches!(source, Source::Embedded { .. }) })
    }

    /// The API key, if one is configured. Its file is read at every call. Blocks.
    ///
    /// # Errors
    ///
    /// If there is a key that cannot be used.
    pub fn key(&self) -> Result<Option<ApiKey>, Problem> {
        let api = &self.config.api;
        if self.is_embedded {
            return Ok(Some(ApiKey {
                secret: SecretString::from(SIMULATOR_KEY),
                source: KeySource::Environment(api.provider().key_variable),
                warnings: Vec::new(),
            }));
        }
        config::api_key(api, config::key_variable(api))
    }

    /// The API key, for a command that needs one. Blocks.
    ///
    /// # Errors
    ///
    /// If there is no key, or one that cannot be used.
    pub fn require_key(&self) -> Result<ApiKey, Problem> {
        self.key()?.ok_or_else(|| {
            let advice = "set this variable, or api.key_file; the `demo` subcommand and --demo need none";
            Problem::new(self.config.api.provider().key_variable, format!("there is no API key ({advice})"))
        })
    }
}
