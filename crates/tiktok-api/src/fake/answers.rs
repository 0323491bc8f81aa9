//! The answer of each operation to an admitted request.

use units::Timestamp;

use super::call::{Call, Missing, PageCall, Parameter, Rejection};
use super::catalog::Kind;
use super::content::{self, Content, FakeHashtag, FakePost, List};
use super::ids::Ids;
use super::posts::Upload;
use super::world::World;
use crate::{ChallengeId, Hashtag, Order, Region};

/// A search finds the keyword with these endings, besides the keyword itself.
const ENDINGS: &str = "tok tips 2025 community challenge girls check inspo hacks life lover daily vibes forbeginners \
                       aesthetic club era season recs haul reels world art asmr day diy family fun goals ideas \
                       journey mom news pro review routine story style team trend";
/// How many posts a search for posts examines.
const SEARCHED: usize = 400;

/// The answer to a request at a moment.
pub(super) fn answer(world: &World, ids: &Ids, call: &Call, now: Timestamp) -> Result<Content, Rejection> {
    let answers = Answers { world, ids, now };
    match call {
        Call::HashtagByName { name } => answers.by_name(name),
        Call::HashtagById { id } => answers.by_id(id),
        Call::Posts { id, region, page } => answers.posts(id, region, page),
        Call::SearchHashtags { keyword, page } => answers.search_hashtags(keyword, page),
        Call::SearchPosts { keyword, region, days, order, page } => {
            answers.search_posts(keyword, region, *days, *order, page)
        }
        Call::Regions => Ok(content::regions()),
    }
}

struct Answers<'a> {
    world: &'a World,
    ids: &'a Ids,
    now: Timestamp,
}

impl Answers<'_> {
    fn by_name(&self, name: &str) -> Result<Content, Rejection> {
        let missing = Rejection::NotFound(Missing::Hashtag);
        if name.is_empty() {
            return Err(Rejection::BadParameter(Parameter::Name));
        }
        let hashtag = Hashtag::parse(name).map_err(|_| missing)?;
        if self.world.kind(&hashtag) == Some(Kind::IdOnly) {
            return Err(missing);
        }
        self.record(&hashtag).map(Content::Hashtag).ok_or(missing)
    }

    fn by_id(&self, id: &str) -> Result<Content, Rejection> {
        let missing = Rejection::NotFound(Missing::Hashtag);
        let hashtag = self.hashtag(id, missing)?;
        self.record(&hashtag).map(Content::Hashtag).ok_or(missing)
    }

    fn posts(&self, id: &str, region: &str, page: &PageCall) -> Result<Content, Rejection> {
        let missing = Rejection::NotFound(Missing::Posts);
        let hashtag = self.hashtag(id, missing)?;
        let cursor = page.start();
        let page = self.world.page(&hashtag, read_region(region)?, self.now, cursor, page.count);
        let page = page.filter(|page| !page.items.is_empty() || page.more || cursor > 0);
        page.map(|page| Content::Posts(FakePost::list(&hashtag, page))).ok_or(missing)
    }

    fn search_hashtags(&self, keyword: &str, page: &PageCall) -> Result<Content, Rejection> {
        let keyword = read_keyword(keyword)?;
        let dice = self.world.dice(&keyword);
        let mut names: Vec<String> = ENDINGS.split(' ').map(|ending| format!("{keyword}{ending}")).collect();
        names.sort_by_key(|name| dice.named(name).bits());
        // The hashtag itself is among the first, but not reliably the very first.
        let place = if self.world.kind(&keyword) == Some(Kind::IdOnly) { 1 } else { 0 };
        names.insert(place + dice.named("place").below(3) as usize, keyword.to_string());
        let found: Vec<FakeHashtag> = names
            .iter()
            .filter_map(|name| Hashtag::parse(name).ok())
            .filter_map(|hashtag| self.record(&hashtag))
            .collect();
        if found.is_empty() {
            return Err(Rejection::NotFound(Missing::SearchedHashtags));
        }
        Ok(Content::Hashtags(slice(found, page)))
    }

    fn search_posts(
        &self,
        keyword: &str,
        region: &str,
        days: usize,
        order: Order,
        page: &PageCall,
    ) -> Result<Content, Rejection> {
        let keyword = read_keyword(keyword)?;
        let region = read_region(region)?;
        let mut found = self.world.newest(&keyword, region, self.now, SEARCHED);
        if days > 0 {
            let oldest = self.now.as_secs() - days as i64 * 86_400;
            found.retain(|upload| upload.posted_at.as_secs() >= oldest);
        }
        match order {
            Order::Likes => found.sort_by_key(|upload| std::cmp::Reverse(upload.likes)),
            Order::Date => {}
            Order::Relevance => found.sort_by_key(relevance),
        }
        if found.is_empty() {
            return Err(Rejection::NotFound(Missing::SearchedPosts));
        }
        Ok(Content::Posts(FakePost::list(&keyword, slice(found, page))))
    }

    fn record(&self, hashtag: &Hashtag) -> Option<FakeHashtag> {
        let totals = self.world.totals(hashtag, self.now)?;
        Some(FakeHashtag::new(hashtag, self.ids.id(hashtag), totals, self.world.dice(hashtag)))
    }

    /// The hashtag with this id.
    fn hashtag(&self, id: &str, missing: Rejection) -> Result<Hashtag, Rejection> {
        match id {
            "" => Err(Rejection::BadParameter(Parameter::Id)),
            text => ChallengeId::parse(text).ok().and_then(|id| self.ids.hashtag(&id)).ok_or(missing),
        }
    }
}

/// The keyword as a hashtag: `deep clean` finds what `deepclean` finds.
fn read_keyword(text: &str) -> Result<Hashtag, Rejection> {
    let word: String = text.split_whitespace().collect();
    if word.is_empty() {
        return Err(Rejection::BadParameter(Parameter::Keyword));
    }
    Hashtag::parse(&word).map_err(|_| Rejection::NotFound(Missing::Keyword))
}

fn read_region(text: &str) -> Result<Region, Rejection> {
    match text {
        "" => Ok(Region::Any),
        code => Region::parse(code).map_err(|_| Rejection::BadParameter(Parameter::Region)),
    }
}

/// A page of what was found.
fn slice<T>(found: Vec<T>, page: &PageCall) -> List<T> {
    let start = page.start();
    let next = start.saturating_add(page.count).min(found.len());
    let more = next < found.len();
    List { items: found.into_iter().take(next).skip(start).collect(), next, more }
}

/// Sorts the best matches first: many plays, with some randomness.
fn relevance(upload: &Upload) -> u64 {
    let dice = upload.dice.named("relevance");
    u64::MAX - (upload.plays as f64 * dice.between(0.5, 1.5)) as u64
}
