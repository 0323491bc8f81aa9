//! The simulated world: every figure is a pure function of seed, hashtag, region and time.
//!
//! It begins on 2022-01-01 (a Saturday), or at a chosen time. The posts of every hour are a Poisson draw of the
//! hashtag's rate in that hour; totals count them, listings list them. Views are the plays
//! of these posts: each gains its plays over days, most of them at first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use units::{HOUR, Timestamp};

use super::catalog::Kind;
use super::content::List;
use super::dice::Dice;
use super::posts::{self, Upload};
use super::profile::Profile;
use super::sums::SumCache;
use crate::{Hashtag, Region, Totals};

/// The end of the world: 78 years after the beginning. Later moments look the same.
const LAST_SECOND: i64 = 78 * 365 * 86_400;
/// Hashtags whose sums are remembered; the others are computed again.
const REMEMBERED_MAX: usize = 4_096;
/// A stale cache is this far behind.
const STALE_BY: Duration = Duration::from_secs(6 * 3_600);

/// A moment of the world, at or after its beginning, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn since(beginning: Timestamp, time: Timestamp) -> Self {
        Self(time.as_secs().saturating_sub(beginning.as_secs()).clamp(0, LAST_SECOND))
    }

    pub(super) fn second(self) -> i64 {
        self.0
    }

    pub(super) fn hour(self) -> i64 {
        self.0 / 3_600
    }

    /// Hours since the hour began, 0 to 1.
    fn into_hour(self) -> f64 {
        (self.0 % 3_600) as f64 / 3_600.0
    }

    /// The number of its ten-minute period.
    pub(super) fn ten_minutes(self) -> u64 {
        (self.0 / 600) as u64
    }
}

/// A world. Equal seeds make equal worlds.
#[derive(Debug)]
pub struct World {
    dice: Dice,
    beginning: Timestamp,
    known: Mutex<HashMap<Hashtag, Option<Arc<Known>>>>,
}

#[derive(Debug)]
struct Known {
    profile: Profile,
    sums: SumCache,
}

impl World {
    /// The default beginning: 2022-01-01T00:00:00Z.
    pub const BEGINNING: Timestamp = Timestamp::from_secs(1_640_995_200);

    /// The world of this seed.
    pub fn new(seed: u64) -> Self {
        Self::beginning_at(seed, Self::BEGINNING)
    }

    /// The same world with another beginning: everything in it is shifted by the same time.
    pub fn beginning_at(seed: u64, beginning: Timestamp) -> Self {
        Self { dice: Dice::new(seed), beginning, known: Mutex::default() }
    }

    /// How a hashtag behaves; `None` if it does not exist.
    pub fn kind(&self, hashtag: &Hashtag) -> Option<Kind> {
        Some(self.known(hashtag)?.profile.kind)
    }

    /// What the API counts at a moment; `None` if the hashtag does not exist or is currently unknown to the API.
    pub fn totals(&self, hashtag: &Hashtag, at: Timestamp) -> Option<Totals> {
        let known = self.known(hashtag)?;
        let profile = &known.profile;
        let now = self.moment(at);
        if is_away(profile, now) {
            return None;
        }
        let (posts, views) =
            known.counts(if is_stale(profile, now) { self.moment(at - STALE_BY) } else { now });
        let shown = |count: u64| if profile.kind == Kind::Huge { three_digits(count) } else { count };
        Some(Totals { posts: Some(shown(posts)), views: Some(shown(views)) })
    }

    /// When a bursting hashtag began to burst, within `from..to`: the ground truth for a detector.
    pub fn onsets(&self, hashtag: &Hashtag, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let onsets =
            self.known(hashtag).map(|known| known.profile.rate.onsets(self.hours(from), self.hours(to)));
        let time = |hour: f64| Timestamp::from_secs(self.beginning.as_secs() + (hour * 3_600.0) as i64);
        onsets.into_iter().flatten().map(time).collect()
    }

    /// The expected rate of posts at a moment divided by that of an ordinary day, without the effect of the time of
    /// day: 1 unless the hashtag grows, is busier at weekends, climbs or bursts. `None` if it does not exist.
    pub fn level(&self, hashtag: &Hashtag, at: Timestamp) -> Option<f64> {
        Some(self.known(hashtag)?.profile.rate.level(self.hours(at)))
    }

    /// A page of the listing under a hashtag; `None` if the hashtag does not exist or is away.
    pub(super) fn page(
        &self,
        hashtag: &Hashtag,
        region: Region,
        at: Timestamp,
        cursor: usize,
        count: usize,
    ) -> Option<List<Upload>> {
        let now = self.moment(at);
        let known = self.known(hashtag).filter(|known| !is_away(&known.profile, now))?;
        Some(posts::page(&known.profile, region, now, cursor, count))
    }

    /// The newest posts under a hashtag that a listing for `region` contains, newest first; none if
    /// the hashtag does not exist.
    pub(super) fn newest(
        &self,
        hashtag: &Hashtag,
        region: Region,
        at: Timestamp,
        wanted: usize,
    ) -> Vec<Upload> {
        let Some(known) = self.known(hashtag) else { return Vec::new() };
        posts::newest(&known.profile, region, self.moment(at), wanted)
    }

    /// Dice for other decisions about a hashtag, whether it exists or not.
    pub(super) fn dice(&self, hashtag: &Hashtag) -> Dice {
        self.dice.named(hashtag.as_str())
    }

    fn moment(&self, at: Timestamp) -> Moment {
        Moment::since(self.beginning, at)
    }

    /// Hours since the beginning.
    fn hours(&self, at: Timestamp) -> f64 {
        (at.as_secs() - self.beginning.as_secs()) as f64 / HOUR.as_secs_f64()
    }

    fn known(&self, hashtag: &Hashtag) -> Option<Arc<Known>> {
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(entry) = known.get(hashtag) {
            return entry.clone();
        }
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        let profile = Profile::new(hashtag.as_str(), self.dice, self.beginning);
        let entry = profile.map(|profile| Arc::new(Known { profile, sums: SumCache::default() }));
        known.insert(hashtag.clone(), entry.clone());
        entry
    }
}

impl Known {
    /// Posts and views, exactly.
    fn counts(&self, now: Moment) -> (u64, u64) {
        let profile = &self.profile;
        let hour = now.hour();
        let sums = self.sums.at(profile, hour);
        let begun = (0..profile.posts_in(hour))
            .filter(|number| {
                hour * 3_600 + Profile::second(profile.post(hour, *number)) as i64 <= now.second()
            })
            .count() as u64;
        let views = profile.views_before + profile.plays_per_post * sums.played(now.into_hour());
        (profile.posts_before + sums.posts + begun, views as u64)
    }
}

/// A vanishing hashtag is away for 3 to 9 hours, once in four days.
fn is_away(profile: &Profile, now: Moment) -> bool {
    const PERIOD: i64 = 96 * 3_600;
    let dice = profile.dice.named("away").about((now.second() / PERIOD) as u64);
    let from = dice.named("from").below(86 * 3_600) as i64;
    let away = from..from + 3_600 * (3 + dice.named("hours").below(7) as i64);
    profile.kind == Kind::Vanishing && away.contains(&(now.second() % PERIOD))
}

/// A dipping hashtag is answered from a stale cache in one of twenty ten-minute periods.
fn is_stale(profile: &Profile, now: Moment) -> bool {
    profile.kind == Kind::Dipping && profile.dice.named("stale").about(now.ten_minutes()).happens(0.05)
}

/// Rounded down to three significant digits, as the platform shows large counts.
fn three_digits(count: u64) -> u64 {
    let step = 10_u64.pow(count.checked_ilog10().unwrap_or(0).saturating_sub(2));
    count / step * step
}
