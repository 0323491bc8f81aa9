//! Weeks of polling in minutes: the real loop, ledger and store under a paused clock, with a source that
//! answers at once. Memory and store must stay as they are, and every look must come at its time.
//!
//! `SOAK_DAYS` and `SOAK_HASHTAGS` set how much (4 and 60 by default). The full run:
//! `SOAK_DAYS=30 SOAK_HASHTAGS=500 cargo test --release --test it soak -- --nocapture`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tiktok_api::{BoxFuture, Dialect, Error, Query, RawAnswer, Transport};
use tiktok_exporter::credits::Limits;
use tiktok_exporter::store::Store;
use tokio::time::sleep;
use units::{DAY, HOUR, SharedClock, TimerClock, Timestamp};

use crate::support::looped::Loop;

/// A midnight.
const EPOCH: Timestamp = Timestamp::from_secs(1_799_971_200);
const REGIONS: [&str; 3] = ["US", "GB", "DE"];
const TOTALS: Duration = Duration::from_secs(6 * HOUR.as_secs());
const POSTS: Duration = DAY;
/// A look may come so much later than its time: the rate limit spreads what is due together.
const LATE: Duration = Duration::from_secs(60);

/// What is known of the looks at one thing.
#[derive(Clone, Copy)]
struct Looks {
    number: u64,
    /// Where in its interval the first regular one lay, and how far from there the others.
    phase: Duration,
    off: Duration,
}

/// A source that answers everything at once, and remembers only when it was asked.
struct Source {
    clock: SharedClock,
    looks: Mutex<HashMap<String, Looks>>,
}

impl Source {
    fn answer(&self, query: &Query) -> String {
        let now = self.clock.now();
        let passed = now.saturating_since(EPOCH);
        let (name, interval, answer) = match query {
            Query::HashtagByName(hashtag) => {
                let number: u64 = hashtag.as_str().trim_start_matches("soak").parse().unwrap();
                (format!("totals {number}"), TOTALS, look_up(number, passed))
            }
            Query::HashtagById(id) => {
                let number: u64 = id.as_str().parse::<u64>().unwrap() - 1_000;
                (format!("totals {number}"), TOTALS, look_up(number, passed))
            }
            Query::Posts { id, region, .. } => {
                let at = now.as_secs();
                let posts: Vec<String> = (0..30)
                    .map(|n| {
                        format!(r#"{{"video_id":"{n}","create_time":{},"play_count":{n}}}"#, at - n * 30_000)
                    })
                    .collect();
                let page = format!(r#"{{"videos":[{}],"cursor":"30","hasMore":false}}"#, posts.join(","));
                (format!("posts {id} {region:?}"), POSTS, page)
            }
            other => panic!("nobody asks for {other:?}"),
        };
        let phase = Duration::from_secs(passed.as_secs() % interval.as_secs());
        let mut looks = self.looks.lock().unwrap();
        let look = looks.entry(name).or_insert(Looks { number: 0, phase, off: Duration::ZERO });
        look.number += 1;
        // The first look comes at once; the second is the first in its turn.
        if look.number == 2 {
            look.phase = phase;
        }
        if look.number > 2 {
            let off = phase.abs_diff(look.phase);
            look.off = look.off.max(off.min(interval.abs_diff(off)));
        }
        answer
    }
}

fn look_up(number: u64, passed: Duration) -> String {
    let views = 1_000_000 + number * 1_000 + passed.as_secs();
    format!(
        r#"{{"id":"{}","cha_name":"soak{number}","user_count":{},"view_count":{views}}}"#,
        number + 1_000,
        views / 100
    )
}

impl Transport for Source {
    fn send<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<RawAnswer, Error>> {
        Box::pin(async move {
            let body = self.answer(query).into();
            Ok(RawAnswer { status: 200, retry_after: None, location: None, simulated: false, body })
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::default()
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

fn watching(hashtags: u64) -> String {
    let names: Vec<String> = (0..hashtags).map(|number| format!("\"soak{number}\"")).collect();
    format!("[[watch]]\nhashtags = [{}]\nregions = {REGIONS:?}\n", names.join(","))
}

/// Resident memory of this process in kB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Size of all files in kB.
fn size(directory: &Path) -> f64 {
    let files = fs::read_dir(directory).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len() as f64 / 1024.0).sum()
}

#[tokio::test(start_paused = true)]
async fn weeks_leave_no_trace_in_memory_and_every_look_comes_in_its_turn() {
    let (days, hashtags) = (setting("SOAK_DAYS", 4), setting("SOAK_HASHTAGS", 60));
    // In memory where there is such a place: what is soaked is the program, not the disk.
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let clock: SharedClock = Arc::new(TimerClock::starting_at(EPOCH));
    let source = Arc::new(Source { clock: clock.clone(), looks: Mutex::default() });
    let store = Arc::new(Store::open(&directory.path().join("soak.sqlite")).unwrap());
    let looped = Loop::run(source.clone(), clock, store, Limits::default(), &watching(hashtags)).await;

    let mut by_day = Vec::new();
    for _ in 0..days {
        for _ in 0..24 {
            sleep(HOUR).await;
            looped.exposition.encode().unwrap();
        }
        by_day.push((resident(), size(directory.path())));
    }
    looped.stop().await;

    let looks = source.looks.lock().unwrap().clone();
    let asked: u64 = looks.values().map(|looks| looks.number).sum();
    let off = looks.values().map(|looks| looks.off).max().unwrap();
    let (first, last) = (by_day[0], by_day[by_day.len() - 1]);
    println!(
        "{days} days of {hashtags} hashtags in {} regions: {asked} requests; furthest from its turn: {:.1} s\n\
         resident, MiB: {:.1} after the first day, {:.1} after the last, {:.1} at most\n\
         store, MiB: {:.2} after the first day, {:.2} after the last",
        REGIONS.len(),
        off.as_secs_f64(),
        first.0 / 1024.0,
        last.0 / 1024.0,
        by_day.iter().map(|(resident, _)| resident / 1024.0).fold(0.0, f64::max),
        first.1 / 1024.0,
        last.1 / 1024.0,
    );
    assert_eq!(looks.len() as u64, hashtags * (1 + REGIONS.len() as u64), "something was never asked for");
    for (name, looks) in &looks {
        let interval = if name.starts_with("totals") { TOTALS } else { POSTS };
        let turns = days * DAY.as_secs() / interval.as_secs();
        // The first look is beyond them; one may come just after the end.
        assert!(
            (turns..=turns + 1).contains(&looks.number),
            "{name}: {} looks in {turns} turns",
            looks.number
        );
    }
    assert!(off <= LATE, "a look came {off:?} from its turn");
    let half = by_day[by_day.len() / 2];
    assert!(last.0 <= half.0 * 1.25 + 8_192.0, "memory grows: {:?}", by_day);
    assert!(last.1 <= 64.0 * 1_024.0, "the store grows: {:?}", by_day);
}
