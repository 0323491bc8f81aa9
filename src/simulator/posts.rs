//! The posts under a hashtag, as the API would list them.
//!
//! The posts of an hour are those that the totals count. A listing goes back in time, is shuffled
//! locally, and is cut into pages that overlap, come short, and now and then hold nothing.

use super::course::remaining;
use super::dice::Dice;
use super::profile::Profile;
use super::regions::{self, REGIONS};
use super::world::{Moment, time_of};
use crate::model::Region;

/// Posts this many places apart can appear in either order.
const SHUFFLED: usize = 60;
/// Posts older than this many hours are not listed.
const OLDEST: i64 = 400 * 24;
/// Of the posts on a page for a region, one in about this many is from elsewhere.
const STRANGERS: f64 = 0.2;

/// One post, as it is at one moment.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// 19 digits, of which no two posts have the same.
    pub(super) id: u64,
    /// Seconds since the beginning of the world.
    pub(super) second: i64,
    /// Missing now and then, as anything can be in a real answer.
    pub(super) region: Option<&'static str>,
    pub(super) plays: u64,
    pub(super) likes: u64,
    pub(super) comments: u64,
    pub(super) shares: u64,
    /// Missing now and then.
    pub(super) saves: Option<u64>,
    pub(super) downloads: u64,
    /// For its author, title and other trimmings.
    pub(super) dice: Dice,
}

/// A page of a listing.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) uploads: Vec<Upload>,
    pub(super) next: usize,
    pub(super) more: bool,
}

/// The page that begins at place `cursor`.
pub(super) fn page(profile: &Profile, region: Region, now: Moment, cursor: usize, count: usize) -> Page {
    let end = cursor.saturating_add(count).min(profile.depth);
    // Whole blocks, so that every page sees the same shuffle; one more post tells whether more exist.
    let (uploads, all) = newest(profile, region, now, end.div_ceil(SHUFFLED) * SHUFFLED + 1);
    let listed = if all { uploads.len().min(profile.depth) } else { profile.depth };
    let mut uploads = uploads;
    uploads.truncate(end.div_ceil(SHUFFLED) * SHUFFLED);
    for block in uploads.chunks_mut(SHUFFLED) {
        block.sort_by_key(|upload| upload.dice.named("place").bits());
    }
    let full = uploads.into_iter().take(end.min(listed)).skip(cursor).collect::<Vec<_>>();
    cut(full, profile.dice.named("pages").named(region.as_str()), now, cursor, listed)
}

/// Makes a page as irregular as real ones are; the same for ten minutes.
fn cut(mut uploads: Vec<Upload>, dice: Dice, now: Moment, cursor: usize, listed: usize) -> Page {
    let dice = dice.about(cursor as u64).about(now.ten_minutes());
    let reached = cursor + uploads.len();
    // Empty, but not for good: the cursor before it leads on.
    if cursor > 0 && cursor.is_multiple_of(2) && reached < listed && dice.named("empty").happens(0.04) {
        return Page { uploads: Vec::new(), next: cursor - 1, more: true };
    }
    if uploads.len() > 8 && dice.named("short").happens(0.25) {
        uploads.truncate(
            (uploads.len() / 4 + dice.named("length").below(uploads.len() as u64 / 3) as usize).max(1),
        );
    }
    let end = cursor + uploads.len();
    let overlap = if uploads.len() > 8 { dice.named("overlap").below(4) as usize } else { 0 };
    Page { next: if end < listed { end - overlap } else { end }, more: end < listed, uploads }
}

/// At least `wanted` posts that a listing for `region` holds, newest first, and whether these are all.
pub(super) fn newest(profile: &Profile, region: Region, now: Moment, wanted: usize) -> (Vec<Upload>, bool) {
    let mut found = Vec::new();
    let latest = now.hour();
    for hour in (latest.saturating_sub(OLDEST).max(0)..=latest).rev() {
        let mut posts: Vec<(i64, Dice)> = (0..profile.posts_in(hour))
            .map(|number| profile.post(hour, number))
            .map(|post| (hour * 3_600 + Profile::second(post) as i64, post))
            .filter(|(second, _)| *second <= now.second())
            .collect();
        posts.sort_by_key(|(second, post)| (std::cmp::Reverse(*second), post.bits()));
        found.extend(posts.into_iter().filter_map(|(second, post)| {
            let home = profile.spread.draw(post.named("region"));
            is_listed(profile, region, home, post).then(|| upload(profile, now, hour, second, post, home))
        }));
        if found.len() >= wanted {
            return (found, false);
        }
    }
    (found, true)
}

/// Whether the listing for `region` holds a post from the region numbered `home`: all from there,
/// and some strangers.
fn is_listed(profile: &Profile, region: Region, home: usize, post: Dice) -> bool {
    if region == Region::Any {
        return true;
    }
    let Some(asked) = regions::number(region) else { return false };
    let share = profile.spread.share(asked);
    let strangers = STRANGERS / (1.0 - STRANGERS) * share / (1.0 - share);
    home == asked || post.named("travels").about(asked as u64).happens(strangers)
}

fn upload(profile: &Profile, now: Moment, hour: i64, second: i64, post: Dice, home: usize) -> Upload {
    let age = (now.second() - second) as f64 / 3_600.0;
    // Plays are very uneven: lognormal, with the mean that the totals are made of.
    let luck = (1.2 * post.named("luck").normal() - 0.72).exp();
    let cap = profile.plays_per_post * profile.rate.attention(hour) * luck;
    let plays = cap * (1.0 - remaining(age));
    let part = |name: &str, low: f64, high: f64| (plays * post.named(name).between(low, high)) as u64;
    Upload {
        // The upper half of a real post's id is its second as well.
        id: (time_of(second).as_secs() as u64) << 32 | post.named("id").below(1 << 32),
        second,
        region: (!post.named("no region").happens(0.005)).then_some(REGIONS[home].0),
        plays: plays as u64,
        likes: part("likes", 0.02, 0.14),
        comments: part("comments", 0.000_5, 0.006),
        shares: part("shares", 0.000_5, 0.01),
        saves: (!post.named("no saves").happens(0.01)).then(|| part("saves", 0.001, 0.03)),
        downloads: part("downloads", 0.000_1, 0.003),
        dice: post,
    }
}
