//! The parts that run often or on much: rendering, the maths of samples, reading an answer, the
//! schedule, and the ledger. `cargo bench --bench parts`.

#![allow(clippy::unwrap_used, reason = "a bench may stop at what it did not expect")]

#[path = "scrape/world.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod world;

use units::Timestamp;

/// The time at which everything happens.
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn main() {
    divan::main();
}

mod page {
    use std::sync::Arc;

    use divan::{Bencher, black_box};
    use metrics_page::PageSource;
    use tiktok_exporter::credits::Ledger;
    use tiktok_exporter::credits::Limits;
    use tiktok_exporter::page::Exposition;
    use tiktok_exporter::state::State;
    use tiktok_exporter::store::Store;
    use tiktok_exporter::telemetry::Telemetry;
    use units::Clock;
    use units::Timestamp;

    use super::{NOW, world};

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            NOW
        }
    }

    fn shown(samples: usize) -> Exposition {
        let state = State::default();
        state.publish(world::snapshot(world::hashtags_for(samples), NOW));
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let store = Arc::new(Store::in_memory().unwrap());
        let ledger = Arc::new(Ledger::open(store, Limits::default(), NOW).unwrap());
        Exposition::new(state, ledger, Arc::new(Stopped), telemetry)
    }

    /// The text alone.
    #[divan::bench(args = [1_500, 15_000, 150_000])]
    fn render(bencher: Bencher, samples: usize) {
        let shown = shown(samples);
        bencher.bench_local(|| shown.write_results(|text| _ = black_box(text)));
    }

    /// Rendered and compressed.
    #[divan::bench(args = [1_500, 15_000, 150_000])]
    fn render_and_compress(bencher: Bencher, samples: usize) {
        let shown = shown(samples);
        bencher.bench_local(|| shown.render());
    }

    /// What is rendered again when a counter has changed.
    #[divan::bench]
    fn own_figures(bencher: Bencher) {
        let shown = shown(100);
        let rendered = shown.render().unwrap().extra;
        bencher.bench_local(|| shown.own_figures(&rendered));
    }

    /// What is read for every scrape.
    #[divan::bench]
    fn every_scrape(bencher: Bencher) {
        let shown = shown(100);
        let rendered = shown.render().unwrap().extra;
        bencher.bench_local(|| (shown.mark(&rendered), shown.live_figures()));
    }
}

mod sample {
    use divan::Bencher;
    use tiktok_api::{Post, Region};
    use tiktok_exporter::model::PostSample;
    use units::HOUR;

    use super::NOW;

    /// Velocity and all the other figures of three full pages.
    #[divan::bench]
    fn figures_of_105_posts(bencher: Bencher) {
        let region = Region::parse("US").unwrap();
        let post = |number: u32| Post {
            id: number.to_string(),
            created_at: Some(NOW - HOUR * (3 * number)),
            region: (!number.is_multiple_of(4)).then_some(region),
            plays: Some(u64::from(number) * 1_000),
            likes: Some(u64::from(number) * 100),
            comments: Some(u64::from(number)),
            shares: Some(u64::from(number)),
            saves: Some(u64::from(number)),
            title: Post::title("what its author wrote"),
            author: None,
        };
        let sample =
            PostSample { posts: (1..=105).map(post).collect(), seen: 105, pages: 3, exhausted: false };
        bencher.bench_local(|| sample.stats(region, NOW));
    }
}

mod answer {
    use divan::Bencher;
    use tiktok_api::fake::{Body, Request, Settings, Simulator};
    use tiktok_api::{Cursor, Dialect, Query, RawAnswer};
    use tiktok_api::{Hashtag, Region};

    use super::NOW;

    /// A page of posts as the API sends it.
    #[divan::bench]
    fn page_of_35_posts(bencher: Bencher) {
        let simulator = Simulator::new(Settings::default());
        let id = simulator.id(&Hashtag::parse("fyp").unwrap());
        let query = format!("challenge_id={id}&count=35&region=US");
        let request = Request { path: "/challenge-posts/", query: &query, key: Some("any") };
        let Body::Whole(body) = simulator.answer(request, NOW).body else { panic!("no whole answer") };
        let raw = RawAnswer {
            status: 200,
            retry_after: None,
            location: None,
            simulated: true,
            body: body.into_bytes().into(),
        };
        let query =
            Query::Posts { id, region: Region::parse("US").unwrap(), count: 35, cursor: Cursor::start() };
        Dialect::default().read(&query, &raw).expect("an answer that can be read");
        bencher.bench_local(|| Dialect::default().read(&query, &raw));
    }
}

mod schedule {
    use std::time::Duration;

    use divan::Bencher;
    use tiktok_api::Region;
    use tiktok_exporter::schedule::{Past, Planned, Schedule, jobs};
    use tiktok_exporter::state::Outcome;
    use tiktok_exporter::watch::{Block, Terms, Watchlist};
    use units::{DAY, HOUR};

    use super::{NOW, world};

    /// 2,500 hashtags in three regions: 10,000 jobs.
    fn planned() -> Vec<Planned> {
        let block = Block {
            hashtags: world::names(2_500).collect(),
            terms: Terms {
                regions: world::REGIONS.map(|region| Region::parse(region).unwrap()).into(),
                group: "default".into(),
                totals_interval: HOUR * 6,
                posts_interval: DAY,
                max_age: DAY * 2,
                pages_max: 3,
            },
        };
        jobs(&Watchlist::merge(&[block]).0, &[]).collect()
    }

    fn schedule(planned: &[Planned]) -> Schedule {
        let past = Past { last: Some((NOW - HOUR, Outcome::Success)), resolved: true, absent: false };
        Schedule::new(planned, DAY, |_| past, NOW)
    }

    #[divan::bench]
    fn plan_10_000_jobs(bencher: Bencher) {
        let planned = planned();
        bencher.bench_local(|| schedule(&planned));
    }

    /// Every job runs once or more: a day in steps of ten seconds.
    #[divan::bench(sample_count = 10)]
    fn a_day_of_10_000_jobs(bencher: Bencher) {
        let planned = planned();
        bencher.with_inputs(|| schedule(&planned)).bench_local_values(|mut schedule| {
            let mut now = NOW;
            while now < NOW + DAY {
                while let Some((job, _)) = schedule.start_next(now, |_| true) {
                    schedule.finished(&job, Outcome::Success, now);
                }
                now = now + Duration::from_secs(10);
            }
            schedule
        });
    }
}

mod ledger {
    use std::sync::Arc;

    use divan::Bencher;
    use tiktok_api::Operation;
    use tiktok_exporter::credits::{Ledger, Settlement};
    use tiktok_exporter::store::Store;
    use tiktok_exporter::{
        credits::Limits,
        model::{Expense, JobKind, Purpose},
    };

    use super::{NOW, world};

    /// One credit, durable before and after its request: two transactions on whatever disk this is.
    #[divan::bench]
    fn reserve_and_settle_on_disk(bencher: Bencher) {
        let files = tempfile::tempdir().unwrap();
        let store = Store::open(&files.path().join("store")).unwrap();
        reserve_and_settle(bencher, store);
    }

    /// The same without a disk.
    #[divan::bench]
    fn reserve_and_settle_in_memory(bencher: Bencher) {
        reserve_and_settle(bencher, Store::in_memory().unwrap());
    }

    fn reserve_and_settle(bencher: Bencher, store: Store) {
        let ledger = Ledger::open(Arc::new(store), Limits::default(), NOW).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let expense = Expense {
            operation: Operation::HashtagById,
            purpose: Purpose::Job(JobKind::Totals),
            hashtag: world::names(1).next(),
        };
        bencher.bench_local(|| {
            runtime.block_on(async {
                let reservation = ledger.reserve(expense.clone(), NOW).await.unwrap();
                ledger.settle(reservation, Settlement::Spent).await;
            });
        });
    }
}
