//! Text format 0.0.4, written straight from the samples.
//!
//! Byte for byte what the prometheus crate writes for the same families, without building them.

use std::fmt::Write;

use super::families::Family;
use super::results::{Sink, Subject};

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
        let kind = if family.is_counter() { "counter" } else { "gauge" };
        for part in ["# HELP ", self.name, " ", family.help, "\n# TYPE ", self.name, " ", kind, "\n"] {
            self.text.push_str(part);
        }
    }

    fn sample(&mut self, subject: &Subject<'_>, more: &[(&'static str, &str)], value: f64) {
        let text = &mut self.text;
        text.push_str(self.name);
        text.push('{');
        text.push_str(subject.text);
        for (name, value) in more {
            text.push(',');
            label(text, name, value);
        }
        text.push_str("} ");
        number(text, value);
        text.push('\n');
        if text.len() > PIECE {
            (self.hand_on)(text);
            text.clear();
        }
    }
}

/// Appends `name="value"`, escaped.
pub(super) fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '\n', '"']) {
        text.push_str(&rest[..at]);
        text.push('\\');
        text.push(if rest.as_bytes()[at] == b'\n' { 'n' } else { char::from(rest.as_bytes()[at]) });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
    text.push('"');
}

/// Appends a number: the shortest digits that read back as the same, never with an exponent.
fn number(text: &mut String, value: f64) {
    /// From here on not every integer is a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.is_sign_positive() && value < EXACT {
        text.push_str(itoa::Buffer::new().format(value as u64));
    } else if (1e-4..1e15).contains(&value) {
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
