//! Problems found in a configuration.

use std::cmp::Ordering;
use std::fmt;

/// One problem. Displays as `key: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a full key such as `watch[1].regions[0]`, an environment variable, or a file with line and
    /// column.
    pub key: String,
    /// What is wrong and what is allowed. May quote the value, but never a secret.
    pub message: String,
}

impl Problem {
    /// A problem at `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl std::error::Error for Problem {}

/// All problems of an input, sorted by key. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Ok` without problems.
    ///
    /// # Errors
    ///
    /// With all problems, sorted by key, if there are any.
    pub fn none_or(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|a, b| natural(&a.key, &b.key).then_with(|| a.message.cmp(&b.message)));
        Err(Self(problems))
    }

    /// The problems, sorted by key.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// One problem per line, without a trailing newline.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Compares keys so that `watch[2]` comes before `watch[10]`.
fn natural(a: &str, b: &str) -> Ordering {
    parts(a).cmp(parts(b))
}

/// Splits a key at its brackets into pairs of an index and the text after it.
fn parts(key: &str) -> impl Iterator<Item = (usize, &str)> {
    key.split('[').map(|part| match part.split_once(']') {
        Some((index, rest)) => (index.parse().unwrap_or(usize::MAX), rest),
        None => (0, part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_compared_as_numbers() {
        let mut keys =
            ["watch[10].group", "watch[2].regions[1]", "watch[2].regions[0]", "api.timeout", "watch"];
        keys.sort_by(|a, b| natural(a, b));
        assert_eq!(
            keys,
            ["api.timeout", "watch", "watch[2].regions[0]", "watch[2].regions[1]", "watch[10].group"]
        );
    }

    #[test]
    fn no_problem_is_success() {
        assert_eq!(Problems::none_or(Vec::new()), Ok(()));
    }
}
