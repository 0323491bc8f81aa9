//! Search keywords.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

/// Longest accepted keyword, in characters.
const MAX_CHARS: usize = 100;

/// A search keyword: one or more words in lower case and Unicode NFC, separated by single spaces. 1 to 100
/// characters, any except control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword(Arc<str>);

/// Why a text is not a keyword. The message completes a sentence that starts with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyword {
    /// Only white space and `#`.
    #[error("is blank (write one or more words)")]
    Blank,
    /// Contains a control character that is not white space.
    #[error("contains the control character {0:?}")]
    Control(char),
    /// Longer than 100 characters.
    #[error("is longer than {MAX_CHARS} characters")]
    TooLong,
}

impl Keyword {
    /// Reads a keyword: collapses white space, removes a leading `#`, converts to lower case.
    ///
    /// # Errors
    ///
    /// When the text is blank, too long, or contains a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyword> {
        let bare = text.trim();
        let bare = bare.strip_prefix(['#', '＃']).unwrap_or(bare);
        let words: Vec<&str> = bare.split_whitespace().collect();
        let folded: String = words.join(" ").to_lowercase().nfc().collect();
        if folded.is_empty() {
            return Err(InvalidKeyword::Blank);
        }
        if let Some(bad) = folded.chars().find(|c| c.is_control()) {
            return Err(InvalidKeyword::Control(bad));
        }
        if folded.chars().count() > MAX_CHARS {
            return Err(InvalidKeyword::TooLong);
        }
        Ok(Self(folded.into()))
    }

    /// The normalized text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_normalized() {
        for (text, want) in [
            ("CleanTok", "cleantok"),
            ("  deep \t clean ", "deep clean"),
            ("#BookTok", "booktok"),
            ("cafe\u{301}", "café"),
            ("say \"hi\" \\o/ <b>{x=1}</b>", "say \"hi\" \\o/ <b>{x=1}</b>"),
        ] {
            assert_eq!(Keyword::parse(text).unwrap().as_str(), want, "{text:?}");
        }
    }

    #[test]
    fn invalid_keywords_are_refused() {
        for (text, want) in [
            ("", InvalidKeyword::Blank),
            (" # ", InvalidKeyword::Blank),
            ("a\u{7}b", InvalidKeyword::Control('\u{7}')),
            (&"x".repeat(101), InvalidKeyword::TooLong),
        ] {
            assert_eq!(Keyword::parse(text), Err(want), "{text:?}");
        }
    }
}
