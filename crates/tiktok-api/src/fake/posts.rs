//! The posts under a hashtag, as the API would list them.
//!
//! The posts of an hour are those that the totals count. A listing goes back in time, is shuffled
//! locally, and is split into pages that overlap, can be short, and are sometimes empty.

use units::Timestamp;

use super::content::List;
use super::dice::Dice;
use super::profile::Profile;
use super::regions::{self, REGIONS};
use super::sums::remaining;
use super::world::Moment;
use crate::Region;

/// Posts this many places apart can appear in either order.
const SHUFFLED: usize = 60;
/// Posts older than this many hours are not listed.
const OLDEST: i64 = 400 * 24;
/// The share of posts from other regions on a page for a region.
const STRANGERS: f64 = 0.2;

/// One post, as it is at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// 19 digits, unique.
    pub(crate) id: u64,
    pub(crate) posted_at: Timestamp,
    /// Sometimes missing, as in real answers.
    pub(crate) region: Option<&'static str>,
    pub(crate) plays: u64,
    pub(crate) likes: u64,
    pub(crate) comments: u64,
    pub(crate) shares: u64,
    /// Sometimes missing.
    pub(crate) saves: Option<u64>,
    pub(crate) downloads: u64,
    /// For its author, title and other details.
    pub(super) dice: Dice,
}

/// The time and region of a post, which decide where it is listed. The rest is computed only for posts that are
/// shown.
#[derive(Debug, Clone, Copy)]
struct Birth {
    hour: i64,
    second: i64,
    /// The number of its region.
    home: usize,
    dice: Dice,
}

/// The page that begins at place `cursor`.
pub(super) fn page(
    profile: &Profile,
    region: Region,
    now: Moment,
    cursor: usize,
    count: usize,
) -> List<Upload> {
    let end = cursor.saturating_add(count).min(profile.depth);
    // Whole blocks, so that every page has the same shuffle; one more post shows whether more exist.
    let (mut births, all) = births(profile, region, now, end.div_ceil(SHUFFLED) * SHUFFLED + 1);
    let listed = if all { births.len().min(profile.depth) } else { profile.depth };
    births.truncate(end.div_ceil(SHUFFLED) * SHUFFLED);
    // Earlier blocks have their places on earlier pages.
    for block in births.chunks_mut(SHUFFLED).skip(cursor / SHUFFLED) {
        block.sort_by_cached_key(|birth| birth.dice.named("place").bits());
    }
    let full: Vec<Birth> = births.into_iter().take(end.min(listed)).skip(cursor).collect();
    let dice = profile.dice.named("pages").named(region.as_str());
    let (shown, next) = cut(full.len(), dice, now, cursor, listed);
    let items = full[..shown].iter().map(|birth| upload(profile, now, birth)).collect();
    List { items, next, more: cursor + shown < listed }
}

/// Makes a page as irregular as real ones; it stays the same for ten minutes. Of the `posts` that it could have,
/// returns how many it has, and the cursor of the next page.
fn cut(posts: usize, dice: Dice, now: Moment, cursor: usize, listed: usize) -> (usize, usize) {
    let dice = dice.about(cursor as u64).about(now.ten_minutes());
    // Empty, but not the end: the cursor before it continues.
    if cursor > 0 && cursor.is_multiple_of(2) && cursor + posts < listed && dice.named("empty").happens(0.04)
    {
        return (0, cursor - 1);
    }
    let mut shown = posts;
    if shown > 8 && dice.named("short").happens(0.25) {
        shown = (shown / 4 + dice.named("length").below(shown as u64 / 3) as usize).max(1);
    }
    let end = cursor + shown;
    let overlap = if shown > 8 { dice.named("overlap").below(4) as usize } else { 0 };
    (shown, if end < listed { end - overlap } else { end })
}

/// The newest posts that a listing for `region` contains, newest first, at most `wanted`.
pub(super) fn newest(profile: &Profile, region: Region, now: Moment, wanted: usize) -> Vec<Upload> {
    let (births, _) = births(profile, region, now, wanted);
    births.iter().take(wanted).map(|birth| upload(profile, now, birth)).collect()
}

/// At least `wanted` posts that a listing for `region` contains, newest first, and whether there are no more.
fn births(profile: &Profile, region: Region, now: Moment, wanted: usize) -> (Vec<Birth>, bool) {
    let mut found = Vec::new();
    let mut posts = Vec::new();
    let is_listed = lists(profile, region);
    let latest = now.hour();
    for hour in (latest.saturating_sub(OLDEST).max(0)..=latest).rev() {
        posts.clear();
        posts.extend(
            (0..profile.posts_in(hour))
                .map(|number| profile.post(hour, number))
                .map(|post| (hour * 3_600 + Profile::second(post) as i64, post))
                .filter(|(second, _)| *second <= now.second()),
        );
        posts.sort_by_key(|(second, post)| (std::cmp::Reverse(*second), post.bits()));
        found.extend(posts.iter().filter_map(|(second, post)| {
            let home = profile.spread.draw(post.named("region"));
            is_listed(home, *post).then_some(Birth { hour, second: *second, home, dice: *post })
        }));
        if found.len() >= wanted {
            return (found, false);
        }
    }
    (found, true)
}

/// Whether the listing for `region` contains a post, by the number of the post's region: all posts from there, and
/// some from elsewhere.
fn lists(profile: &Profile, region: Region) -> impl Fn(usize, Dice) -> bool {
    let asked = regions::number(region);
    let share = asked.map_or(0.0, |asked| profile.spread.share(asked));
    let strangers = STRANGERS / (1.0 - STRANGERS) * share / (1.0 - share);
    move |home, post| {
        let is_here = |asked| home == asked || post.named("travels").about(asked as u64).happens(strangers);
        region == Region::Any || asked.is_some_and(is_here)
    }
}

fn upload(profile: &Profile, now: Moment, birth: &Birth) -> Upload {
    let Birth { hour, second, home, dice: post } = *birth;
    let age = (now.second() - second) as f64 / 3_600.0;
    // Plays are very uneven: lognormal, with the mean that the totals are computed from.
    let luck = (1.2 * post.named("luck").normal() - 0.72).exp();
    let cap = profile.plays_per_post * profile.rate.attention(hour) * luck;
    let plays = cap * (1.0 - remaining(age));
    let part = |name: &str, low: f64, high: f64| (plays * post.named(name).between(low, high)) as u64;
    let posted_at = profile.time_of(second);
    Upload {
        // The upper half of a real post's id is its second as well.
        id: (posted_at.as_secs() as u64) << 32 | post.named("id").below(1 << 32),
        posted_at,
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
