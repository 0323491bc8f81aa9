//! One post under a hashtag.

use serde::{Deserialize, Serialize};

use units::Timestamp;

use super::Region;

/// Longer titles are cut.
const TITLE_CHARS: usize = 120;
/// Longer names of authors are cut.
const AUTHOR_CHARS: usize = 40;

/// A post with its counters at the moment of the answer. `None` is "the answer did not say".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Post {
    /// The platform's id, as text.
    pub id: String,
    /// The name of its author in links, without `@`, on one line and short.
    pub author: Option<String>,
    /// What its author wrote, on one line and short.
    pub title: Option<String>,
    /// When it was published.
    pub created_at: Option<Timestamp>,
    /// The country it was published from.
    pub region: Option<Region>,
    /// How often it was played ("views" of a single post).
    pub plays: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
    /// Comments.
    pub comments: Option<u64>,
    /// Shares.
    pub shares: Option<u64>,
    /// Saves into a collection.
    pub saves: Option<u64>,
}

impl Post {
    /// A title as it is kept: on one line, without what cannot be seen, at most 120 characters.
    pub fn title(text: &str) -> Option<String> {
        one_line(text, TITLE_CHARS)
    }

    /// An author's name as it is kept, at most 40 characters.
    pub fn author(text: &str) -> Option<String> {
        one_line(text.trim().trim_start_matches('@'), AUTHOR_CHARS)
    }

    /// Where it can be seen. `None` unless author and id are such as the platform gives: everything
    /// else could lead elsewhere.
    pub fn link(&self) -> Option<String> {
        let author = self.author.as_deref().filter(|author| is_author(author))?;
        let is_id = (1..=32).contains(&self.id.len()) && self.id.bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| format!("https://www.tiktok.com/@{author}/video/{}", self.id))
    }
}

/// Latin letters, digits, `_` and `.`, at least one of them no dot.
fn is_author(name: &str) -> bool {
    (1..=AUTHOR_CHARS).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
        && name.bytes().any(|b| b != b'.')
}

/// Text from outside for a line of its own: white space is one space, control characters and those
/// that turn the direction of what follows are left out, and the end is cut, at a word if there is
/// one near. `None` when nothing is left.
fn one_line(text: &str, most: usize) -> Option<String> {
    let is_seen = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    let mut line = String::new();
    let mut chars = 0;
    for c in text.trim().chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(is_seen) {
        if c == ' ' && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        if chars == most {
            cut(&mut line);
            break;
        }
        line.push(c);
        chars += 1;
    }
    line.truncate(line.trim_end().len());
    (!line.is_empty()).then_some(line)
}

/// Makes place for an ellipsis at the end.
fn cut(line: &mut String) {
    line.pop();
    if let Some(space) = line.rfind(' ').filter(|space| line.len() - space < 20) {
        line.truncate(space);
    }
    line.push('…');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_are_kept_on_one_short_line() {
        let words = "every word counts ".repeat(10);
        for (text, want) in [
            ("you need to see this 😭✨ #booktok", Some("you need to see this 😭✨ #booktok")),
            ("  two\r\n\r\nlines\t\u{a0} ", Some("two lines")),
            ("<script>alert('x')</script>", Some("<script>alert('x')</script>")),
            ("\u{202e}desrever\u{202c} \u{0}\u{1b}[31m", Some("desrever [31m")),
            ("", None),
            (" \u{0}\u{202e} ", None),
            (&"x".repeat(120), Some("x".repeat(120).as_str())),
            (&"x".repeat(121), Some(format!("{}…", "x".repeat(119)).as_str())),
            (&words, Some(format!("{}every word…", "every word counts ".repeat(6)).as_str())),
        ] {
            assert_eq!(Post::title(text).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn only_what_the_platform_gives_makes_a_link() {
        let link = |author: &str, id: &str| {
            Post { id: id.to_owned(), author: Post::author(author), ..Post::default() }.link()
        };
        let id = "7301234567890123456";
        let good = format!("https://www.tiktok.com/@some.user_1/video/{id}");
        assert_eq!(link("some.user_1", id).as_deref(), Some(good.as_str()));
        assert_eq!(link("@some.user_1", id).as_deref(), Some(good.as_str()));
        for author in [
            "",
            ".",
            "..",
            "a/b",
            "a?b",
            "a#b",
            "a b",
            "a@b",
            "a\\b",
            "a%2fb",
            "ä",
            "a\"b",
            "<b>",
            &"x".repeat(41),
        ] {
            assert_eq!(link(author, id), None, "{author:?}");
        }
        for id in ["", "12a", "-1", "1/2", "１２", "1?x", &"1".repeat(33)] {
            assert_eq!(link("user", id), None, "{id:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_kept_long_or_on_two_lines(text in any::<String>()) {
            if let Some(title) = Post::title(&text) {
                prop_assert!(title.chars().count() <= TITLE_CHARS && !title.chars().any(char::is_control));
                prop_assert_eq!(Post::title(&title), Some(title.clone()));
            }
        }
    }
}
