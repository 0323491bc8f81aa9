//! What is wrong with a web configuration file.

use std::fmt;

/// One value or file that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The full key, such as `tls_server_config.cert_file`; or the path of the file with line and
    /// column, such as `web.yml:3:1`.
    pub key: String,
    /// What is wrong and what is allowed. Never quotes a password, a hash or a private key.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Everything that is wrong with a web configuration file, sorted by key. Never empty.
///
/// Displayed as one problem per line, without a line end after the last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct InvalidConfig(Vec<Problem>);

impl InvalidConfig {
    /// Fails if there are `problems`.
    pub(crate) fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|a, b| (&a.key, &a.message).cmp(&(&b.key, &b.message)));
        Err(Self(problems))
    }

    /// The problems, sorted by key.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for InvalidConfig {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
