//! Every fault of the simulator, and what `/metrics` shows while it lasts and after it.

use std::thread;

use crate::support::process::{Metrics, Process, Simulator, serve, write_config};

const WATCH: &str = r#"
hashtags = ["booktok"]
regions = ["US"]
"#;

/// What a fault looks like on `/metrics`.
#[derive(Debug, Clone, Copy)]
enum Shows {
    /// Requests of this class are counted, `up` falls to 0, the last good values stay.
    Failure(&'static str),
    /// As [`Failure`](Self::Failure); and the hashtag counts as not found.
    Gone,
    /// All requests stop for this reason; `up` and the values stay as they were.
    Stop(&'static str),
    /// Nothing but successful refreshes: the answer can be read all the same.
    Nothing,
}

use Shows::{Failure, Gone, Nothing, Stop};

const FAULTS: [(&str, Shows); 23] = [
    (r#"{"kind": "latency", "milliseconds": 20}"#, Nothing),
    (r#"{"kind": "latency", "milliseconds": 4000}"#, Failure("transient")),
    (r#"{"kind": "hang"}"#, Failure("transient")),
    (r#"{"kind": "throttle"}"#, Failure("throttled")),
    (r#"{"kind": "throttle", "retry_after_seconds": 1}"#, Failure("throttled")),
    (r#"{"kind": "throttle_as200"}"#, Failure("throttled")),
    (r#"{"kind": "server_error"}"#, Failure("transient")),
    (r#"{"kind": "server_error", "status": 503}"#, Failure("transient")),
    (r#"{"kind": "server_error", "status": 531}"#, Failure("transient")),
    (r#"{"kind": "html"}"#, Failure("transient")),
    (r#"{"kind": "empty"}"#, Failure("transient")),
    (r#"{"kind": "redirect"}"#, Failure("malformed")),
    (r#"{"kind": "cut_off"}"#, Failure("transient")),
    (r#"{"kind": "endless"}"#, Failure("malformed")),
    (r#"{"kind": "dead_key"}"#, Stop("auth")),
    (r#"{"kind": "no_credits"}"#, Stop("credits_exhausted")),
    (r#"{"kind": "not_found"}"#, Gone),
    (r#"{"kind": "wrong_hashtag", "endpoint": "challenge-info-id"}"#, Failure("malformed")),
    (r#"{"kind": "array"}"#, Failure("malformed")),
    (r#"{"kind": "null_fields"}"#, Failure("malformed")),
    (r#"{"kind": "string_counts"}"#, Nothing),
    (r#"{"kind": "negative_counts"}"#, Failure("malformed")),
    (r#"{"kind": "numeric_ids"}"#, Nothing),
];

const UP: &str = r#"tiktok_hashtag_up{hashtag="booktok"}"#;
const SAMPLE_UP: &str = r#"tiktok_hashtag_sample_up{hashtag="booktok",region="US"}"#;
const FOUND: &str = r#"tiktok_hashtag_found{hashtag="booktok"}"#;
const VIEWS: &str = r#"tiktok_hashtag_views{hashtag="booktok"}"#;
const RESULTS: [&str; 5] = [
    VIEWS,
    r#"tiktok_hashtag_posts{hashtag="booktok"}"#,
    r#"tiktok_hashtag_sample_velocity{hashtag="booktok",region="US"}"#,
    r#"tiktok_hashtag_sample_plays{hashtag="booktok",region="US"}"#,
    r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="US",window="all"}"#,
];

fn is_well(metrics: &Metrics) -> bool {
    metrics.get(UP) == Some(1.0) && metrics.get(SAMPLE_UP) == Some(1.0)
}

fn results(metrics: &Metrics) -> Vec<f64> {
    RESULTS.iter().map(|series| metrics.value(series)).collect()
}

fn breaker(metrics: &Metrics, reason: &str) -> f64 {
    metrics.value(&format!("tiktok_exporter_upstream_breaker_open{{reason=\"{reason}\"}}"))
}

/// Refreshes of both kinds that ended with success.
fn successes(metrics: &Metrics) -> f64 {
    let of = |kind| {
        metrics.value(&format!("tiktok_exporter_refreshes_total{{kind=\"{kind}\",outcome=\"success\"}}"))
    };
    f64::min(of("totals"), of("posts"))
}

/// An exporter over a simulator, with one good look at everything.
fn settled() -> (tempfile::TempDir, Simulator, Process, Metrics) {
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--rate-limit-per-minute", "6000"]);
    let exporter = serve(&write_config(directory.path(), &simulator, WATCH));
    let before = exporter.wait_for("good values", is_well);
    (directory, simulator, exporter, before)
}

fn meet(fault: &str, shows: Shows) {
    let (_directory, simulator, exporter, before) = settled();
    simulator.faults(&format!(r#"{{"faults": [{fault}]}}"#));
    match shows {
        Failure(class) => {
            let during = exporter.wait_for(&format!("{fault}: failed refreshes"), |metrics| {
                metrics.get(UP) == Some(0.0)
                    && (metrics.get(SAMPLE_UP) == Some(0.0) || fault.contains("endpoint"))
                    && metrics.requests(class) > before.requests(class)
            });
            assert!(results(&during).iter().all(|value| *value > 0.0), "{fault}: {:?}", results(&during));
            assert!(during.value(VIEWS) >= before.value(VIEWS), "{fault}: the last good value is gone");
            for reason in ["auth", "credits_exhausted"] {
                assert_eq!(breaker(&during, reason), 0.0, "{fault}: all requests are stopped");
            }
            assert_eq!(during.get(FOUND), Some(1.0), "{fault}: a failure is not an absence");
        }
        Gone => {
            let during =
                exporter.wait_for(&format!("{fault}: not found"), |metrics| metrics.get(FOUND) == Some(0.0));
            assert_eq!(during.get(UP), Some(0.0));
            assert!(results(&during).iter().all(|value| *value > 0.0), "{fault}: {:?}", results(&during));
        }
        Stop(reason) => {
            let during =
                exporter.wait_for(&format!("{fault}: breaker"), |metrics| breaker(metrics, reason) == 1.0);
            assert!(is_well(&during), "{fault}: the hashtag is not to blame");
            assert!(results(&during).iter().all(|value| *value > 0.0), "{fault}: {:?}", results(&during));
        }
        Nothing => {
            let enough = successes(&before) + 3.0;
            let during = exporter
                .wait_for(&format!("{fault}: three more refreshes"), |metrics| successes(metrics) >= enough);
            assert!(is_well(&during), "{fault}");
            for class in ["transient", "malformed", "throttled"] {
                assert_eq!(during.requests(class), before.requests(class), "{fault}: {class}");
            }
            assert!(
                during.value(VIEWS) >= before.value(VIEWS)
                    && during.value(VIEWS) < before.value(VIEWS) * 1.01
            );
        }
    }
    simulator.faults("{}");
    let over = exporter.wait_for(&format!("{fault}: recovery"), |metrics| {
        let stopped = ["auth", "credits_exhausted"].iter().any(|reason| breaker(metrics, reason) != 0.0);
        is_well(metrics)
            && metrics.get(FOUND) == Some(1.0)
            && successes(metrics) > successes(&before)
            && !stopped
    });
    assert!(over.value(VIEWS) >= before.value(VIEWS), "{fault}: the values after it are older");
    let (status, output) = exporter.terminate();
    assert!(status.success() && !output.contains("panicked"), "{fault}: {output}");
}

#[test]
fn every_fault_shows_as_what_it_is_and_is_over_when_it_is_over() {
    // A few at a time: each is a simulator and an exporter, mostly waiting.
    for some in FAULTS.chunks(6) {
        thread::scope(|scope| {
            let running: Vec<_> =
                some.iter().map(|(fault, shows)| scope.spawn(move || meet(fault, *shows))).collect();
            running.into_iter().for_each(|fault| fault.join().unwrap());
        });
    }
}

#[test]
fn a_cursor_that_stands_still_ends_the_paging() {
    let (_directory, simulator, exporter, before) = settled();
    simulator.faults(r#"{"faults": [{"kind": "cursor_loop"}]}"#);
    let pages = r#"tiktok_hashtag_sample_pages{hashtag="booktok",region="US"}"#;
    let enough = successes(&before) + 2.0;
    let during = exporter.wait_for("samples of one page", |metrics| {
        successes(metrics) >= enough && metrics.value(pages) == 1.0
    });
    assert!(is_well(&during));
    assert_eq!(during.value(r#"tiktok_hashtag_sample_saturated{hashtag="booktok",region="US"}"#), 1.0);
}

#[test]
fn a_dead_key_stops_all_spending_until_one_request_has_tried_it_again() {
    let (_directory, simulator, exporter, before) = settled();
    simulator.faults(r#"{"faults": [{"kind": "dead_key"}]}"#);
    exporter.wait_for("the stop", |metrics| breaker(metrics, "auth") == 1.0);
    let refused = |metrics: &Metrics| metrics.requests("auth");
    // Those that were under way when the first refusal came are refused as well; then, after each
    // cool-down (3 s in this configuration), a single one.
    let tried = exporter.wait_for("a trial", |metrics| refused(metrics) >= refused(&before) + 3.0);
    assert!(breaker(&tried, "auth") == 1.0 && is_well(&tried));
    let page = exporter.get("/");
    assert!(page.contains("the API rejects the key"), "the page does not say why nothing moves");
    assert!(exporter.output().contains("auth"), "neither does the log");
}

#[test]
fn an_account_that_runs_dry_is_not_asked_for_more_than_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--credits", "20"]);
    let exporter = serve(&write_config(directory.path(), &simulator, WATCH));
    let dry =
        exporter.wait_for("the end of the credits", |metrics| breaker(metrics, "credits_exhausted") == 1.0);
    assert_eq!(simulator.credits(), 20);
    assert!(results(&dry).iter().all(|value| *value > 0.0));
    assert!(exporter.get("/").contains("no credits left"));
}

#[test]
fn throttling_slows_down_and_a_server_that_says_how_long_is_believed() {
    let (_directory, simulator, exporter, before) = settled();
    simulator.faults(r#"{"faults": [{"kind": "throttle", "retry_after_seconds": 3, "times": 1}]}"#);
    exporter.wait_for("a refusal", |metrics| metrics.requests("throttled") > before.requests("throttled"));
    let enough = successes(&before) + 3.0;
    exporter.wait_for("recovery", |metrics| successes(metrics) >= enough);
    // The simulator's own log tells when requests came: nobody asked within the three seconds.
    let log: Vec<serde_json::Value> = serde_json::from_str(&simulator.0.get("/-/requests")).unwrap();
    let refused = log.iter().position(|request| request["status"] == 429).unwrap();
    let at = |n: usize| log[n]["at_milliseconds"].as_i64().unwrap();
    // Requests that were on their way already came within a moment.
    let next = (refused + 1..log.len()).find(|n| at(*n) > at(refused) + 500).expect("it went on");
    assert!(at(next) >= at(refused) + 2_900, "asked again after {} ms", at(next) - at(refused));
}
