//! Text format 0.0.4, written straight from the samples.
//!
//! Byte for byte what the prometheus crate writes for the same families, without building them.

use std::fmt::Write;
use std::ops::Range;

use super::families::Family;
use super::results::{More, Sink, Subject};

/// Takes the samples of a page as text, and hands the text on piece by piece.
pub(super) struct TextSink<F> {
    name: &'static str,
    text: String,
    /// Takes a piece of text that ends with a line.
    hand_on: F,
}

/// Text is handed on when it is longer than this: little enough to stay in the processor's cache.
const PIECE: usize = 32 << 10;

impl<F: FnMut(&str)> TextSink<F> {
    pub(super) fn new(hand_on: F) -> Self {
        Self { name: "", text: String::with_capacity(2 * PIECE), hand_on }
    }

    /// Hands on what is left.
    pub(super) fn finish(mut self) {
        (self.hand_on)(&self.text);
    }
}

impl<F: FnMut(&str)> Sink for TextSink<F> {
    fn family(&mut self, family: &'static Family) {
        self.name = family.name;
        head(&mut self.text, family);
    }

    fn sample(&mut self, subject: &Subject<'_>, more: &More<'_>, value: f64) {
        let text = &mut self.text;
        text.push_str(self.name);
        if more.text.is_empty() {
            text.push_str(subject.text);
        } else {
            text.push_str(subject.text.strip_suffix(END).unwrap_or_default());
            text.push_str(more.text);
        }
        number(text, value);
        text.push('\n');
        if text.len() > PIECE {
            (self.hand_on)(text);
            text.clear();
        }
    }
}

/// What stands between the last label and the value.
const END: &str = "} ";

/// Appends the labels of a sample, up to its value: those that stand in `first` already, and `last`.
pub(super) fn labels(text: &mut String, first: Option<Range<usize>>, (name, value): (&str, &str)) {
    match first {
        Some(Range { start, end }) => {
            text.extend_from_within(start..end - END.len());
            text.push(',');
        }
        None => text.push('{'),
    }
    label(text, name, value);
    text.push_str(END);
}

/// Writes labels that follow others, up to the value of their sample.
pub(super) fn more(text: &mut String, labels: &[(&str, &str)]) {
    text.clear();
    for (name, value) in labels {
        text.push(',');
        label(text, name, value);
    }
    text.push_str(END);
}

/// Appends a family that has one sample without labels.
pub(super) fn lone(text: &mut String, family: &Family, value: f64) {
    head(text, family);
    text.push_str(family.name);
    text.push(' ');
    number(text, value);
    text.push('\n');
}

fn head(text: &mut String, family: &Family) {
    let kind = if family.is_counter() { "counter" } else { "gauge" };
    for part in ["# HELP ", family.name, " ", family.help, "\n# TYPE ", family.name, " ", kind, "\n"] {
        text.push_str(part);
    }
}

/// Appends `name="value"`, escaped.
fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    // Looks at all bytes, which is faster than stopping at the first: hardly a value has one.
    if value.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        escaped(text, value);
    } else {
        text.push_str(value);
    }
    text.push('"');
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'\\' | b'\n' | b'"')
}

fn escaped(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.bytes().position(is_escaped) {
        text.push_str(&rest[..at]);
        text.push('\\');
        text.push(if rest.as_bytes()[at] == b'\n' { 'n' } else { char::from(rest.as_bytes()[at]) });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

/// Appends a number: the shortest digits that read back as the same, never with an exponent.
#[inline]
fn number(text: &mut String, value: f64) {
    /// From here on not every integer is a float of its own.
    const EXACT: i64 = 1 << 53;
    let integer = value as i64;
    if integer as f64 == value && value.is_sign_positive() && integer < EXACT {
        match u8::try_from(integer) {
            // Flags, pages, windows without posts: a good part of a page.
            Ok(digit @ 0..=9) => text.push(char::from(b'0' + digit)),
            _ => text.push_str(itoa::Buffer::new().format(integer)),
        }
    } else {
        fractional(text, value);
    }
}

fn fractional(text: &mut String, value: f64) {
    if (1e-4..1e15).contains(&value) {
        // In this range the shortest digits come without an exponent, and here not ending in ".0".
        text.push_str(zmij::Buffer::new().format_finite(value));
    } else {
        // Writing to a string cannot fail.
        let _ = write!(text, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::number;

    proptest! {
        #[test]
        fn numbers_are_written_as_rust_does(
            value in prop_oneof![
                any::<f64>(),
                (0.0..7.0),
                (0_u64..).prop_map(|n| n as f64),
                (-20..20_i32).prop_map(|n| 10_f64.powi(n)),
                (-20..20_i32).prop_map(|n| 10_f64.powi(n).next_down()),
            ]
        ) {
            let mut text = String::new();
            number(&mut text, value);
            prop_assert_eq!(text, value.to_string());
        }
    }
}
