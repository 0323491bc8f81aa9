//! The families as a table of the documentation.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::Family;

/// The families as Markdown: one section per owner, in the order of their first families; in each a table
/// sorted by name.
pub fn markdown_table<'a>(families: impl IntoIterator<Item = &'a Family>) -> String {
    let mut sections: Vec<(&str, Vec<&Family>)> = Vec::new();
    for family in families {
        match sections.iter_mut().find(|(owner, _)| *owner == family.owner) {
            Some((_, section)) => section.push(family),
            None => sections.push((family.owner, vec![family])),
        }
    }
    let mut text = String::new();
    for (owner, mut section) in sections {
        section.sort_by_key(|family| family.name);
        let (first, rest) = owner.split_at(owner.chars().next().map_or(0, char::len_utf8));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "## {}{rest}\n\n| name | kind | labels | help |\n|---|---|---|---|\n",
            first.to_uppercase()
        );
        for family in section {
            let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind, labels) = (family.name, family.kind.as_str(), labels.join(", "));
            let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {} |", family.help.replace('|', "\\|"));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// For tests: whether the file at `path` holds `want`. With the environment variable `UPDATE_DOCS` set, writes
/// `want` into it instead.
///
/// # Errors
///
/// The first line that differs, and `command`, which updates the file.
pub fn compare_or_update(path: &Path, want: &str, command: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(path, want).map_err(|error| format!("{}: {error}", path.display()));
    }
    let got = fs::read_to_string(path).unwrap_or_default();
    if got == want {
        return Ok(());
    }
    let differ = got.lines().zip(want.lines()).find(|(got, want)| got != want);
    let (got, want) = differ.unwrap_or(("(another length)", "(another length)"));
    Err(format!(
        "{} is out of date; update it with `UPDATE_DOCS=1 {command}`\n  is:        {got}\n  should be: {want}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::markdown_table;

    #[test]
    fn owners_are_sections_and_families_are_rows() {
        crate::families! {
            const POND: () = "the pond";
            /// Fish, counted | guessed.
            gauge "fish" [species] => ();
            /// Frogs.
            gauge "frogs" [] => ();
        }
        let families = POND.iter().rev().map(|source| &source.family);
        let want = "## The pond\n\n| name | kind | labels | help |\n|---|---|---|---|\n\
                    | `fish` | gauge | `species` | Fish, counted \\| guessed. |\n\
                    | `frogs` | gauge |  | Frogs. |\n";
        assert_eq!(markdown_table(families), want);
    }
}
