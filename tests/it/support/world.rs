//! Hashtags with a known course, as an exporter and Prometheus would have them: read every few
//! hours, rounded, flat while the API is out, gone after a while, under this instance or that.

use std::ops::Range;

use super::promtool::RuleTest;
use super::reference::{Hour, Readings, Signal};

type Course = Box<dyn Fn(f64) -> f64>;

/// A hashtag, what happens to it, and which alerts that must fire.
pub struct Case {
    pub name: &'static str,
    pub fires: &'static [&'static str],
    /// Alerts must not fire before this hour.
    pub from: Hour,
    /// All alerts must be over at the end.
    pub over: bool,
    /// The last of the alerts must fire in all of these hours.
    pub throughout: Range<Hour>,
    views: Course,
    posts: Course,
    resolution: f64,
    interval: Hour,
    /// The interval that is announced, if it is not the one that is kept.
    announced: Option<Hour>,
    /// Before this hour nothing but the two counts is there: neither times nor intervals, steps or groups.
    tells_from: Hour,
    begins: Hour,
    max_age: Hour,
    api_down: Range<Hour>,
    exporter_down: Vec<Range<Hour>>,
    moves: Option<Hour>,
    second: bool,
    /// A reading that shows less than there is: when, and the missing share.
    dip: Option<(Range<Hour>, f64)>,
}

/// A quiet hashtag that is read every 6 hours: nothing is seen, nothing is posted.
pub fn case(name: &'static str) -> Case {
    Case {
        name,
        fires: &[],
        from: 0,
        over: false,
        throughout: 0..0,
        views: Box::new(|_| 1e6),
        posts: Box::new(|_| 5e3),
        resolution: 1.0,
        interval: 6,
        announced: None,
        tells_from: 0,
        begins: 0,
        max_age: 48,
        api_down: 0..0,
        exporter_down: Vec::new(),
        moves: None,
        second: false,
        dip: None,
    }
}

impl Case {
    /// Must fire these alerts, none of them before hour `from`.
    pub fn fires(self, from: Hour, fires: &'static [&'static str]) -> Self {
        Self { from, fires, ..self }
    }

    /// And all of that is over at the end.
    pub fn over_at_the_end(self) -> Self {
        Self { over: true, ..self }
    }

    /// And the last of them fires in all of these hours.
    pub fn throughout(self, throughout: Range<Hour>) -> Self {
        Self { throughout, ..self }
    }

    pub fn views(self, course: impl Fn(f64) -> f64 + 'static) -> Self {
        Self { views: Box::new(course), ..self }
    }

    pub fn posts(self, course: impl Fn(f64) -> f64 + 'static) -> Self {
        Self { posts: Box::new(course), ..self }
    }

    /// Counts are shown in whole multiples of this.
    pub fn rounded_to(self, resolution: f64) -> Self {
        Self { resolution, ..self }
    }

    pub fn read_every(self, interval: Hour) -> Self {
        Self { interval, ..self }
    }

    /// Is announced to be read this often, whatever `read_every` says.
    pub fn announced_every(self, interval: Hour) -> Self {
        Self { announced: Some(interval), ..self }
    }

    /// Nothing but the two counts is there.
    pub fn counts_only(self) -> Self {
        self.tells_from(Hour::MAX)
    }

    /// Nothing but the two counts is there before this hour.
    pub fn tells_from(self, tells_from: Hour) -> Self {
        Self { tells_from, ..self }
    }

    pub fn watched_since(self, begins: Hour) -> Self {
        Self { begins, ..self }
    }

    /// The API does not answer; the exporter shows its last values for a while.
    pub fn api_down(self, api_down: Range<Hour>) -> Self {
        Self { api_down, ..self }
    }

    /// Values are shown for so long, instead of two days.
    pub fn kept_for(self, max_age: Hour) -> Self {
        Self { max_age, ..self }
    }

    /// The exporter is not scraped.
    pub fn exporter_down(mut self, hours: Range<Hour>) -> Self {
        self.exporter_down.push(hours);
        self
    }

    /// The exporter comes back under another instance label.
    pub fn moves(self, at: Hour) -> Self {
        Self { moves: Some(at), ..self }
    }

    /// A second exporter watches the same, reads three hours later, and has another group.
    pub fn watched_twice(self) -> Self {
        Self { second: true, ..self }
    }

    /// Readings in these hours show less, by this share.
    pub fn dips(self, when: Range<Hour>, share: f64) -> Self {
        Self { dip: Some((when, share)), ..self }
    }

    /// Adds the series to the test, and returns them with all exporters merged.
    pub fn play(&self, hours: Hour, test: &mut RuleTest) -> Readings {
        let mut exporters = vec![("a", "g", 0, 0..self.moves.unwrap_or(hours))];
        exporters.extend(self.moves.map(|at| ("b", "g", 0, at..hours)));
        exporters.extend(self.second.then_some(("c", "other", 3, 0..hours)));
        let merged = exporters
            .into_iter()
            .map(|(instance, group, lag, up)| self.exporter(hours, lag, up, instance, group, test))
            .reduce(merge);
        merged.unwrap()
    }

    fn exporter(
        &self,
        hours: Hour,
        lag: Hour,
        up: Range<Hour>,
        instance: &str,
        group: &str,
        test: &mut RuleTest,
    ) -> Readings {
        let shown = |hour: Hour| {
            let down = self.exporter_down.iter().any(|down| down.contains(&hour));
            (up.contains(&hour) && !down && hour >= self.begins).then_some(hour)
        };
        let last_read = |hour: Hour| {
            let read = |at: &Hour| (at - lag).rem_euclid(self.interval) == 0 && !self.api_down.contains(at);
            (self.begins..=hour).rev().find(read)
        };
        let signal = |value: &dyn Fn(Hour) -> Option<f64>| {
            Signal((0..hours).map(|hour| value(shown(hour)?)).collect::<Vec<_>>())
        };
        let current = |hour: Hour| last_read(hour).filter(|at| hour - at <= self.max_age);
        let count = |course: &Course| {
            let value = |hour: Hour| {
                let at = current(hour)?;
                let dip = self.dip.as_ref().filter(|(when, _)| when.contains(&at));
                let share = dip.map_or(1.0, |(_, missing)| 1.0 - missing);
                Some((course(at as f64) * share / self.resolution).floor() * self.resolution)
            };
            signal(&value)
        };
        let told = |value: &dyn Fn(Hour) -> Option<f64>| {
            signal(&|hour| if hour < self.tells_from { None } else { value(hour) })
        };
        let readings = Readings {
            views: count(&self.views),
            posts: count(&self.posts),
            read_at: told(&|hour| Some((last_read(hour)? * 3600) as f64)),
            resolution: told(&|hour| current(hour).map(|_| self.resolution)),
            interval: told(&|_| Some((self.announced.unwrap_or(self.interval) * 3600) as f64)),
            info: told(&|_| Some(1.0)),
        };
        let labels = [("hashtag", self.name), ("instance", instance), ("job", "tiktok")];
        test.series("tiktok_hashtag_views", &labels, &readings.views);
        test.series("tiktok_hashtag_posts", &labels, &readings.posts);
        test.series("tiktok_hashtag_views_resolution", &labels, &readings.resolution);
        test.series("tiktok_hashtag_posts_resolution", &labels, &readings.resolution);
        test.series("tiktok_hashtag_last_success_timestamp_seconds", &labels, &readings.read_at);
        test.series("tiktok_hashtag_refresh_interval_seconds", &labels, &readings.interval);
        let grouped =
            [&labels[..], &[("group", group), ("challenge_id", "1"), ("commerce", "false")]].concat();
        test.series("tiktok_hashtag_info", &grouped, &readings.info);
        readings
    }
}

fn merge(one: Readings, other: Readings) -> Readings {
    let higher = |one: Signal, other: Signal| {
        let hours = one.0.len().max(other.0.len()) as Hour;
        let both = |hour| one.at(hour).into_iter().chain(other.at(hour)).reduce(f64::max);
        Signal((0..hours).map(both).collect())
    };
    Readings {
        views: higher(one.views, other.views),
        posts: higher(one.posts, other.posts),
        read_at: higher(one.read_at, other.read_at),
        resolution: higher(one.resolution, other.resolution),
        interval: higher(one.interval, other.interval),
        info: higher(one.info, other.info),
    }
}
