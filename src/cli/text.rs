//! Text for terminals.

use std::io::Write;

/// Writes a line. Errors are ignored: the reader may have gone (`plan | head`).
pub(super) fn print(mut to: impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

/// A number with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Rows in columns as wide as their widest cell, two spaces apart: the first `left` columns flush
/// left, the others flush right. No line ends in a space.
pub(super) fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| match widths[column] {
            width if column < left => format!("{cell:<width$}"),
            width => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A cell for spreadsheets: a text that would be a formula is prefixed with an apostrophe.
pub(super) fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["day", "credits"], ["2026-01-31", "5"], ["日本", "1,000"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, 1), "day         credits\n2026-01-31        5\n日本            1,000");
    }
}
