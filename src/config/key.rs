//! The API key. It is not a setting and never part of [`super::Config`].

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use units::Problem;

use super::api::ApiConfig;
use super::source;

const KEY_FILE: &str = "api.key_file";

/// Real keys are far shorter; a longer text is the wrong file.
const MAX_BYTES: usize = 512;

/// The API key and what is known about it. `Debug` does not show it.
#[derive(Debug)]
pub struct ApiKey {
    /// The key: 1 to 512 visible ASCII characters, so that it fits a header.
    pub secret: SecretString,
    /// Where it came from.
    pub source: KeySource,
    /// What is valid but probably not intended.
    pub warnings: Vec<String>,
}

/// Where the API key came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The provider's environment variable, by its name.
    Environment(&'static str),
    /// The file that `api.key_file` names.
    File(PathBuf),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(variable) => f.write_str(variable),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The value of the provider's key variable in the environment of this process.
pub fn key_variable(config: &ApiConfig) -> Option<String> {
    std::env::var_os(config.provider().key_variable).map(|key| key.to_string_lossy().into_owned())
}

/// Finds the API key: `variable` is the value of the provider's key variable, which takes precedence over the file
/// that `api.key_file` names, unless it is blank (an unset variable in a compose file is blank). `None` if neither
/// is set. Reads the file each time, so that a reload picks up a changed key.
///
/// # Errors
///
/// If the file cannot be read, or if the key is blank, longer than 512 bytes, or contains anything but visible
/// ASCII characters.
pub fn api_key(config: &ApiConfig, variable: Option<String>) -> Result<Option<ApiKey>, Problem> {
    let name = config.provider().key_variable;
    if let Some(text) = variable.filter(|text| !text.trim().is_empty()) {
        let secret = clean(&text).map_err(|why| Problem::new(name, why))?;
        let unused = config.key_file.as_ref().map(|_| format!("{KEY_FILE}: is not read, {name} is set"));
        return Ok(Some(ApiKey {
            secret,
            source: KeySource::Environment(name),
            warnings: unused.into_iter().collect(),
        }));
    }
    let Some(path) = &config.key_file else {
        return Ok(None);
    };
    let problem = |why: String| Problem::new(KEY_FILE, format!("{} {why}", shown(path)));
    let text = source::read(path).map_err(|found| problem(found.message))?;
    let secret = clean(&text).map_err(|why| problem(format!("holds a key that {why}")))?;
    let exposed = is_readable_by_all(path)
        .then(|| format!("{KEY_FILE}: {} is readable by every user; chmod 600 it", path.display()));
    Ok(Some(ApiKey {
        secret,
        source: KeySource::File(path.clone()),
        warnings: exposed.into_iter().collect(),
    }))
}

/// The key without white space around it.
fn clean(text: &str) -> Result<SecretString, &'static str> {
    let key = text.trim();
    if key.is_empty() {
        return Err("is blank");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("contains a space, a control character or a non-ASCII character, which no API key has");
    }
    if key.len() > MAX_BYTES {
        return Err("is longer than 512 characters, which no API key is");
    }
    Ok(SecretString::from(key))
}

/// The path as a message may show it: a text that does not look like a path may be the key itself.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(['/', '\\', '.']) {
        format!("the file {text}")
    } else {
        "the named file (not shown, in case it is the key itself)".to_owned()
    }
}

/// Whether users other than the owner and the group can read it.
#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}
