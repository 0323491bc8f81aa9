//! What each endpoint answers, once a request is let in.

use crate::{ChallengeId, Hashtag, Region};
use serde_json::Value;
use units::Timestamp;

use super::catalog::Kind;
use super::dice::Dice;
use super::ids::Ids;
use super::posts::{Page, Upload};
use super::wire;
use super::world::World;

/// Posts on a page, and hashtags on a page of a search: who asks for more gets these.
const POSTS_MAX: usize = 35;
const HASHTAGS_MAX: usize = 30;
/// Hashtags that a search finds beside the one that is the keyword.
const ENDINGS: [&str; 40] = [
    "tok",
    "tips",
    "2025",
    "community",
    "challenge",
    "girls",
    "check",
    "inspo",
    "hacks",
    "life",
    "lover",
    "daily",
    "vibes",
    "forbeginners",
    "aesthetic",
    "club",
    "era",
    "season",
    "recs",
    "haul",
    "reels",
    "world",
    "art",
    "asmr",
    "day",
    "diy",
    "family",
    "fun",
    "goals",
    "ideas",
    "journey",
    "mom",
    "news",
    "pro",
    "review",
    "routine",
    "story",
    "style",
    "team",
    "trend",
];
/// Posts that a search for posts looks through.
const SEARCHED: usize = 400;

/// Why an endpoint has no good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Nothing of this kind exists.
    NotFound(&'static str),
    /// A parameter is missing or wrong.
    BadRequest(&'static str),
    /// The path leads nowhere.
    NoSuchEndpoint,
}

use Unanswered::{BadRequest, NoSuchEndpoint, NotFound};

/// The parameters of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The text of a parameter; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The same question about another hashtag, for an API that mixes up its answers.
    pub(super) fn about_another_hashtag(&self) -> Self {
        let other = |(key, value): &(String, String)| match key.as_str() {
            "name" => (key.clone(), if value == "viral" { "fyp" } else { "viral" }.to_owned()),
            // The number of a short name of letters.
            "id" => (key.clone(), if value == "12" { "13" } else { "12" }.to_owned()),
            _ => (key.clone(), value.clone()),
        };
        Self(self.0.iter().map(other).collect())
    }

    /// A number; `default` if it is missing or none, and never more than `max`.
    fn number(&self, name: &str, default: usize, max: usize) -> usize {
        self.text(name).parse().unwrap_or(default).min(max)
    }

    fn region(&self) -> Result<Region, Unanswered> {
        match self.text("region") {
            "" => Ok(Region::Any),
            code => Region::parse(code).map_err(|_| BadRequest("region is not a country code")),
        }
    }
}

/// The answer of an endpoint at a moment.
pub(super) fn answer(
    world: &World,
    ids: &Ids,
    endpoint: &str,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Value, Unanswered> {
    let asked = Asked { world, ids, parameters, now };
    match endpoint {
        "challenge-info-name" => asked.by_name(),
        "challenge-info-id" => asked.by_id(),
        "challenge-posts" => asked.posts(),
        "search-challenge" => asked.search_hashtags(),
        "search-video" => asked.search_videos(),
        "region-list" => Ok(wire::regions()),
        _ => Err(NoSuchEndpoint),
    }
}

struct Asked<'a> {
    world: &'a World,
    ids: &'a Ids,
    parameters: &'a Parameters,
    now: Timestamp,
}

impl Asked<'_> {
    fn by_name(&self) -> Result<Value, Unanswered> {
        let name = self.parameters.text("name");
        if name.is_empty() {
            return Err(BadRequest("name is required"));
        }
        let hashtag = Hashtag::parse(name).map_err(|_| NotFound("challenge"))?;
        if self.world.kind(&hashtag) == Some(Kind::IdOnly) {
            return Err(NotFound("challenge"));
        }
        self.record(&hashtag).ok_or(NotFound("challenge"))
    }

    fn by_id(&self) -> Result<Value, Unanswered> {
        let hashtag = self.of_id("id", NotFound("challenge"))?;
        self.record(&hashtag).ok_or(NotFound("challenge"))
    }

    fn posts(&self) -> Result<Value, Unanswered> {
        let hashtag = self.of_id("challenge_id", NotFound("posts"))?;
        let count = self.parameters.number("count", 20, POSTS_MAX).max(1);
        let cursor = self.parameters.number("cursor", 0, usize::MAX);
        let page = self.world.page(&hashtag, self.parameters.region()?, self.now, cursor, count);
        let page = page.filter(|page| !page.uploads.is_empty() || page.more || cursor > 0);
        page.map(|page| wire::videos(&hashtag, &page)).ok_or(NotFound("posts"))
    }

    fn search_hashtags(&self) -> Result<Value, Unanswered> {
        let keyword = self.keyword()?;
        let dice = self.world.dice(&keyword);
        let mut names: Vec<String> = ENDINGS.iter().map(|ending| format!("{keyword}{ending}")).collect();
        names.sort_by_key(|name| dice.named(name).bits());
        // The hashtag itself is among the first, but not reliably the very first.
        let place = if self.world.kind(&keyword) == Some(Kind::IdOnly) { 1 } else { 0 };
        names.insert(place + dice.named("place").below(3) as usize, keyword.to_string());
        let found: Vec<Value> = names
            .iter()
            .filter_map(|name| Hashtag::parse(name).ok())
            .filter_map(|hashtag| self.record(&hashtag))
            .collect();
        let count = self.parameters.number("count", 10, HASHTAGS_MAX).max(1);
        let cursor = self.parameters.number("cursor", 0, usize::MAX);
        if found.is_empty() {
            return Err(NotFound("challenges"));
        }
        let end = cursor.saturating_add(count).min(found.len());
        let more = end < found.len();
        Ok(wire::challenges(found.into_iter().take(end).skip(cursor).collect(), end, more))
    }

    fn search_videos(&self) -> Result<Value, Unanswered> {
        let keyword = self.keyword()?;
        let region = self.parameters.region()?;
        let mut found = self.world.newest(&keyword, region, self.now, SEARCHED);
        let days = self.parameters.number("publish_time", 0, 10_000) as i64;
        if days > 0 {
            let oldest = self.now.as_secs() - days * 86_400;
            found.retain(|upload| upload.posted_at.as_secs() >= oldest);
        }
        match self.parameters.text("sort_by") {
            "1" => found.sort_by_key(|upload| std::cmp::Reverse(upload.likes)),
            "2" => {}
            _ => found.sort_by_key(relevance),
        }
        let count = self.parameters.number("count", 10, POSTS_MAX).max(1);
        let cursor = self.parameters.number("cursor", 0, usize::MAX);
        if found.is_empty() {
            return Err(NotFound("videos"));
        }
        let end = cursor.saturating_add(count).min(found.len());
        let more = end < found.len();
        let uploads = found.into_iter().take(end).skip(cursor).collect();
        Ok(wire::videos(&keyword, &Page { uploads, next: end, more }))
    }

    fn record(&self, hashtag: &Hashtag) -> Option<Value> {
        let totals = self.world.totals(hashtag, self.now)?;
        Some(wire::challenge(hashtag, &self.ids.id(hashtag), totals, self.world.dice(hashtag)))
    }

    fn of_id(&self, parameter: &str, unknown: Unanswered) -> Result<Hashtag, Unanswered> {
        match self.parameters.text(parameter) {
            "" => Err(BadRequest("id is required")),
            text => ChallengeId::parse(text).ok().and_then(|id| self.ids.hashtag(&id)).ok_or(unknown),
        }
    }

    /// The keyword as a hashtag: `deep clean` finds what `deepclean` finds.
    fn keyword(&self) -> Result<Hashtag, Unanswered> {
        let word: String = self.parameters.text("keyword").split_whitespace().collect();
        if word.is_empty() {
            return Err(BadRequest("keyword is required"));
        }
        Hashtag::parse(&word).map_err(|_| NotFound("anything"))
    }
}

/// Order of best matches: much played, with some arbitrariness.
fn relevance(upload: &Upload) -> u64 {
    let dice: Dice = upload.dice.named("relevance");
    u64::MAX - (upload.plays as f64 * dice.between(0.5, 1.5)) as u64
}
