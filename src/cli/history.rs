//! `backfill` and `import`: writing the past.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tiktok_api::fake::World;
use units::{Clock, DAY, HOUR, Problems, SystemClock, Timestamp};

use super::EXIT_CONFIG;
use super::demo::{DEMO_TOML, LATENCY};
use super::text::print;
use crate::config::{self, Loaded};
use crate::history::{Directory, Span, WriteError, backfill, stages, tutorial};

/// Prometheus looks back five minutes for a value; with more between two samples a series would
/// have holes.
const LOOK_BACK: Duration = Duration::from_secs(300);
/// Labels that the series have themselves.
const OWN_LABELS: [&str; 6] = ["challenge_id", "commerce", "group", "hashtag", "region", "window"];

/// Flags of both.
#[derive(Debug, clap::Args)]
struct Output {
    /// The directory for the files; made if it does not exist, else it must be empty
    #[arg(long, value_name = "DIRECTORY")]
    output: PathBuf,
    /// Time between two samples of a series, 1s to 5m, the time that Prometheus looks back
    #[arg(long, value_name = "DURATION", default_value = "4m", value_parser = step)]
    step: Duration,
    /// Time that a file and the block made of it span: 2h, 6h, 18h, 54h or 162h
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = block)]
    block: Duration,
    /// A label that scraping would add to every series (repeatable)
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label,
          default_values = ["job=tiktok", "instance=exporter:10110"])]
    labels: Vec<(String, String)>,
}

/// Flags of `backfill`.
#[derive(Debug, clap::Args)]
pub(super) struct BackfillArgs {
    #[command(flatten)]
    to: Output,
    /// The configuration whose watchlist is used [default: that of the demo]
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Number of days
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_500))]
    days: u32,
    /// Shortest time between two samples of posts, from 1m; shorter takes longer
    #[arg(long = "posts-every", value_name = "DURATION", default_value = "1h", value_parser = posts_every)]
    posts_every: Duration,
    /// Also write the recording rules and the alerts about trends of this directory's *.rules.yml files,
    /// in the stages in which promtool can record them over this past, to OUTPUT/rules
    #[arg(long, value_name = "DIRECTORY")]
    rules: Option<PathBuf>,
    /// The end, such as 2026-01-31T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// The simulated world; the same seed is the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When that world began, as for `simulate` [default: 2022-01-01T00:00:00Z]
    #[arg(long, value_name = "TIME", value_parser = time)]
    beginning: Option<Timestamp>,
}

/// Flags of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The tutorial's SQLite file, usually hashtag_watchlist.sqlite
    database: PathBuf,
    #[command(flatten)]
    to: Output,
    /// The group that the hashtags are shown in
    #[arg(long, default_value = "imported")]
    group: String,
    /// A reading is shown until the next one, but for no longer than this
    #[arg(long = "max-age", value_name = "DURATION", default_value = "2d", value_parser = humantime::parse_duration)]
    max_age: Duration,
}

/// Exits with 0 and what was written, with 1 if it cannot be written, or with 78 and every problem
/// of the configuration.
pub(super) fn run_backfill(args: &BackfillArgs) -> ExitCode {
    let config = match watchlist(args.config_file.as_deref()) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            print(std::io::stderr(), &problems.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let to = args.until.unwrap_or_else(|| SystemClock.now());
    let settings = backfill::Settings {
        page_size: config.posts.page_size,
        watchlist: config.watchlist,
        seed: args.seed,
        beginning: args.beginning.unwrap_or(World::BEGINNING),
        span: Span { from: to - DAY * args.days, to, step: args.to.step },
        posts_every: args.posts_every,
        itself: Some(LATENCY),
    };
    let bar = progress_bar();
    let written = args
        .to
        .directory()
        .and_then(|directory| backfill::backfill(&settings, &directory, &|share| advance(&bar, share)));
    bar.finish_and_clear();
    let samples = match written {
        Ok(samples) => samples,
        Err(error) => return failed(&error),
    };
    if let Some(rules) = &args.rules
        && let Err(error) = stages::write(rules, &args.to.output.join("rules"))
    {
        return failed(&error);
    }
    args.to.report(samples)
}

/// Exits with 0 if something was imported, whatever was left out and reported; else with 1.
pub(super) fn run_import(args: &ImportArgs) -> ExitCode {
    let settings = tutorial::Settings {
        group: args.group.clone(),
        max_age: args.max_age,
        step: args.to.step,
        now: SystemClock.now(),
    };
    let bar = progress_bar();
    let imported = args.to.directory().map_err(tutorial::ImportError::from).and_then(|directory| {
        tutorial::import(&args.database, &directory, &settings, |share| advance(&bar, share))
    });
    bar.finish_and_clear();
    let report = match imported {
        Ok(report) => report,
        Err(error) => return failed(&error),
    };
    for (what, times) in &report.left_out {
        print(std::io::stderr(), &format!("left out {times} times: {what}"));
    }
    for example in &report.examples {
        print(std::io::stderr(), &format!("  {example}"));
    }
    print(std::io::stdout(), &format!("{} of {} rows imported.", report.imported, report.rows));
    if report.imported == 0 {
        print(std::io::stderr(), "nothing was imported");
        return ExitCode::FAILURE;
    }
    args.to.report(report.samples)
}

impl Output {
    fn directory(&self) -> Result<Directory, WriteError> {
        Ok(Directory::create(&self.output, &self.labels)?.with_blocks_of(self.block))
    }

    fn report(&self, samples: u64) -> ExitCode {
        let directory = self.output.display();
        let hours = self.block.as_secs() / HOUR.as_secs();
        print(
            std::io::stdout(),
            &format!(
                "{samples} samples written to {directory}. To make blocks of them in the data directory DATA of a \
                 Prometheus:\n\n    \
                 for file in {directory}/*.om; do\n        \
                 promtool tsdb create-blocks-from --max-block-duration={hours}h openmetrics -q \"$file\" DATA\n    done"
            ),
        );
        ExitCode::SUCCESS
    }
}

fn watchlist(path: Option<&Path>) -> Result<Loaded, Problems> {
    match path {
        Some(path) => config::load(path, config::process_environment()),
        None => config::load_str(DEMO_TOML, []),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    print(std::io::stderr(), &error.to_string());
    ExitCode::FAILURE
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent} % {elapsed} (about {eta} left)");
    ProgressBar::new(1_000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn advance(bar: &ProgressBar, share: f64) {
    bar.set_position((share * 1_000.0) as u64);
}

fn step(text: &str) -> Result<Duration, String> {
    let step = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_secs(1)..=LOOK_BACK;
    if allowed.contains(&step) { Ok(step) } else { Err("is out of range (1s to 5m)".to_owned()) }
}

/// As long as Prometheus makes its blocks: 2h times a power of three.
fn block(text: &str) -> Result<Duration, String> {
    let length = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = [1, 3, 9, 27, 81].map(|times| 2 * HOUR * times);
    if allowed.contains(&length) { Ok(length) } else { Err("is none of 2h, 6h, 18h, 54h, 162h".to_owned()) }
}

fn posts_every(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_secs(60)..=DAY;
    if allowed.contains(&every) { Ok(every) } else { Err("is out of range (1m to 1d)".to_owned()) }
}

/// A point in time, in UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let time = humantime::parse_rfc3339_weak(text).map_err(|error| error.to_string())?;
    let since_epoch =
        time.duration_since(std::time::UNIX_EPOCH).map_err(|_| "lies before 1970".to_owned())?;
    Ok(Timestamp::from_secs(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not NAME=VALUE")?;
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || name.starts_with("__")
    {
        return Err(format!("{name:?} is not the name of a label (letters, digits and _)"));
    }
    if OWN_LABELS.contains(&name) {
        return Err(format!("the series have a label {name} of their own"));
    }
    Ok((name.to_owned(), value.to_owned()))
}
