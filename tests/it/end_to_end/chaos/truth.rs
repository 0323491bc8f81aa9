//! What the simulated world had when a page says it had it. The world is asked itself, and what follows
//! from its answers is worked out a second time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tiktok_api::Hashtag;
use tiktok_api::fake::{Body, Request, Settings, Simulator};
use units::{Clock, SystemClock, Timestamp};

use super::{HASHTAGS, REGIONS};
use crate::support::process::{Metrics, beginning};

/// From the answer of a request to its stamp, at the most.
const UNDER_WAY: i64 = 20;
const DAY: f64 = 86_400.0;
/// A post that is dated further ahead has no date.
const SKEW: f64 = 3_600.0;

/// A second look at the world.
pub struct Truth {
    simulator: Simulator,
    began: i64,
    /// By how many seconds the exporter's clock was ahead, and until when it was.
    clocks: Vec<(i64, i64)>,
    /// What was compared last, by hashtag or pair.
    seen: BTreeMap<String, Vec<Option<f64>>>,
    /// Pages, counts and samples that were compared.
    pub pages: u64,
    pub counts: u64,
    pub samples: u64,
}

impl Truth {
    pub fn of(seed: u64) -> Self {
        let settings =
            Settings { seed, beginning: beginning(), rate_limit_per_minute: u32::MAX, ..Settings::default() };
        Self {
            simulator: Simulator::new(settings),
            began: now(),
            clocks: vec![(0, i64::MAX)],
            seen: BTreeMap::new(),
            pages: 0,
            counts: 0,
            samples: 0,
        }
    }

    /// From now on the exporter's clock is ahead by so many seconds.
    pub fn clock_is(&mut self, ahead: i64) {
        if let Some((_, until)) = self.clocks.last_mut() {
            *until = now();
        }
        self.clocks.push((ahead, i64::MAX));
    }

    /// Fails unless everything that is new on the page was so in the world.
    pub fn has(&mut self, metrics: &Metrics) {
        self.pages += 1;
        for name in HASHTAGS {
            let label = format!("{{hashtag=\"{name}\"}}");
            let shown = ["last_success_timestamp_seconds", "posts", "views"]
                .map(|what| metrics.get(&format!("tiktok_hashtag_{what}{label}")));
            if let [Some(stamp), Some(posts), Some(views)] = shown
                && self.is_new(&label, &shown)
            {
                self.had_totals(name, stamp, posts, views);
                self.counts += 1;
            }
            for region in REGIONS {
                let sample = Sample::shown(metrics, name, region);
                let pair = format!("{name} {region}");
                if let Some(stamp) = sample.stamp
                    && sample.posts[2].is_some()
                    && self.is_new(&pair, &sample.all())
                {
                    self.had_sample(name, region, stamp, &sample);
                    self.samples += 1;
                }
            }
        }
    }

    fn is_new(&mut self, what: &str, shown: &[Option<f64>]) -> bool {
        let known = self.seen.insert(what.to_owned(), shown.to_vec());
        known.as_deref() != Some(shown)
    }

    /// The seconds of the world in which an answer can have been given that is stamped so, the likeliest
    /// first. The stamp is of one of the clocks there were, and no clock stamps after its time.
    fn moments(&self, stamp: f64) -> Vec<i64> {
        let clocks: BTreeSet<(i64, i64)> =
            self.clocks.iter().map(|(ahead, until)| (*until, *ahead)).collect();
        let mut moments = Vec::new();
        for (until, ahead) in clocks.into_iter().rev() {
            let stamped = stamp.floor() as i64 - ahead;
            if stamped >= self.began - UNDER_WAY && stamped <= until.saturating_add(2) {
                moments.extend((stamped - UNDER_WAY..=stamped + 1).rev());
            }
        }
        moments
    }

    fn had_totals(&self, name: &str, stamp: f64, posts: f64, views: f64) {
        let hashtag = Hashtag::parse(name).unwrap();
        let had = |moment: &i64| {
            let totals = self.simulator.world().totals(&hashtag, Timestamp::from_secs(*moment));
            totals.is_some_and(|totals| {
                (totals.posts, totals.views) == (Some(posts as u64), Some(views as u64))
            })
        };
        assert!(
            self.moments(stamp).iter().any(had),
            "#{name} is shown with {posts} posts and {views} views, stamped {stamp}; the world had none such then"
        );
    }

    fn had_sample(&self, name: &str, region: &str, stamp: f64, shown: &Sample) {
        let mut nearest = None;
        for moment in self.moments(stamp) {
            let Some(page) = self.page(name, region, moment) else { continue };
            let expected = page.sample(region, moment, stamp, shown, &self.clocks);
            match expected {
                Some(expected) if expected.is(shown) => return,
                expected => nearest = nearest.or(expected),
            }
        }
        panic!(
            "#{name} in {region}: no page that the world had when it was stamped says so:\n{shown:?}\nbut:\n{nearest:?}"
        );
    }

    /// The page that the world lists at a moment.
    fn page(&self, name: &str, region: &str, moment: i64) -> Option<Page> {
        let id = self.simulator.id(&Hashtag::parse(name).unwrap());
        let query = format!("challenge_id={id}&count=35&cursor=0&region={region}");
        let request = Request { path: "/challenge-posts/", query: &query, key: Some("truth") };
        let Body::Whole(text) = self.simulator.answer(request, Timestamp::from_secs(moment)).body else {
            return None;
        };
        let tree: Value = serde_json::from_str(&text).unwrap();
        let videos = tree.get("videos")?.as_array()?.clone();
        Some(Page { videos, more: tree["hasMore"].as_bool()? })
    }
}

struct Page {
    videos: Vec<Value>,
    more: bool,
}

impl Page {
    /// What the posts of the page make if it is read when the age of the oldest is the one that is shown.
    /// `None` if the page cannot have been read then.
    fn sample(
        &self,
        region: &str,
        moment: i64,
        stamp: f64,
        shown: &Sample,
        clocks: &[(i64, i64)],
    ) -> Option<Sample> {
        let created = |video: &Value| video["create_time"].as_f64();
        let dates = || self.videos.iter().filter_map(created);
        let oldest = dates().reduce(f64::min)?;
        // The moment at which it was read, by the exporter's clock. By a clock that is behind, even the oldest
        // post is of the future and its age is nothing: when that was, the answer tells.
        let read = |ahead: f64| match shown.oldest? {
            0.0 => Some((moment as f64 + ahead).min(oldest)),
            age => Some(oldest + age),
        };
        let is_possible = |ahead: f64, at: &f64| {
            let after = at - ahead - moment as f64;
            (-0.001..UNDER_WAY as f64).contains(&after)
        };
        let possible =
            |(ahead, _): &(i64, i64)| read(*ahead as f64).filter(|at| is_possible(*ahead as f64, at));
        let at = clocks.iter().find_map(possible)?;
        let dated = |video: &&Value| created(video).is_some_and(|date| date <= at + SKEW);
        let within = |seconds: f64| {
            let recent = move |video: &&Value| created(video).is_some_and(|date| date >= at - seconds);
            self.videos.iter().filter(dated).filter(recent)
        };
        let sum = |videos: &mut dyn Iterator<Item = &Value>, field: &str| {
            let counts: Vec<f64> = videos.filter_map(|video| video[field].as_f64()).collect();
            (!counts.is_empty()).then(|| (counts.iter().sum::<f64>(), counts.len() as f64))
        };
        let total = |field: &str| sum(&mut self.videos.iter(), field).map(|(sum, _)| sum);
        let (day, week) = (within(DAY).count() as f64, within(7.0 * DAY).count() as f64);
        let velocity = if week == 0.0 { 0.0 } else { day / (week / 7.0) };
        let plays_a_post = sum(&mut within(DAY), "play_count").map(|(plays, posts)| plays / posts);
        let counts = ["play_count", "digg_count", "comment_count", "share_count", "collect_count"].map(total);
        let engagement = match counts {
            [Some(plays), Some(a), Some(b), Some(c), Some(d)] if plays > 0.0 => Some((a + b + c + d) / plays),
            _ => None,
        };
        let from_there = self.videos.iter().filter(|video| video["region"] == region).count() as f64;
        let is_covered = !self.more || oldest < at - 7.0 * DAY;
        Some(Sample {
            stamp: Some(stamp),
            posts: [day, week, self.videos.len() as f64].map(Some),
            velocity: Some(velocity),
            weighted: plays_a_post.map(|plays| velocity * plays).or((day == 0.0).then_some(0.0)),
            counts,
            engagement,
            from_there: Some(from_there / self.videos.len() as f64),
            oldest: shown.oldest,
            saturated: Some(f64::from(!is_covered)),
            pages: Some(1.0),
        })
    }
}

/// The figures of a sample of posts.
#[derive(Debug, Clone, Copy)]
struct Sample {
    stamp: Option<f64>,
    /// Of a day, of a week, all.
    posts: [Option<f64>; 3],
    velocity: Option<f64>,
    weighted: Option<f64>,
    /// Plays, likes, comments, shares, saves.
    counts: [Option<f64>; 5],
    engagement: Option<f64>,
    from_there: Option<f64>,
    oldest: Option<f64>,
    saturated: Option<f64>,
    pages: Option<f64>,
}

impl Sample {
    fn shown(metrics: &Metrics, name: &str, region: &str) -> Self {
        let pair = format!("hashtag=\"{name}\",region=\"{region}\"");
        let get = |what: &str| metrics.get(&format!("tiktok_hashtag_{what}{{{pair}}}"));
        Self {
            stamp: get("sample_last_success_timestamp_seconds"),
            posts: ["24h", "7d", "all"].map(|window| {
                metrics.get(&format!("tiktok_hashtag_sample_posts{{{pair},window=\"{window}\"}}"))
            }),
            velocity: get("sample_velocity"),
            weighted: get("engagement_weighted_velocity"),
            counts: ["plays", "likes", "comments", "shares", "saves"]
                .map(|what| get(&format!("sample_{what}"))),
            engagement: get("sample_engagement_ratio"),
            from_there: get("sample_region_match_ratio"),
            oldest: get("sample_oldest_post_age_seconds"),
            saturated: get("sample_saturated"),
            pages: get("sample_pages"),
        }
    }

    fn all(&self) -> Vec<Option<f64>> {
        let single = [
            self.stamp,
            self.velocity,
            self.weighted,
            self.engagement,
            self.from_there,
            self.oldest,
            self.saturated,
            self.pages,
        ];
        [&self.posts[..], &self.counts, &single].concat()
    }

    /// Whether `shown` says the same, to the last digits of a float.
    fn is(&self, shown: &Self) -> bool {
        let same = |(one, other): (&Option<f64>, &Option<f64>)| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(1.0),
            (one, other) => one == other,
        };
        // A list whose cursor stands still says that there is more.
        let saturated = if shown.saturated == Some(1.0) { shown.saturated } else { self.saturated };
        let expected = Self { saturated, ..*self };
        expected.all().iter().zip(&shown.all()).all(same)
    }
}

fn now() -> i64 {
    SystemClock.now().as_secs()
}
