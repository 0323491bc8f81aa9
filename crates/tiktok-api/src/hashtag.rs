//! Names and numbers of hashtags.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

/// Longest accepted hashtag, in characters. The platform's own captions end well below it.
const MAX_CHARS: usize = 150;

/// A hashtag as people say it, without `#`: lower case, Unicode NFC, never blank, no white space.
///
/// Two spellings that the platform takes for one hashtag compare equal: `#BookTok` and `booktok`,
/// a composed and a decomposed `café`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hashtag(Arc<str>);

/// Why a text is not a hashtag; the message ends a sentence that named the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHashtag {
    /// Nothing is left once `#` and surrounding white space are gone.
    #[error("is blank (write the hashtag's name, with or without `#`)")]
    Blank,
    /// White space inside.
    #[error("contains white space (one hashtag is one word; list several separately)")]
    WhiteSpace,
    /// A second `#`, a comma, or a control or invisible formatting character.
    #[error("contains {0:?}, which no hashtag can have (list several hashtags separately)")]
    Character(char),
    /// Longer than any hashtag.
    #[error("is longer than {MAX_CHARS} characters")]
    TooLong,
}

impl Hashtag {
    /// Reads a hashtag in any spelling: surrounding white space, one leading `#` (or the
    /// full-width `＃`) and upper case are folded away.
    pub fn parse(text: &str) -> Result<Self, InvalidHashtag> {
        let trimmed = text.trim();
        let bare = trimmed.strip_prefix(['#', '＃']).unwrap_or(trimmed);
        // Lower-casing can decompose (`İ` becomes `i` and a dot), so NFC comes last.
        let folded: String = bare.to_lowercase().nfc().collect();
        if folded.is_empty() {
            return Err(InvalidHashtag::Blank);
        }
        if folded.chars().any(char::is_whitespace) {
            return Err(InvalidHashtag::WhiteSpace);
        }
        if let Some(bad) = folded.chars().find(|c| is_forbidden(*c)) {
            return Err(InvalidHashtag::Character(bad));
        }
        if folded.chars().count() > MAX_CHARS {
            return Err(InvalidHashtag::TooLong);
        }
        Ok(Self(folded.into()))
    }

    /// The folded name, without `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Invisible direction marks and the byte-order mark are refused as well: two hashtags that look
/// alike but differ in them would be two entries for one thing. The zero-width (non-)joiners stay:
/// Persian and several Indic scripts need them.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '#' | '＃' | ',' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

impl fmt::Display for Hashtag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hashtag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// The platform's number for a hashtag (it calls a hashtag a "challenge"): 1 to 32 digits, kept as
/// text because it exceeds what JSON numbers carry safely.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChallengeId(Arc<str>);

/// The text is not 1 to 32 ASCII digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a challenge id is 1 to 32 digits")]
pub struct InvalidChallengeId;

impl ChallengeId {
    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, InvalidChallengeId> {
        let digits = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if digits && text.bytes().any(|b| b != b'0') {
            Ok(Self(text.into()))
        } else {
            Err(InvalidChallengeId)
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_hashtag_fold_together() {
        for (text, want) in [
            ("booktok", "booktok"),
            ("#BookTok", "booktok"),
            ("  #booktok\n", "booktok"),
            ("＃日本", "日本"),
            ("#CAFE\u{301}", "café"),
            ("#2025", "2025"),
            ("#no", "no"),
            ("#ÇOK", "çok"),
            ("می‌خواهم", "می‌خواهم"),
        ] {
            assert_eq!(Hashtag::parse(text).unwrap().as_str(), want, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_hashtag_is_refused_with_its_reason() {
        let long = "x".repeat(151);
        for (text, want) in [
            ("", InvalidHashtag::Blank),
            (" # ", InvalidHashtag::Blank),
            ("book tok", InvalidHashtag::WhiteSpace),
            ("book\u{3000}tok", InvalidHashtag::WhiteSpace),
            ("#book#tok", InvalidHashtag::Character('#')),
            ("##booktok", InvalidHashtag::Character('#')),
            ("a,b", InvalidHashtag::Character(',')),
            ("a\u{0}b", InvalidHashtag::Character('\0')),
            ("a\u{202E}b", InvalidHashtag::Character('\u{202E}')),
            (long.as_str(), InvalidHashtag::TooLong),
        ] {
            assert_eq!(Hashtag::parse(text), Err(want), "{text:?}");
        }
    }

    #[test]
    fn ids_are_digits_only() {
        assert!(ChallengeId::parse("1585692").is_ok());
        for bad in ["", "0", "000", "12a", "-5", "1.5", &"9".repeat(33), "１２"] {
            assert_eq!(ChallengeId::parse(bad), Err(InvalidChallengeId), "{bad:?}");
        }
    }
}
