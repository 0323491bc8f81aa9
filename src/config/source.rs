//! Reads the file into a table.

use std::io::ErrorKind;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::Dict;
use units::Problem;

/// The text of the file at `path`. The problem's key is the path.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    let problem = |why: String| Problem::new(path.display().to_string(), why);
    let bytes = std::fs::read(path).map_err(|error| {
        problem(match error.kind() {
            ErrorKind::NotFound => "does not exist".to_owned(),
            ErrorKind::IsADirectory => "is a directory, not a file".to_owned(),
            ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
            _ => format!("cannot be read: {error}"),
        })
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        problem(format!("is not UTF-8 text (line {line})"))
    })
}

/// The table that `toml` describes. The problem's key is `name:line:column`; the line itself is
/// not quoted, because it may contain a secret.
pub(super) fn parse(name: &str, toml: &str) -> Result<Dict, Problem> {
    Toml::from_str::<Dict>(toml).map_err(|error| {
        let why = error.message().trim().lines().collect::<Vec<_>>().join(", ");
        let start = error.span().map_or(0, |span| span.start);
        let (line, column) = position(toml, start);
        Problem::new(format!("{name}:{line}:{column}"), format!("is not TOML: {why}"))
    })
}

/// Line and column of a byte offset, both counted from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
