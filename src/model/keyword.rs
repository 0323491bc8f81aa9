//! What hashtags and posts are searched for by.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

/// Longest accepted keyword, in characters.
const MAX_CHARS: usize = 100;

/// A keyword as people type it: one or more words, lower case, Unicode NFC, with single spaces, never
/// blank. Anything else that can be seen may be in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyword(Arc<str>);

/// Why a text is not a keyword; the message ends a sentence that named the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyword {
    /// Nothing but white space and `#`.
    #[error("is blank (write one or more words)")]
    Blank,
    /// A control character that is no white space.
    #[error("contains the control character {0:?}")]
    Control(char),
    /// Longer than anybody types.
    #[error("is longer than {MAX_CHARS} characters")]
    TooLong,
}

impl Keyword {
    /// Reads a keyword: white space is folded into single spaces, a leading `#` and upper case away.
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

    /// The folded words.
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
    fn keywords_are_folded_as_a_search_would() {
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
    fn what_is_no_keyword_is_refused() {
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
