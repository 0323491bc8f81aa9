//! From the JSON objects to hashtags, posts and regions.

use serde_json::Value;
use units::Timestamp;

use super::wire::{Challenge, Listing, Video};
use crate::reading::{Scalar, json};
use crate::{
    ChallengeId, Cursor, Error, Flags, Hashtag, HashtagRecord, Page, Post, RawAnswer, Region, Totals,
};

/// The largest answer that is read as a list of regions. There are some 250 of them. The shape of the list is not
/// documented, so the whole answer is parsed, which can take eighty times its size in memory.
const REGIONS_MAX_BYTES: usize = 256 << 10;

/// Times from here on are not believed, in Unix seconds.
const YEAR_10000: i64 = 253_402_300_800;

/// A hashtag.
pub(crate) fn hashtag(challenge: &Challenge) -> Result<HashtagRecord, Error> {
    record(challenge).map_err(Error::malformed)
}

/// A hashtag, or what is wrong with it.
fn record(challenge: &Challenge) -> Result<HashtagRecord, &'static str> {
    let id = challenge
        .id
        .text()
        .and_then(|text| ChallengeId::parse(&text).ok())
        .ok_or("the hashtag's id is not a number")?;
    let name = challenge.cha_name.text().ok_or("the hashtag has no cha_name")?;
    let hashtag = Hashtag::parse(&name).map_err(|_| "the hashtag's cha_name is not a hashtag")?;
    let views = challenge.view_count.count();
    // Zero posts beside views is a gap in the upstream's data, not a count.
    let posts =
        challenge.user_count.count().filter(|posts| *posts > 0 || views.is_none_or(|views| views == 0));
    if posts.is_none() && views.is_none() {
        return Err("the hashtag has neither a user_count nor a view_count");
    }
    let flags = Flags {
        commerce: challenge.is_commerce.flag(),
        challenge: challenge.is_challenge.flag(),
        pgc_show: challenge.is_pgcshow.flag(),
        strong_music: challenge.is_strong_music.flag(),
    };
    let description = challenge.desc.text();
    Ok(HashtagRecord { id, hashtag, totals: Totals { posts, views }, flags, description })
}

/// A page of hashtags.
pub(crate) fn hashtags(listing: Listing<Challenge>) -> Result<Page<HashtagRecord>, Error> {
    page(listing, |challenge| record(challenge).ok())
}

/// A page of posts.
pub(crate) fn posts(listing: Listing<Video>) -> Result<Page<Post>, Error> {
    let page = page(listing, post)?;
    // A single post may lack anything. If all posts lack what velocity and engagement are computed from, the answer
    // is broken, and figures from it would be zeros that nobody counted.
    let lacks = |has: fn(&Post) -> bool| !page.items.is_empty() && !page.items.iter().any(has);
    if lacks(|post| post.created_at.is_some()) {
        return Err(Error::malformed("no post on the page has a create_time"));
    }
    if lacks(|post| post.plays.is_some()) {
        return Err(Error::malformed("no post on the page has a play_count"));
    }
    Ok(page)
}

fn page<W, T>(listing: Listing<W>, read: impl Fn(&W) -> Option<T>) -> Result<Page<T>, Error> {
    let found = listing.items.map(|items| items.0).unwrap_or_default();
    let items: Vec<T> = found.iter().filter_map(|object| object.0.as_ref().and_then(&read)).collect();
    if items.is_empty() && !found.is_empty() {
        return Err(Error::malformed(format!("none of the {} items can be read", found.len())));
    }
    let more = listing.has_more.flag().unwrap_or(true);
    let next = listing.cursor.text().filter(|_| more).map(Cursor::new);
    Ok(Page { unreadable: found.len() - items.len(), items, more, next })
}

/// A post. One without an id is left out: its copies on other pages could not be recognised.
fn post(video: &Video) -> Option<Post> {
    let id = [&video.video_id, &video.aweme_id, &video.id].into_iter().find_map(Scalar::text)?;
    let created_at = video
        .create_time
        .count()
        .and_then(|secs| i64::try_from(secs).ok())
        .filter(|secs| (1..YEAR_10000).contains(secs));
    Some(Post {
        id,
        author: video.author.0.as_ref().and_then(|author| Post::author(&author.unique_id.text()?)),
        title: video.title.text().and_then(|title| Post::title(&title)),
        created_at: created_at.map(Timestamp::from_secs),
        region: video.region.text().and_then(|code| Region::parse(&code).ok()),
        plays: video.play_count.count(),
        likes: video.digg_count.count(),
        comments: video.comment_count.count(),
        shares: video.share_count.count(),
        saves: video.collect_count.count(),
    })
}

/// The regions of a list whose shape is not documented: a map from code to name, an array of codes, or an array of
/// objects, at the top or one level down. Sorted; empty when the answer holds no such list.
pub(crate) fn region_codes(raw: &RawAnswer) -> Result<Vec<Region>, Error> {
    if raw.body.len() > REGIONS_MAX_BYTES {
        return Err(Error::malformed(format!("a list of regions of {} bytes", raw.body.len())));
    }
    let value: Value = json(raw)?;
    let mut codes = codes(&value);
    if codes.is_empty() {
        codes =
            value.as_object().into_iter().flat_map(|fields| fields.values()).flat_map(self::codes).collect();
    }
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

fn codes(value: &Value) -> Vec<Region> {
    let code = |text: &str| Region::parse(text).ok();
    match value {
        Value::Object(fields) => fields.keys().filter_map(|key| code(key)).collect(),
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => code(text),
                Value::Object(fields) => fields.values().filter_map(Value::as_str).find_map(code),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
