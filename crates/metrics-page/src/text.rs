//! Text format 0.0.4, written straight from the samples: byte for byte what the prometheus crate writes for
//! the same families, without building them.

use std::fmt::{self, Write};
use std::ops::Range;

use crate::{ExtraLabels, Family, Sink, Subject};

/// Writes the samples of a page as text, and hands the text on in pieces of whole lines.
pub struct TextWriter<'a> {
    name: &'static str,
    text: String,
    hand_on: &'a mut dyn FnMut(&str),
}

/// Text is handed on when it is longer than this: short enough to stay in the processor's cache.
const PIECE: usize = 32 << 10;

impl<'a> TextWriter<'a> {
    /// A writer that hands each piece to `hand_on`.
    pub fn new(hand_on: &'a mut dyn FnMut(&str)) -> Self {
        Self { name: "", text: String::with_capacity(2 * PIECE), hand_on }
    }

    /// Hands on what is left.
    pub fn finish(self) {
        (self.hand_on)(&self.text);
    }

    fn flush(&mut self) {
        (self.hand_on)(&self.text);
        self.text.clear();
    }
}

impl fmt::Debug for TextWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextWriter").field("family", &self.name).finish_non_exhaustive()
    }
}

impl Sink for TextWriter<'_> {
    fn family(&mut self, family: &'static Family) {
        self.name = family.name;
        head(&mut self.text, family);
    }

    #[inline]
    fn sample(&mut self, subject: &Subject<'_>, extra: &ExtraLabels<'_>, value: f64) {
        let text = &mut self.text;
        text.push_str(self.name);
        if extra.text.is_empty() {
            text.push_str(subject.text);
        } else {
            text.push_str(subject.text.strip_suffix(END).unwrap_or_default());
            text.push_str(extra.text);
        }
        number(text, value);
        text.push('\n');
        if text.len() > PIECE {
            self.flush();
        }
    }
}

/// What stands between the last label and the value.
const END: &str = "} ";

/// Appends the labels of a sample, up to its value: those that already stand at `first`, and `last`.
pub(crate) fn labels(text: &mut String, first: Option<Range<usize>>, (name, value): (&str, &str)) {
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

/// Replaces `text` with labels that follow others, up to the value: the text of
/// [`ExtraLabels`](crate::ExtraLabels).
pub fn extra_labels(text: &mut String, labels: &[(&str, &str)]) {
    text.clear();
    for (name, value) in labels {
        text.push(',');
        label(text, name, value);
    }
    text.push_str(END);
}

/// Appends a family that has one sample without labels.
pub(crate) fn single(text: &mut String, family: &Family, value: f64) {
    head(text, family);
    text.push_str(family.name);
    text.push(' ');
    number(text, value);
    text.push('\n');
}

fn head(text: &mut String, family: &Family) {
    let kind = family.kind.as_str();
    for part in ["# HELP ", family.name, " ", family.help, "\n# TYPE ", family.name, " ", kind, "\n"] {
        text.push_str(part);
    }
}

/// Appends `name="value"`, escaped.
fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    // Looks at all bytes: faster than stopping at the first, because hardly any value needs escaping.
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
    /// From here on some integers have no float of their own.
    const EXACT: i64 = 1 << 53;
    let integer = value as i64;
    if integer as f64 == value && value.is_sign_positive() && integer < EXACT {
        match u8::try_from(integer) {
            // Flags and small counts: a good part of a page.
            Ok(digit @ 0..=9) => text.push(char::from(b'0' + digit)),
            _ => text.push_str(itoa::Buffer::new().format(integer)),
        }
    } else {
        fractional(text, value);
    }
}

fn fractional(text: &mut String, value: f64) {
    if (1e-4..1e15).contains(&value) {
        // In this range zmij writes no exponent, and the value has a fraction, so no ".0" either.
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
