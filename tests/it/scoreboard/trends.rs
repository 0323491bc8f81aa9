//! The alerts about trends: what an exporter that watched the hashtags of several worlds would have shown,
//! and whether the alerts told what took off there.
//!
//! A hashtag takes off at the onset of a burst, as the world tells it, and is a trend until the posts
//! expected of it fall below [`TREND`] times those of an ordinary day; a day longer, because every rule
//! looks at the last day. An alarm that begins within this time is right, any other is false: also one
//! about a hashtag that is only busier at weekends, or climbs for weeks. An onset is found when an alarm
//! begins, or already fires, before this time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tiktok_api::Hashtag;
use tiktok_api::fake::World;
use tiktok_exporter::config;
use tiktok_exporter::history::{Directory, Span, backfill};
use units::Timestamp;

use super::judge::{self, Score, Stretch, times_by_series};
use crate::support::history::{self, DAY, HOUR, NOW, Pass, Rule};
use crate::support::prometheus::Prometheus;

/// Times the ordinary rate of posts.
const TREND: f64 = 2.0;
/// An onset so near to the end has not had its time.
const TIME_TO_FIND: i64 = 4 * DAY;
/// No burst is felt longer.
const LONGEST: i64 = 20 * DAY;
/// The posting window is a latch. What it records reads its own past, which is not there while a past is
/// being recorded: there it is open while the velocity is high enough to open it. It stays open until this
/// holds, as it does live.
const WINDOW: &str = "TikTokPostingWindowOpen";
const WINDOW_CLOSES: &str =
    "hashtag:tiktok_hashtag_posts:velocity < scalar(global:tiktok_posting_window_close:threshold)";
/// Days of history before the first evaluation: the rules look back 16.
const BEFORE: i64 = 16;
/// Days of evaluations before the first that is judged: what was taken away (`loss1d`) is looked up in what was
/// recorded over six days.
const SETTLING: i64 = 8;
/// Days that a world has lived before its history: it need not be walked from its usual beginning.
const LIVED: i64 = 200;
/// As long as Prometheus makes a block: fewer and longer ones are quicker.
const BLOCK: Duration = Duration::from_secs(162 * 3_600);

/// The alerts about trends, and the reference ones.
pub fn alerts() -> Vec<Rule> {
    let is_about_trends =
        |rule: &Rule| rule.labels.get("topic").is_some_and(|it| it == "trend" || it == "reference");
    history::rules().into_iter().filter(is_about_trends).collect()
}

/// A hashtag and its world.
struct Watched {
    hashtag: Hashtag,
    /// The place of its world in [`Worlds::worlds`].
    world: usize,
}

/// Worlds, and the hashtags that are watched in them: their names tell them apart.
pub struct Worlds {
    worlds: Vec<World>,
    hashtags: Vec<Watched>,
    seeds: Vec<u64>,
    days: i64,
}

impl Worlds {
    /// Of each seed so many hashtags, for as many days of judgement.
    pub fn new(seeds: &[u64], hashtags: u32, days: i64) -> Self {
        let watched = |world: usize, seed: u64| {
            let name = move |number| format!("world{seed}tag{number}");
            (0..hashtags)
                .map(move |number| Watched { hashtag: Hashtag::parse(&name(number)).unwrap(), world })
        };
        let hashtags = seeds.iter().enumerate().flat_map(|(world, seed)| watched(world, *seed)).collect();
        let worlds = seeds.iter().map(|seed| World::beginning_at(*seed, beginning(days))).collect();
        Self { worlds, hashtags, seeds: seeds.to_vec(), days }
    }

    /// Each of the alerts about trends with its score.
    pub fn scores(&self, folder: &Path) -> Vec<(String, Score)> {
        let data = folder.join("trends");
        fs::create_dir(&data).unwrap();
        let alerts = alerts();
        let rules = history::needed_by(&alerts);
        self.write(&rules, folder, &data);
        history::record(
            rules,
            Pass { days: self.days + SETTLING, interval: "1h", look_back: "1h" },
            &data,
            folder,
        );
        let prometheus = Prometheus::start(&data, &serde_json::json!({}));
        alerts.iter().map(|rule| (rule.name.clone(), self.score(rule, &prometheus))).collect()
    }

    fn score(&self, rule: &Rule, prometheus: &Prometheus) -> Score {
        let start = NOW - self.days * DAY;
        let span = (start, NOW, HOUR);
        // By hashtag, in the one region that is watched.
        let by_hashtag = |expr: &str| -> BTreeMap<String, BTreeSet<i64>> {
            let hashtag =
                |labels: &str| labels.split('"').skip_while(|it| *it != "hashtag").nth(2).unwrap().to_owned();
            let by_series = times_by_series(prometheus, expr, span).into_iter();
            by_series.map(|(labels, times)| (hashtag(&labels), times)).collect()
        };
        let holds = by_hashtag(&rule.expr);
        let closes = if rule.name == WINDOW { by_hashtag(WINDOW_CLOSES) } else { BTreeMap::new() };
        let mut score = Score { series: self.hashtags.len(), ..Score::default() };
        for watched in &self.hashtags {
            let (hashtag, world) = (&watched.hashtag, &self.worlds[watched.world]);
            let kind = format!("{:?}", world.kind(hashtag).unwrap());
            let times = holds.get(hashtag.as_str()).cloned().unwrap_or_default();
            let closed = closes.get(hashtag.as_str());
            let over = |time: i64| rule.name != WINDOW || closed.is_some_and(|times| times.contains(&time));
            // What fires from the first moment on began before.
            let alarms: Vec<(String, Stretch)> = judge::alarms(&times, rule, HOUR, NOW, &over)
                .into_iter()
                .filter(|alarm| alarm.from > start)
                .map(|alarm| (format!("{hashtag} ({kind})"), alarm))
                .collect();
            let (to_find, others) = trends(world, hashtag, start - LONGEST, NOW)
                .into_iter()
                .partition::<Vec<_>, _>(|trend| (start..NOW - TIME_TO_FIND).contains(&trend.from));
            judge::judge(&mut score, &alarms, &to_find, &others, &kind);
        }
        score
    }

    /// Writes the past of what these rules read as blocks into `data`.
    fn write(&self, rules: &[Rule], folder: &Path, data: &Path) {
        let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (world, seed) in self.seeds.iter().enumerate() {
            let directory = folder.join(format!("past{seed}"));
            self.write_world(world, &directory);
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                files.entry(path.file_name().unwrap().to_string_lossy().into_owned()).or_default().push(path);
            }
        }
        // Everything else would only take time.
        let read: BTreeSet<String> = rules.iter().flat_map(|rule| history::metrics_in(&rule.expr)).collect();
        for files in files.values() {
            let mut text = String::new();
            for file in files {
                let samples = fs::read_to_string(file).unwrap();
                let lines = samples.lines().filter(|line| read.contains(metric_of(line)));
                lines.for_each(|line| text.extend([line, "\n"]));
                fs::remove_file(file).unwrap();
            }
            history::import(&text, data, folder);
        }
    }

    fn write_world(&self, world: usize, directory: &Path) {
        let of_world = self.hashtags.iter().filter(|watched| watched.world == world);
        let names: Vec<&str> = of_world.map(|watched| watched.hashtag.as_str()).collect();
        let toml = format!(
            "[refresh]\ntotals_interval = \"1h\"\nposts_interval = \"6h\"\nmax_age = \"1d\"\n\
             [[watch]]\nhashtags = {names:?}\nregions = [\"US\"]\n"
        );
        let config = config::load_str(&toml, []).unwrap().config;
        let settings = backfill::Settings {
            page_size: config.posts.page_size,
            watchlist: config.watchlist,
            seed: self.seeds[world],
            beginning: beginning(self.days),
            span: Span {
                from: Timestamp::from_secs(NOW - (self.days + SETTLING + BEFORE) * DAY),
                to: Timestamp::from_secs(NOW + 1),
                step: Duration::from_secs(HOUR.unsigned_abs()),
            },
            posts_every: Duration::from_secs(HOUR.unsigned_abs()),
            itself: None,
        };
        let labels = [("job", "tiktok"), ("instance", "exporter:10110")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let directory = Directory::create(directory, &labels).unwrap().with_blocks_of(BLOCK);
        backfill::backfill(&settings, &directory, &|_| ()).unwrap();
    }
}

fn beginning(days: i64) -> Timestamp {
    Timestamp::from_secs(NOW - (days + SETTLING + BEFORE + LIVED) * DAY)
}

/// When a hashtag is a trend.
fn trends(world: &World, hashtag: &Hashtag, from: i64, to: i64) -> Vec<Stretch> {
    let level = |time: i64| world.level(hashtag, Timestamp::from_secs(time)).unwrap();
    let trend = |onset: Timestamp| {
        let onset = onset.as_secs();
        let hours = (onset..onset + LONGEST).step_by(HOUR as usize);
        let mut from_the_rise_on = hours.skip_while(|time| level(*time) < TREND);
        let over = from_the_rise_on.find(|time| level(*time) < TREND).unwrap_or(onset + LONGEST);
        Stretch { from: onset, to: over + DAY }
    };
    let onsets = world.onsets(hashtag, Timestamp::from_secs(from), Timestamp::from_secs(to));
    onsets.into_iter().map(trend).collect()
}

fn metric_of(line: &str) -> &str {
    line.split_once('{').map_or("", |(metric, _)| metric)
}
