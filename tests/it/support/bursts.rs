//! Hashtags of the simulated world of which it is known whether they burst: from the world itself, not from
//! any rule.

use std::ops::Range;
use std::time::Duration;

use tiktok_api::fake::{Kind, World};
use tiktok_api::{Hashtag, Totals};
use units::{DAY, HOUR, Timestamp};

/// Hashtags of the world of which it is known what they do now.
#[derive(Debug, PartialEq)]
pub struct Watch {
    /// Began to burst two or three days ago: their views are far off their course.
    pub bursting: Vec<String>,
    /// Began to burst a day ago: most posts of the week are of the last day.
    pub fresh: Vec<String>,
    /// One day is like another; or they got nothing for weeks; or, the last one, a single post which many watch.
    pub quiet: Vec<String>,
}

impl Watch {
    /// Looks the world through for them. What counts is what happened, as the world itself tells it, and how
    /// that scores wherever the six hours lie at which the rule looks.
    pub fn find(world: &World, now: Timestamp) -> Self {
        let past = |name: &str| Past { world, hashtag: Hashtag::parse(name).unwrap(), now };
        let find = |wanted: usize, fits: &dyn Fn(&Past<'_>, Kind) -> bool| {
            let names = (0..20_000).map(|number| format!("tag{number}"));
            let fitting = names.filter(|name| {
                let past = past(name);
                world.kind(&past.hashtag).is_some_and(|kind| fits(&past, kind))
            });
            let found: Vec<String> = fitting.take(wanted).collect();
            assert_eq!(found.len(), wanted, "{found:?}: no more in this world");
            found
        };
        // What it shows for a while now and then, nothing or too little, is no part of a plain course.
        let plain = |kind| kind != Kind::Vanishing && kind != Kind::Dipping;
        let mut quiet = find(4, &|past, kind| {
            plain(kind) && past.is_even(Past::posts, 10.0) && past.is_even(Past::views, 1_000.0)
        });
        quiet.extend(find(1, &|past, kind| {
            kind == Kind::Dead && past.posts(0, 16) == 0.0 && past.posts(16, 20) > 0.0
        }));
        quiet.extend(find(1, &|past, kind| {
            kind == Kind::Dead
                && past.posts(0, 7) == 1.0
                && past.posts(2, 5) == 1.0
                && past.views(0, 1) >= 150.0
                && past.zscores().all(|score| score >= 3.0)
        }));
        Self {
            bursting: find(2, &|past, kind| {
                kind == Kind::Burst
                    && past.began_to_burst(40..72)
                    && past.outruns(8.0, Past::views)
                    && past.zscores().all(|score| score >= 3.25)
            }),
            fresh: find(1, &|past, kind| {
                kind == Kind::Burst && past.began_to_burst(18..32) && past.outruns(8.0, Past::posts)
            }),
            quiet,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.bursting.iter().chain(&self.fresh).chain(&self.quiet)
    }

    /// The group "beauty" has people of its own.
    pub fn toml(&self) -> String {
        let (some, others) = self.quiet.split_at(3);
        let groups = [("books", &self.bursting, some), ("beauty", &self.fresh, others)];
        let block = |(group, bursting, quiet): (&str, &Vec<String>, &[String])| {
            let names: Vec<&String> = bursting.iter().chain(quiet).collect();
            format!("[[watch]]\ngroup = {group:?}\nhashtags = {names:?}\n")
        };
        groups.into_iter().map(block).collect()
    }
}

/// What happened to a hashtag, as the world tells it.
struct Past<'a> {
    world: &'a World,
    hashtag: Hashtag,
    now: Timestamp,
}

impl Past<'_> {
    fn totals(&self, ago: Duration) -> Totals {
        self.world.totals(&self.hashtag, self.now - ago).unwrap()
    }

    /// Posts of so many days, the last of which ended `until` days ago.
    fn posts(&self, until: u32, days: u32) -> f64 {
        let count = |days_ago: u32| self.totals(DAY * days_ago).posts.unwrap() as f64;
        count(until) - count(until + days)
    }

    /// Views of so many days, likewise.
    fn views(&self, until: u32, days: u32) -> f64 {
        let count = |days_ago: u32| self.totals(DAY * days_ago).views.unwrap() as f64;
        count(until) - count(until + days)
    }

    /// Each of the last two weeks' days brought about as much as their mean, and that was `least` or more.
    fn is_even(&self, gained: fn(&Self, u32, u32) -> f64, least: f64) -> bool {
        let mean = gained(self, 0, 14) / 14.0;
        mean >= least && (0..14).all(|day| (0.7 * mean..=1.3 * mean).contains(&gained(self, day, 1)))
    }

    /// The last day brought so many times what the mean day of the week did that ended four days ago.
    fn outruns(&self, times: f64, gained: fn(&Self, u32, u32) -> f64) -> bool {
        let before = gained(self, 4, 7) / 7.0;
        before >= 30.0 && gained(self, 0, 1) >= times * before
    }

    /// Began to burst so many hours ago, and not in the history before.
    fn began_to_burst(&self, hours: Range<u32>) -> bool {
        let (earliest, latest) = (self.now - HOUR * hours.end, self.now - HOUR * hours.start);
        let onsets = |from, to| self.world.onsets(&self.hashtag, from, to).len();
        onsets(earliest, latest) > 0
            && onsets(self.now - DAY * 18, earliest) == 0
            && onsets(latest, self.now) == 0
    }

    /// Standard deviations by which the views stand above those of two weeks, every six hours: for each place at
    /// which these hours can lie, half an hour apart.
    fn zscores(&self) -> impl Iterator<Item = f64> {
        let views = |ago| self.totals(ago).views.unwrap() as f64;
        (0..12).map(move |halves| {
            let past = (0..56).map(|step| views(HOUR * 6 * step + HOUR * halves / 2));
            let past: Vec<f64> = past.collect();
            let mean = past.iter().sum::<f64>() / 56.0;
            let variance = past.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 56.0;
            (views(Duration::ZERO) - mean) / variance.sqrt()
        })
    }
}
