//! The maths of the rules a second time, in Rust, so that no expected number is typed by hand.
//!
//! The statistics are those of the published tutorial: the mean, the population standard deviation
//! (1 where it is 0), today excluded. Everything else says what a rule *means*; how PromQL gets
//! there is the rules' own affair.

use std::collections::BTreeMap;

pub type Hour = i64;

const DAY: Hour = 24;
const WEEK: Hour = 7 * DAY;
const TWO_WEEKS: Hour = 14 * DAY;

/// Whether a range holds the sample at its very beginning: up to Prometheus 2 it does, from 3 on
/// it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftEnd {
    Closed,
    Open,
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The population standard deviation, as `statistics.pstdev`.
pub fn population_sd(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// How many standard deviations `today` stands above the history; a deviation of 0 counts as 1.
pub fn z_score(today: f64, history: &[f64]) -> f64 {
    let sd = population_sd(history);
    (today - mean(history)) / if sd == 0.0 { 1.0 } else { sd }
}

/// P(X ≥ k) for X ~ Binomial(n, p), summed term by term.
pub fn binomial_tail(k: u32, n: u32, p: f64) -> f64 {
    let ln_factorial = |n: u32| (1..=n).map(|i| f64::from(i).ln()).sum::<f64>();
    let term = |i: u32| {
        let choose = ln_factorial(n) - ln_factorial(i) - ln_factorial(n - i);
        (choose + f64::from(i) * p.ln() + f64::from(n - i) * (1.0 - p).ln()).exp()
    };
    (k..=n).map(term).sum()
}

/// The Chernoff bound on the same probability, for k/n above p.
pub fn chernoff(k: f64, n: f64, p: f64) -> f64 {
    let part = |observed: f64, expected: f64| {
        if observed <= 0.0 { 0.0 } else { observed * (observed / expected).ln() }
    };
    (-(part(k, n * p) + part(n - k, n * (1.0 - p)))).exp()
}

/// The round number that a count one below it stands for; else the count.
pub fn meant(count: f64) -> f64 {
    if (count + 1.0) % 1e5 == 0.0 { count + 1.0 } else { count }
}

/// One value an hour, with holes.
#[derive(Debug, Clone, Default)]
pub struct Signal(pub Vec<Option<f64>>);

impl Signal {
    pub fn at(&self, hour: Hour) -> Option<f64> {
        usize::try_from(hour).ok().and_then(|hour| *self.0.get(hour)?)
    }

    /// The highest value in the `hours` up to `until`.
    fn max(&self, hours: Hour, until: Hour, left: LeftEnd) -> Option<f64> {
        let from = until - hours + Hour::from(left == LeftEnd::Open);
        (from..=until).filter_map(|hour| self.at(hour)).reduce(f64::max)
    }

    /// The values at whole multiples of `step` hours, from one hour to another.
    fn grid(&self, step: Hour, from: Hour, to: Hour) -> Vec<f64> {
        (from..=to).filter(|hour| hour % step == 0).filter_map(|hour| self.at(hour)).collect()
    }

    /// The growth over the last `lag` hours, wherever both ends are known.
    fn growth(&self, lag: Hour) -> Signal {
        let hours = 0..Hour::try_from(self.0.len()).unwrap();
        Signal(hours.map(|hour| Some(self.at(hour)? - self.at(hour - lag)?)).collect())
    }
}

/// What Prometheus holds about one hashtag, all exporters merged.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    pub views: Signal,
    pub posts: Signal,
    /// When the totals were read, in seconds, where that is told.
    pub read_at: Signal,
    /// The step of the rounding, the same for views and posts, where it is told.
    pub resolution: Signal,
    /// Seconds between two refreshes, where that is told.
    pub interval: Signal,
    /// 1 while an exporter names the group.
    pub info: Signal,
}

/// The constants of `alerts/parameters.rules.yml`.
pub type Parameters = BTreeMap<String, f64>;

/// The recorded series by hand.
pub struct Rules<'a> {
    pub readings: &'a Readings,
    pub parameters: &'a Parameters,
    /// Hours between two evaluations.
    pub every: Hour,
    pub left: LeftEnd,
}

impl Rules<'_> {
    fn parameter(&self, name: &str) -> f64 {
        let name = format!("global:tiktok_{name}");
        *self.parameters.get(&name).unwrap_or_else(|| panic!("no constant {name}"))
    }

    fn distance(&self, lag: Hour, window: Hour, now: Hour) -> Option<f64> {
        let now_read = self.read_at(now)?;
        let told = self.readings.read_at.max(window, now - lag, self.left).map(|before| now_read - before);
        // A count that does not tell its time must have been there, at most 1.4 times as far back.
        let counted = |hour| self.readings.views.at(hour).is_some();
        let furthest = lag * 7 / 5;
        told.or_else(|| (now - furthest..=now - lag).any(counted).then_some((lag * 3600) as f64))
    }

    /// When the count was read: what does not tell was read when it was scraped.
    fn read_at(&self, now: Hour) -> Option<f64> {
        self.readings.read_at.at(now).or_else(|| self.readings.views.at(now).map(|_| (now * 3600) as f64))
    }

    /// Seconds between two refreshes; a day where it is not told.
    fn interval(&self, now: Hour) -> f64 {
        self.readings.interval.at(now).map_or(86_400.0, |seconds| seconds.max(300.0))
    }

    /// Whether the hashtag is refreshed hourly; where that is not told, whether it moves so often.
    fn is_hourly(&self, now: Hour) -> bool {
        let Some(interval) = self.readings.interval.at(now) else {
            let from = now - DAY + Hour::from(self.left == LeftEnd::Open);
            let day: Vec<f64> = (from..=now).filter_map(|hour| self.readings.views.at(hour)).collect();
            let changes = day.windows(2).filter(|pair| pair[0] != pair[1]).count();
            return changes as f64 >= self.parameter("spike_hours:min");
        };
        interval <= self.parameter("spike_refresh_interval:max_seconds")
    }

    fn age(&self, now: Hour) -> Option<f64> {
        Some((now * 3600) as f64 - self.read_at(now)?)
    }

    /// What makes growth over `lag` hours of the growth between the two readings, where they can be
    /// compared at all.
    fn factor(&self, lag: Hour, window: Hour, now: Hour) -> Option<f64> {
        let lags = self.distance(lag, window, now)? / (lag * 3600) as f64;
        let apart = self.parameter("reading_distance:min")..=self.parameter("reading_distance:max");
        let fresh = self.parameter("reading_age:max_intervals") * self.interval(now);
        (apart.contains(&lags) && self.age(now)? <= fresh).then(|| 1.0 / lags)
    }

    /// The score, where `points` are enough.
    fn z(&self, today: Option<f64>, history: &[f64], points: &[f64], enough: &str) -> Option<f64> {
        (!history.is_empty() && points.len() as f64 >= self.parameter(enough))
            .then(|| Some(z_score(today?, history)))?
    }

    fn gain(&self, counts: &Signal, lag: Hour, window: Hour, now: Hour) -> Option<f64> {
        let gain = counts.at(now)? - counts.max(window, now - lag, self.left)?;
        Some(gain * self.factor(lag, window, now)?)
    }

    /// The highest count of the day before the last one.
    fn day_before(&self, counts: &Signal, now: Hour) -> Option<f64> {
        counts.max(DAY, now - DAY, self.left)
    }

    /// What that stands for; where it is not known, what the count of now does.
    fn meant_day_before(&self, counts: &Signal, now: Hour) -> Option<f64> {
        self.day_before(counts, now).or_else(|| counts.at(now)).map(meant)
    }

    /// The step that a count shows by itself, now and the day before.
    fn resolution_shown(&self, counts: &Signal, now: Hour) -> Option<f64> {
        let current = meant(counts.at(now)?);
        let before = self.meant_day_before(counts, now)?;
        let moves_in =
            |(least, step): &(f64, f64)| current >= *least && current % step == 0.0 && before % step == 0.0;
        let coarsest = [(1e9, 1e8), (1e6, 1e5), (1e4, 1e2)].into_iter().find(moves_in);
        Some(coarsest.map_or(1.0, |(_, step)| step))
    }

    /// That or what the exporter tells, which may be unsure of many zeros, but knows about a few.
    fn resolution(&self, counts: &Signal, now: Hour) -> Option<f64> {
        let shown = self.resolution_shown(counts, now)?;
        Some(match self.readings.resolution.at(now) {
            Some(told) if told >= shown || shown < 1e5 => told,
            _ => shown,
        })
    }

    fn gain_in_steps(&self, gain: Option<f64>, counts: &Signal, now: Hour) -> Option<f64> {
        Some(gain? / self.resolution(counts, now)?)
    }

    fn posts_1d(&self, now: Hour) -> Option<f64> {
        Some(self.gain(&self.readings.posts, DAY, DAY, now)?.max(0.0))
    }

    /// Posts that were taken away and stay away.
    fn posts_lost(&self, now: Hour) -> Option<f64> {
        let highest = |until| self.readings.posts.max(DAY, until, self.left);
        Some((highest(now - DAY)? - highest(now)?).max(0.0))
    }

    fn posts_7d(&self, now: Hour) -> Option<f64> {
        let last_day = self.posts_1d(now)?;
        let base = self.readings.posts.max(DAY, now - WEEK, self.left)?;
        let from = now - 6 * DAY + Hour::from(self.left == LeftEnd::Open);
        let evaluations = (from..=now).filter(|hour| hour % self.every == 0);
        let lost = evaluations.filter_map(|hour| self.posts_lost(hour)).reduce(f64::max).unwrap_or(0.0);
        Some((self.readings.posts.at(now)? - base + lost).max(last_day))
    }

    fn velocity(&self, now: Hour) -> Option<f64> {
        let smoothing = self.parameter("velocity_smoothing:posts");
        Some((self.posts_1d(now)? + smoothing) / (self.posts_7d(now)? / 7.0 + smoothing))
    }

    fn chance(&self, now: Hour) -> Option<f64> {
        let posts = &self.readings.posts;
        let k = self.gain_in_steps(self.posts_1d(now), posts, now)?;
        let n = self.gain_in_steps(self.posts_7d(now), posts, now)?;
        (k * 7.0 > n).then(|| chernoff(k, n, 1.0 / 7.0))
    }

    /// What the same day brought a week ago.
    fn posts_1d_week_before(&self, now: Hour) -> Option<f64> {
        let highest = |until| self.readings.posts.max(DAY, until, self.left);
        Some((highest(now - WEEK)? - highest(now - WEEK - DAY)?).max(0.0))
    }

    fn week_chance(&self, now: Hour) -> Option<f64> {
        let posts = &self.readings.posts;
        let k = self.gain_in_steps(self.posts_1d(now), posts, now)?;
        let before = self.gain_in_steps(self.posts_1d_week_before(now), posts, now)?;
        (k > before).then(|| chernoff(k, k + before, 0.5))
    }

    /// The velocity, where neither chance nor rounding nor the rhythm of the week makes it.
    fn velocity_sure(&self, now: Hour) -> Option<f64> {
        let day = self.posts_1d(now)?;
        let is_rounding =
            self.gain_in_steps(Some(day), &self.readings.posts, now)? < self.parameter("gain_steps:min");
        let is_chance = self.chance(now).is_none_or(|chance| chance > self.parameter("velocity_chance:max"));
        let is_weekly = self
            .posts_1d_week_before(now)
            .is_some_and(|before| day < self.parameter("heating_up:threshold") * before)
            || self.week_chance(now).is_some_and(|chance| chance > self.parameter("week_chance:max"));
        self.velocity(now).filter(|_| !is_rounding && !is_chance && !is_weekly)
    }

    /// The posting window at every evaluation up to `now`: a latch, so its past decides.
    fn posting_window(&self, now: Hour) -> Option<f64> {
        let mut states: BTreeMap<Hour, f64> = BTreeMap::new();
        for hour in (0..=now).filter(|hour| hour % self.every == 0) {
            let from = hour - DAY + Hour::from(self.left == LeftEnd::Open);
            let before = states.range(from..hour).next_back().map(|(_, state)| *state);
            let state = match self.velocity(hour) {
                Some(velocity) => {
                    let opens_from = self.parameter("posting_window_open:threshold");
                    let opens = self.velocity_sure(hour).is_some_and(|sure| sure >= opens_from);
                    let stays =
                        velocity >= self.parameter("posting_window_close:threshold") && before == Some(1.0);
                    Some(f64::from(u8::from(opens || stays)))
                }
                None => before.filter(|_| {
                    self.age(hour).is_some_and(|age| age <= self.parameter("posting_window_hold:max_seconds"))
                }),
            };
            state.map(|state| states.insert(hour, state));
        }
        states.get(&now).copied()
    }

    /// What to do: 2 post, 1 hold, 0 stop.
    fn posting_advice(&self, now: Hour) -> Option<f64> {
        if self.posting_window(now)? == 1.0 {
            return Some(2.0);
        }
        let goes_on = self.velocity(now)? >= self.parameter("posting_window_close:threshold");
        Some(f64::from(u8::from(goes_on)))
    }

    /// Every recorded series about the hashtag at `now`, and `None` where it must be absent.
    pub fn recorded(&self, now: Hour) -> Vec<(&'static str, Option<f64>)> {
        let Readings { views, posts, info, .. } = self.readings;
        let daily = views.grid(DAY, now - TWO_WEEKS, now - 1);
        let six_hourly = views.grid(6, now - TWO_WEEKS, now - 1);
        let gains = views.growth(DAY);
        let daily_gains = gains.grid(DAY, now - DAY - TWO_WEEKS + 1, now - DAY);
        let hourly_gains = views.growth(1).grid(3, now - WEEK, now - 1);
        let hours = views.grid(1, now - DAY, now - 1);
        let days = (now - TWO_WEEKS..now).filter(|hour| hour % DAY == 0);
        let times: Vec<f64> = days.filter_map(|hour| self.read_at(hour)).collect();
        let of = |values: &[f64], figure: fn(&[f64]) -> f64| (!values.is_empty()).then(|| figure(values));
        let count = |values: &[f64]| (!values.is_empty()).then_some(values.len() as f64);

        let gain1h = self.gain(views, 1, DAY / 2, now).filter(|_| self.is_hourly(now));
        let gain1d = self.gain(views, DAY, DAY, now);
        // An hour over the mean hour of the day.
        let gain1h_ratio = gain1h.zip(gain1d.filter(|gain| *gain > 0.0)).map(|(hour, day)| hour * 24.0 / day);
        let watched = info.at(now).or(views.at(now)).or(posts.at(now)).map(|_| 1.0);
        vec![
            ("hashtag_group:tiktok_hashtag_info:topk1", watched),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:max", self.read_at(now)),
            (
                "hashtag:tiktok_hashtag_refresh_interval_seconds:max",
                self.read_at(now).map(|_| self.interval(now)),
            ),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:age", self.age(now)),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:delta1d", self.distance(DAY, DAY, now)),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:factor1d", self.factor(DAY, DAY, now)),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:delta1h", self.distance(1, DAY / 2, now)),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:factor1h", self.factor(1, DAY / 2, now)),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:avg14d_history", of(&times, mean)),
            (
                "hashtag:tiktok_hashtag_last_success_timestamp_seconds:stddev14d_history",
                of(&times, population_sd),
            ),
            ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:stddev14d", of(&times, population_sd)),
            (
                "hashtag:tiktok_hashtag_last_success_timestamp_seconds:zscore14d",
                (!times.is_empty()).then(|| Some(z_score(self.read_at(now)?, &times))).flatten(),
            ),
            ("hashtag:tiktok_hashtag_views:round", views.at(now).map(meant)),
            ("hashtag:tiktok_hashtag_views:max1d_before", self.day_before(views, now)),
            ("hashtag:tiktok_hashtag_views:round1d_before", self.meant_day_before(views, now)),
            ("hashtag:tiktok_hashtag_views:resolution_shown", self.resolution_shown(views, now)),
            ("hashtag:tiktok_hashtag_views:resolution", self.resolution(views, now)),
            ("hashtag:tiktok_hashtag_posts:round", posts.at(now).map(meant)),
            ("hashtag:tiktok_hashtag_posts:max1d_before", self.day_before(posts, now)),
            ("hashtag:tiktok_hashtag_posts:round1d_before", self.meant_day_before(posts, now)),
            ("hashtag:tiktok_hashtag_posts:resolution_shown", self.resolution_shown(posts, now)),
            ("hashtag:tiktok_hashtag_posts:resolution", self.resolution(posts, now)),
            ("hashtag:tiktok_hashtag_views:reference_avg14d_history", of(&daily, mean)),
            ("hashtag:tiktok_hashtag_views:reference_avg14d", of(&daily, mean)),
            ("hashtag:tiktok_hashtag_views:reference_stddev14d_history", of(&daily, population_sd)),
            ("hashtag:tiktok_hashtag_views:reference_stddev14d", of(&daily, population_sd)),
            ("hashtag:tiktok_hashtag_views:reference_count14d_history", count(&daily)),
            ("hashtag:tiktok_hashtag_views:reference_count14d", count(&daily)),
            (
                "hashtag:tiktok_hashtag_views:reference_zscore14d",
                self.z(views.at(now), &daily, &daily, "reference_points:min"),
            ),
            ("hashtag:tiktok_hashtag_views:reference_delta1d", gains.at(now)),
            ("hashtag:tiktok_hashtag_views:reference_delta1d_avg14d_history", of(&daily_gains, mean)),
            ("hashtag:tiktok_hashtag_views:reference_delta1d_avg14d", of(&daily_gains, mean)),
            (
                "hashtag:tiktok_hashtag_views:reference_delta1d_stddev14d_history",
                of(&daily_gains, population_sd),
            ),
            ("hashtag:tiktok_hashtag_views:reference_delta1d_stddev14d", of(&daily_gains, population_sd)),
            ("hashtag:tiktok_hashtag_views:reference_delta1d_count14d_history", count(&daily_gains)),
            ("hashtag:tiktok_hashtag_views:reference_delta1d_count14d", count(&daily_gains)),
            (
                "hashtag:tiktok_hashtag_views:reference_delta1d_zscore14d",
                self.z(gains.at(now), &daily_gains, &daily_gains, "reference_points:min"),
            ),
            ("hashtag:tiktok_hashtag_views:avg14d_history", of(&six_hourly, mean)),
            ("hashtag:tiktok_hashtag_views:avg14d", of(&six_hourly, mean)),
            ("hashtag:tiktok_hashtag_views:stddev14d_history", of(&six_hourly, population_sd)),
            ("hashtag:tiktok_hashtag_views:stddev14d", of(&six_hourly, population_sd)),
            (
                "hashtag:tiktok_hashtag_views:zscore14d",
                self.z(views.at(now), &six_hourly, &daily, "trending_days:min"),
            ),
            ("hashtag:tiktok_hashtag_views:gain1d", gain1d),
            ("hashtag:tiktok_hashtag_views:gain1d_steps", self.gain_in_steps(gain1d, views, now)),
            ("hashtag:tiktok_hashtag_posts:gain1d", self.posts_1d(now)),
            ("hashtag:tiktok_hashtag_posts:loss1d", self.posts_lost(now)),
            ("hashtag:tiktok_hashtag_posts:gain7d", self.posts_7d(now)),
            ("hashtag:tiktok_hashtag_posts:gain1d_steps", self.gain_in_steps(self.posts_1d(now), posts, now)),
            ("hashtag:tiktok_hashtag_posts:gain7d_steps", self.gain_in_steps(self.posts_7d(now), posts, now)),
            ("hashtag:tiktok_hashtag_posts:velocity", self.velocity(now)),
            ("hashtag:tiktok_hashtag_posts:velocity_chance", self.chance(now)),
            ("hashtag:tiktok_hashtag_posts:max1d_week_before", posts.max(DAY, now - WEEK, self.left)),
            ("hashtag:tiktok_hashtag_posts:gain1d_week_before", self.posts_1d_week_before(now)),
            (
                "hashtag:tiktok_hashtag_posts:gain1d_week_before_steps",
                self.gain_in_steps(self.posts_1d_week_before(now), posts, now),
            ),
            ("hashtag:tiktok_hashtag_posts:gain1d_week_chance", self.week_chance(now)),
            ("hashtag:tiktok_hashtag_posts:velocity_sure", self.velocity_sure(now)),
            ("hashtag:tiktok_hashtag_posts:posting_window", self.posting_window(now)),
            ("hashtag:tiktok_hashtag_posts:posting_advice", self.posting_advice(now)),
            ("hashtag:tiktok_hashtag_views:max", views.at(now)),
            ("hashtag:tiktok_hashtag_posts:max", posts.at(now)),
            ("hashtag:tiktok_hashtag_views:gain1h", gain1h),
            ("hashtag_hour:tiktok_hashtag_views:gain1h_ratio", gain1h_ratio),
            ("hashtag:tiktok_hashtag_views:delta1h_avg7d_history", of(&hourly_gains, mean)),
            ("hashtag:tiktok_hashtag_views:delta1h_avg7d", of(&hourly_gains, mean)),
            ("hashtag:tiktok_hashtag_views:delta1h_stddev7d_history", of(&hourly_gains, population_sd)),
            ("hashtag:tiktok_hashtag_views:delta1h_stddev7d", of(&hourly_gains, population_sd)),
            ("hashtag:tiktok_hashtag_views:count1d", count(&hours)),
            (
                "hashtag:tiktok_hashtag_views:gain1h_zscore7d",
                self.z(gain1h, &hourly_gains, &hours, "spike_hours:min"),
            ),
        ]
    }
}
