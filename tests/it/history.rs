//! The past as it is written: does it join the present, does promtool take it, and is nothing of a
//! tutorial's table lost in silence?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use tiktok_api::Hashtag;
use tiktok_api::fake::World;
use tiktok_exporter::config;
use tiktok_exporter::history::{Directory, Span, backfill, tutorial};
use units::{DAY, HOUR, Timestamp};

/// 2026-06-03T12:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_780_488_000);
const STEP: Duration = Duration::from_secs(240);

/// Series, spelled as in the files, with their points.
type Series = BTreeMap<String, Vec<(i64, f64)>>;

fn labels() -> Vec<(String, String)> {
    vec![("job".to_owned(), "tiktok".to_owned()), ("instance".to_owned(), "a\"b".to_owned())]
}

/// Everything in a directory of files, which have to be well-formed.
fn read(directory: &Path) -> Series {
    let mut series = Series::new();
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.ends_with("# EOF\n"), "{}", file.display());
        let from: i64 = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (rest, time) = line.rsplit_once(' ').unwrap();
            let (name, value) = rest.rsplit_once(' ').unwrap();
            let at = (time.parse::<f64>().unwrap() * 1_000.0).round() as i64 / 1_000;
            assert!((from..from - from % 7_200 + 7_200).contains(&at), "{line} in {}", file.display());
            series.entry(name.to_owned()).or_default().push((at, value.parse().unwrap()));
        }
    }
    for (name, points) in &series {
        assert!(points.is_sorted_by(|a, b| a.0 < b.0), "{name} goes back in time");
    }
    series
}

/// Blocks made by promtool, which fails on what Prometheus would not take.
fn make_blocks(files: &Path, data: &Path) {
    for entry in fs::read_dir(files).unwrap() {
        let output = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics", "-q"])
            .arg(entry.unwrap().path())
            .arg(data)
            .output()
            .expect("promtool is installed (Debian's package prometheus)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn write_backfill(toml: &str, span: Span, directory: &Path) -> u64 {
    write_with(toml, span, None, directory)
}

/// The same, with what the exporter would have shown of itself if requests had taken so long.
fn write_with(toml: &str, span: Span, itself: Option<Duration>, directory: &Path) -> u64 {
    let loaded = config::load_str(toml, []).unwrap().config;
    let settings = backfill::Settings {
        watchlist: loaded.watchlist,
        page_size: loaded.posts.page_size,
        seed: 1,
        beginning: World::BEGINNING,
        span,
        posts_every: HOUR,
        itself,
    };
    let directory = Directory::create(directory, &labels()).unwrap();
    backfill::backfill(&settings, &directory, &|_| ()).unwrap()
}

#[test]
fn the_simulated_past_is_what_the_world_was() {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("files");
    let span = Span { from: NOW - HOUR * 9, to: NOW, step: STEP };
    let toml = r#"
        [refresh]
        totals_interval = "15s"
        [[watch]]
        hashtags = ["booktok", "indiebeauty", "smallbusinesscheck"]
        regions = ["US", "GB"]
    "#;
    let written = write_backfill(toml, span, &files);
    let series = read(&files);
    assert_eq!(written, series.values().map(|points| points.len() as u64).sum::<u64>());

    let world = World::new(1);
    for name in ["booktok", "indiebeauty", "smallbusinesscheck"] {
        let key = format!(r#"tiktok_hashtag_views{{hashtag="{name}",job="tiktok",instance="a\"b"}}"#);
        let points = series.get(&key).unwrap_or_else(|| panic!("no {key} among {:?}", series.keys()));
        assert_eq!(points.len(), 9 * 15, "{name}: one every four minutes");
        for (at, value) in points {
            let totals = world.totals(&Hashtag::parse(name).unwrap(), Timestamp::from_secs(*at)).unwrap();
            assert_eq!(*value, totals.views.unwrap() as f64, "{name} at {at}");
        }
    }
    let velocities = series.keys().filter(|key| key.starts_with("tiktok_hashtag_sample_velocity{"));
    assert_eq!(velocities.count(), 6);

    let data = directory.path().join("data");
    make_blocks(&files, &data);
    // promtool dumps no directory without a log of what is not in blocks yet.
    fs::create_dir(data.join("wal")).unwrap();
    let dump = Command::new("promtool").args(["tsdb", "dump"]).arg(&data).output().unwrap();
    let dumped = String::from_utf8_lossy(&dump.stdout).lines().filter(|line| line.starts_with('{')).count();
    assert_eq!(dumped as u64, written, "samples in the blocks");
}

#[test]
fn a_past_is_the_same_however_it_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let toml = "[refresh]\nposts_interval = \"1h\"\ntotals_interval = \"5m\"
        [[watch]]\nhashtags = [\"glowup\", \"fyp\"]\nregions = [\"DE\"]";
    let [whole, first, second] = ["whole", "first", "second"].map(|name| directory.path().join(name));
    let middle = NOW - HOUR * 3;
    write_backfill(toml, Span { from: NOW - HOUR * 7, to: NOW, step: STEP }, &whole);
    write_backfill(toml, Span { from: NOW - HOUR * 7, to: middle, step: STEP }, &first);
    write_backfill(toml, Span { from: middle, to: NOW, step: STEP }, &second);
    let mut joined = read(&first);
    for (key, points) in read(&second) {
        joined.entry(key).or_default().extend(points);
    }
    let whole = read(&whole);
    // What an exporter has seen of a count before decides on its step: a late one has seen less.
    for (key, points) in whole.iter().filter(|(key, _)| !key.contains("_resolution")) {
        let live = |points: &[(i64, f64)]| {
            points.iter().filter(|(at, _)| *at > middle.as_secs() + 3_600).copied().collect::<Vec<_>>()
        };
        assert_eq!(live(points), live(&joined[key]), "{key}");
    }
    assert_eq!(whole.keys().collect::<BTreeSet<_>>(), joined.keys().collect());
}

#[test]
fn the_exporter_of_the_past_tells_what_it_spent() {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("files");
    // Midnight is in the middle.
    let midnight = Timestamp::from_secs(NOW.as_secs() - 12 * 3_600);
    let span = Span { from: midnight - HOUR, to: midnight + HOUR, step: STEP };
    let toml = "[refresh]\ntotals_interval = \"15s\"\nposts_interval = \"1h\"\n\
        [[watch]]\nhashtags = [\"glowup\", \"fyp\"]\nregions = [\"DE\"]\npages_max = 1";
    write_with(toml, span, Some(Duration::from_millis(60)), &files);
    let series = read(&files);
    let points = |metric: &str, labels: &str| {
        let key = format!(r#"{metric}{{{labels}job="tiktok",instance="a\"b"}}"#);
        series.get(&key).unwrap_or_else(|| panic!("no {key} among {:#?}", series.keys())).clone()
    };
    // Two hashtags, each looked up sixteen times in the four minutes of a step.
    let totals = r#"endpoint="challenge-info-id",purpose="totals","#;
    let spent = points("tiktok_exporter_credits_spent_total", totals);
    assert_eq!(spent.len(), 30, "one every four minutes");
    let grown = spent.windows(2).map(|two| two[1].1 - two[0].1);
    // A stretch that begins anew is a restart.
    assert!(grown.filter(|grown| *grown >= 0.0).all(|grown| grown == 32.0), "{spent:?}");
    let answered = r#"endpoint="challenge-info-id",outcome="success","#;
    assert_eq!(points("tiktok_exporter_upstream_requests_total", answered), spent);
    let quick = r#"endpoint="challenge-info-id",le="0.1","#;
    assert_eq!(points("tiktok_exporter_upstream_request_duration_seconds_bucket", quick), spent);
    // The day ends, the month goes on.
    let day = points("tiktok_exporter_budget_spent_credits", r#"window="day","#);
    let at_midnight = day.iter().find(|(at, _)| *at == midnight.as_secs()).unwrap().1;
    assert!((32.0..40.0).contains(&at_midnight), "{day:?}");
    let forecast = points("tiktok_exporter_forecast_day_credits", "");
    let last = forecast.last().unwrap().1;
    assert!((last - 2.0 * 4.0 * 1_440.0).abs() < 60.0, "a day of two hashtags every 15 s: {last}");
    assert!(!series.keys().any(|key| key.contains("search-video")), "what was never asked is not told");
}

#[test]
fn a_directory_with_something_in_it_is_not_written_to() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("precious"), "").unwrap();
    let error = Directory::create(directory.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("not empty"), "{error}");
}

/// The tutorial's table, as its own code makes it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS hashtag_snapshot (
    captured_at INTEGER, name TEXT, challenge_id TEXT, post_count INTEGER, view_count INTEGER,
    velocity REAL, last_24h INTEGER, daily_avg_7d REAL, PRIMARY KEY (captured_at, challenge_id))";

fn import(sql: &str) -> (Result<tutorial::Report, String>, Series) {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("hashtag_watchlist.sqlite");
    Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    let settings = tutorial::Settings { group: "old".to_owned(), max_age: 2 * DAY, step: STEP, now: NOW };
    let files = directory.path().join("files");
    let to = Directory::create(&files, &[]).unwrap();
    let report = tutorial::import(&database, &to, &settings, |_| ()).map_err(|error| error.to_string());
    make_blocks(&files, &directory.path().join("data"));
    let series = read(&files);
    (report, series)
}

#[test]
fn the_history_of_the_tutorial_is_shown_as_the_exporter_would_have_shown_it() {
    let day = |n: i64| NOW.as_secs() - 86_400 * n;
    let row = |at: i64, name: &str, posts: u64, views: u64| {
        format!(
            "INSERT INTO hashtag_snapshot VALUES ({at}, '{name}', '77', {posts}, {views}, 2.33, 5, 2.14);"
        )
    };
    let rows = [
        row(day(10), "BookTok", 100, 5_000),
        row(day(9), "booktok", 110, 9_007_199_254_740_991),
        row(day(5), "booktok", 130, 7_000),
    ];
    let (report, series) = import(&format!("{TABLE}; {}", rows.join("\n")));
    let report = report.unwrap();
    assert_eq!((report.rows, report.imported, &report.left_out), (3, 3, &BTreeMap::new()));
    assert_eq!(report.samples, series.values().map(|points| points.len() as u64).sum::<u64>());

    let views = &series[r#"tiktok_hashtag_views{hashtag="booktok"}"#];
    let at = |day: i64| views.iter().find(|(at, _)| *at >= NOW.as_secs() - 86_400 * day).copied();
    assert_eq!(at(10).unwrap().1, 5_000.0);
    assert_eq!(at(9).unwrap().1, 9_007_199_254_740_991.0, "the largest count that a sample holds exactly");
    // Four days between two readings: a value is shown for two of them, then it is too old.
    let last_of_gap = views.iter().rev().find(|(at, _)| *at < day(5)).unwrap().0;
    assert!((day(7) - 240..=day(7)).contains(&last_of_gap), "until {last_of_gap}, not {}", day(7));
    assert_eq!(views.last().unwrap().0 / 240, (day(3)) / 240, "two days after the last reading");
    let of_week = &series[r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="any",window="7d"}"#];
    assert_eq!(of_week[0].1, 15.0, "2.14 a day, rounded from 15 a week");
    let times = &series[r#"tiktok_hashtag_last_success_timestamp_seconds{hashtag="booktok"}"#];
    assert_eq!(
        times.iter().map(|(_, value)| *value as i64).collect::<BTreeSet<_>>(),
        BTreeSet::from([day(10), day(9), day(5)])
    );
    assert!(series.contains_key(
        r#"tiktok_hashtag_info{hashtag="booktok",challenge_id="77",commerce="unknown",group="old"}"#
    ));
    assert!(series.contains_key(r#"tiktok_hashtag_refresh_interval_seconds{hashtag="booktok"}"#));
    assert_eq!(series[r#"tiktok_hashtag_views_resolution{hashtag="booktok"}"#][0].1, 1_000.0);
}

#[test]
fn nothing_of_a_broken_table_is_dropped_in_silence() {
    let at = NOW.as_secs() - 86_400;
    let insert = |values: &str| format!("INSERT INTO hashtag_snapshot VALUES ({values});");
    let later = NOW.as_secs() + 60;
    for (values, imported, complaint) in [
        (format!("{at}, 'a', '1', 5, 6, 1.0, 1, 1.0"), 1, ""),
        (
            "'yesterday', 'a', '1', 5, 6, 1.0, 1, 1.0".to_owned(),
            0,
            "captured_at is not a whole number of seconds",
        ),
        ("NULL, 'a', '1', 5, 6, 1.0, 1, 1.0".to_owned(), 0, "captured_at is not a whole number of seconds"),
        (format!("{later}, 'a', '1', 5, 6, 1.0, 1, 1.0"), 0, "captured_at lies in the future"),
        ("12, 'a', '1', 5, 6, 1.0, 1, 1.0".to_owned(), 0, "captured_at lies in the future or before TikTok"),
        (format!("{at}, NULL, '1', 5, 6, 1.0, 1, 1.0"), 0, "name is not a hashtag"),
        (format!("{at}, 'two words', '1', 5, 6, 1.0, 1, 1.0"), 0, "name is not a hashtag"),
        (format!("{at}, 'a', NULL, 5, 6, 1.0, 1, 1.0"), 1, ""),
        (format!("{at}, 'a', '1', -5, 6, 1.0, 1, 1.0"), 1, "post_count is out of range"),
        (format!("{at}, 'a', '1', 5.5, 6, 1.0, 1, 1.0"), 1, "post_count is out of range"),
        (format!("{at}, 'a', '1', 'many', 6, 1.0, 1, 1.0"), 1, "post_count is out of range or not a number"),
        (format!("{at}, 'a', '1', 5, NULL, 1.0, 1, 1.0"), 1, "view_count is empty"),
        (format!("{at}, 'a', '1', 5, 6, 9.0, 1, 1.0"), 1, "velocity is out of range"),
        (format!("{at}, 'a', '1', 5, 6, 1.0, 1, 1e300"), 1, "daily_avg_7d is out of range"),
        (format!("{at}, 'a', '1', NULL, NULL, NULL, NULL, NULL"), 0, "no number can be used"),
        (format!("{at}, 'a', x'00ff', 5, 6, 1.0, 1, x'00'"), 1, "daily_avg_7d is out of range"),
    ] {
        let (report, series) = import(&format!("{TABLE}; {}", insert(&values)));
        let report = report.unwrap();
        assert_eq!((report.rows, report.imported), (1, imported), "{values}: {report:?}");
        assert_eq!(series.is_empty(), imported == 0, "{values}");
        let told = report.left_out.keys().any(|what| what.contains(complaint));
        assert!(
            told || (complaint.is_empty() && report.left_out.is_empty()),
            "{values}: {:?}",
            report.left_out
        );
        let counted: u64 = report.left_out.values().sum();
        assert_eq!(report.examples.len() as u64, counted.min(10), "{values}: {:?}", report.examples);
    }
    let twice = [
        insert(&format!("{at}, 'a', '1', 5, 6, 1.0, 1, 1.0")),
        insert(&format!("{at}, '#A', '2', 7, 8, 1.0, 1, 1.0")),
    ];
    let (report, _) = import(&format!("{TABLE}; {}", twice.concat()));
    let report = report.unwrap();
    assert_eq!((report.rows, report.imported), (2, 1));
    assert_eq!(report.examples, ["row 2: a second reading of the same hashtag at the same time"]);
}

#[test]
fn what_is_no_table_of_the_tutorial_is_said_to_be_none() {
    for (sql, complaint) in [
        ("CREATE TABLE other (x)", "no table hashtag_snapshot"),
        ("CREATE TABLE hashtag_snapshot (captured_at, name)", "no column challenge_id, post_count"),
    ] {
        let error = import(sql).0.unwrap_err();
        assert!(error.contains(complaint), "{error}");
    }
    let (report, series) = import(TABLE);
    assert_eq!((report.unwrap(), series.len()), (tutorial::Report::default(), 0), "an empty table");
}
