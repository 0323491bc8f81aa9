//! What a report is about, from the parameters of a URL.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use units::{DAY, HOUR, duration};

use crate::state::Snapshot;

/// The shortest and the longest look back.
const SINCE: (Duration, Duration) = (HOUR, Duration::from_secs(90 * DAY.as_secs()));

/// Which of the two reports is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first few hashtags by velocity, each once, whatever they do.
    Brief,
    /// Everything that shows a signal, by hashtag and region.
    Trends,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which report.
    pub kind: Kind,
    /// Only this watch group.
    pub group: Option<String>,
    /// Only this region.
    pub region: Option<Region>,
    /// Only this hashtag.
    pub hashtag: Option<Hashtag>,
    /// The maximum number of trends.
    pub limit: usize,
    /// Rank by the highest velocity of this time instead of the current one.
    pub since: Option<Duration>,
}

/// What is wrong with a question: the parameter, and why, on one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {why}")]
pub struct BadQuestion {
    parameter: String,
    why: String,
}

fn bad(parameter: &str, why: impl Into<String>) -> BadQuestion {
    BadQuestion { parameter: parameter.to_owned(), why: why.into() }
}

impl Kind {
    /// The parameters it knows.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Kind::Brief => &["group", "region", "hashtag", "limit", "since"],
            Kind::Trends => &["group", "region", "hashtag", "limit"],
        }
    }

    /// The default and the maximum number of trends.
    pub const fn limits(self) -> (usize, usize) {
        match self {
            Kind::Brief => (5, 50),
            Kind::Trends => (100, 1_000),
        }
    }
}

impl Question {
    /// The question without any parameter.
    pub fn new(kind: Kind) -> Self {
        Self { kind, group: None, region: None, hashtag: None, limit: kind.limits().0, since: None }
    }

    /// Reads the query part of a URL. A parameter without a value is as good as none.
    ///
    /// # Errors
    ///
    /// When a parameter is unknown, given twice, or has a value that it cannot have.
    pub fn parse(kind: Kind, query: &str) -> Result<Self, BadQuestion> {
        let mut question = Self::new(kind);
        let mut seen = BTreeSet::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !kind.parameters().contains(&name.as_ref()) {
                let known = kind.parameters().join(", ");
                return Err(bad(&quote(&name), format!("is not a parameter (known: {known})")));
            }
            if !seen.insert(name.to_string()) {
                return Err(bad(&name, "is given twice"));
            }
            let value = value.trim();
            if !value.is_empty() {
                question.set(&name, value)?;
            }
        }
        Ok(question)
    }

    /// Sets one parameter, which must be known, from its text.
    ///
    /// # Errors
    ///
    /// When it cannot have this value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), BadQuestion> {
        let wrong = |why: &dyn Display| bad(name, format!("{} {why}", quote(value)));
        match name {
            "group" => self.group = Some(value.to_owned()),
            "region" => self.region = Some(Region::parse_label(value).map_err(|why| wrong(&why))?),
            "hashtag" => self.hashtag = Some(Hashtag::parse(value).map_err(|why| wrong(&why))?),
            "limit" => {
                let most = self.kind.limits().1;
                let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
                self.limit =
                    limit.ok_or_else(|| wrong(&format!("is not a whole number from 1 to {most}")))?;
            }
            _ => {
                let since = duration::parse(value).map_err(|why| wrong(&why))?;
                if !(SINCE.0..=SINCE.1).contains(&since) {
                    let [from, to] = [SINCE.0, SINCE.1].map(duration::show);
                    return Err(wrong(&format!("is out of range ({from} to {to})")));
                }
                self.since = Some(since);
            }
        }
        Ok(())
    }

    /// Whether what is asked for is watched.
    ///
    /// # Errors
    ///
    /// When the group, the region or the hashtag is not.
    pub fn check(&self, snapshot: &Snapshot) -> Result<(), BadQuestion> {
        let hashtags = || snapshot.hashtags.iter();
        if let Some(group) = &self.group {
            let watched = || hashtags().map(|hashtag| hashtag.group.as_ref());
            is_watched("group", group, watched)?;
        }
        if let Some(region) = &self.region {
            let watched =
                || hashtags().flat_map(|hashtag| &hashtag.regions).map(|state| state.region.as_str());
            is_watched("region", region.as_str(), watched)?;
        }
        if let Some(hashtag) = &self.hashtag {
            is_watched("hashtag", hashtag.as_str(), || hashtags().map(|state| state.hashtag.as_str()))?;
        }
        Ok(())
    }

    /// The query part of the URL for this question.
    pub fn to_query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let texts = [
            ("group", self.group.clone()),
            ("region", self.region.map(|region| region.to_string())),
            ("hashtag", self.hashtag.as_ref().map(ToString::to_string)),
            ("limit", (self.limit != self.kind.limits().0).then(|| self.limit.to_string())),
            ("since", self.since.map(duration::show)),
        ];
        for (name, value) in texts {
            value.iter().for_each(|value| _ = query.append_pair(name, value));
        }
        query.finish()
    }
}

/// Names that are listed when another one was asked for.
const LISTED: usize = 12;

fn is_watched<'a, I: Iterator<Item = &'a str>>(
    parameter: &str,
    asked: &str,
    watched: impl Fn() -> I,
) -> Result<(), BadQuestion> {
    if watched().any(|name| name == asked) {
        return Ok(());
    }
    let names: BTreeSet<&str> = watched().collect();
    let mut listed: Vec<String> = names.iter().take(LISTED).map(|name| quote(name)).collect();
    if names.len() > LISTED {
        listed.push("…".to_owned());
    }
    let listed = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
    Err(bad(parameter, format!("{} is not watched (watched: {listed})", quote(asked))))
}

/// A foreign text in a message: on one line and short. Plain names stay as they are.
fn quote(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-. ".contains(c));
    if is_plain && start == text { start } else { format!("{start:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_survive_their_spelling() {
        for query in [
            "",
            "group=books&region=US&hashtag=%E6%97%A5%E6%9C%AC&limit=3&since=7d",
            "group=a+%26+b%3C",
            "region=any",
        ] {
            let question = Question::parse(Kind::Brief, query).unwrap();
            assert_eq!(question.to_query(), query);
            assert_eq!(Question::parse(Kind::Brief, &question.to_query()), Ok(question));
        }
        let spelled = Question::parse(Kind::Brief, "region=us&hashtag=%23BookTok&group=&since=168h").unwrap();
        assert_eq!(spelled.to_query(), "region=US&hashtag=booktok&since=7d");
    }

    #[test]
    fn what_cannot_be_asked_says_why_on_one_line() {
        for (kind, query, want) in [
            (Kind::Trends, "limit=0", "limit: 0 is not a whole number from 1 to 1000"),
            (Kind::Trends, "limit=1e3", "limit: 1e3 is not a whole number from 1 to 1000"),
            (Kind::Brief, "limit=51", "limit: 51 is not a whole number from 1 to 50"),
            (Kind::Trends, "since=7d", "since: is not a parameter (known: group, region, hashtag, limit)"),
            (
                Kind::Brief,
                "%3Cscript%3E%0A=1",
                "\"<script>\\n\": is not a parameter (known: group, region, hashtag, limit, since)",
            ),
            (Kind::Brief, "group=a&group=b", "group: is given twice"),
            (
                Kind::Brief,
                "region=UK",
                "region: UK is not an ISO 3166-1 alpha-2 country code (the United Kingdom is GB)",
            ),
            (Kind::Brief, "since=59m", "since: 59m is out of range (1h to 90d)"),
        ] {
            let why = Question::parse(kind, query).unwrap_err().to_string();
            assert_eq!(why, want, "{query}");
            assert!(!why.contains('\n'));
        }
        assert!(
            Question::parse(Kind::Brief, "since=soon").unwrap_err().to_string().starts_with("since: soon ")
        );
        assert!(
            Question::parse(Kind::Brief, "hashtag=a+b").unwrap_err().to_string().starts_with("hashtag: a b ")
        );
    }
}
