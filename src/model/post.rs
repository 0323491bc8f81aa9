//! One post under a hashtag.

use super::{Region, Timestamp};

/// A post with its counters at the moment of the answer. `None` is "the answer did not say".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Post {
    /// The platform's id, as text.
    pub id: String,
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
    /// What its author wrote, as it came: any characters, of any length. Many posts have none.
    pub title: Option<String>,
    /// Who published it.
    pub author: Option<Author>,
}

/// Whoever published a post. Comes from outside: any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name of the account, without `@`.
    pub account: String,
    /// The name that is shown.
    pub nickname: Option<String>,
}

impl Post {
    /// Where people see the post, if its id and its author's account are of the kind that an address
    /// is made of.
    pub fn link(&self) -> Option<String> {
        let account = &self.author.as_ref()?.account;
        let is_account = account.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
        let is_id = !self.id.is_empty() && self.id.bytes().all(|byte| byte.is_ascii_digit());
        (is_account && is_id && !account.is_empty())
            .then(|| format!("https://www.tiktok.com/@{account}/video/{}", self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(id: &str, account: &str) -> Post {
        let author = Some(Author { account: account.to_owned(), nickname: None });
        Post { id: id.to_owned(), author, ..Post::default() }
    }

    #[test]
    fn a_link_is_made_of_an_account_and_an_id_and_of_nothing_else() {
        let link = |id, account| post(id, account).link();
        assert_eq!(link("7301", "ana.b_1").as_deref(), Some("https://www.tiktok.com/@ana.b_1/video/7301"));
        for (id, account) in [("", "ana"), ("7301", ""), ("73/01", "ana"), ("7301", "a/../b"), ("1", "a b\"")]
        {
            assert_eq!(link(id, account), None, "{id:?} {account:?}");
        }
        assert_eq!(Post { author: None, ..post("7301", "ana") }.link(), None);
    }
}
