//! `demo`: what a newcomer sees within seconds, with no file, no key and no network.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::process::{Metrics, Process};

/// Every family that the exporter promises, and the labels of its series.
const FAMILIES: [(&str, &[&str]); 60] = [
    ("tiktok_hashtag_posts", &["hashtag"]),
    ("tiktok_hashtag_views", &["hashtag"]),
    ("tiktok_hashtag_posts_resolution", &["hashtag"]),
    ("tiktok_hashtag_views_resolution", &["hashtag"]),
    ("tiktok_hashtag_info", &["challenge_id", "commerce", "group", "hashtag"]),
    ("tiktok_hashtag_up", &["hashtag"]),
    ("tiktok_hashtag_found", &["hashtag"]),
    ("tiktok_hashtag_last_success_timestamp_seconds", &["hashtag"]),
    ("tiktok_hashtag_refresh_interval_seconds", &["hashtag"]),
    ("tiktok_hashtag_sample_velocity", &["hashtag", "region"]),
    ("tiktok_hashtag_engagement_weighted_velocity", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_posts", &["hashtag", "region", "window"]),
    ("tiktok_hashtag_sample_plays", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_likes", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_comments", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_shares", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_saves", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_engagement_ratio", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_saturated", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_oldest_post_age_seconds", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_pages", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_region_match_ratio", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_up", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_last_success_timestamp_seconds", &["hashtag", "region"]),
    ("tiktok_hashtag_sample_refresh_interval_seconds", &["hashtag", "region"]),
    ("tiktok_keyword_candidate_posts", &["keyword", "hashtag"]),
    ("tiktok_keyword_candidate_views", &["keyword", "hashtag"]),
    ("tiktok_keyword_plays", &["keyword", "region", "window"]),
    ("tiktok_keyword_posts", &["keyword", "region", "window"]),
    ("tiktok_keyword_posts_last_success_timestamp_seconds", &["keyword", "region"]),
    ("tiktok_keyword_posts_refresh_interval_seconds", &["keyword", "region"]),
    ("tiktok_keyword_posts_saturated", &["keyword", "region"]),
    ("tiktok_keyword_posts_up", &["keyword", "region"]),
    ("tiktok_keyword_search_last_success_timestamp_seconds", &["keyword"]),
    ("tiktok_keyword_search_refresh_interval_seconds", &["keyword"]),
    ("tiktok_keyword_search_up", &["keyword"]),
    ("tiktok_keyword_trials", &["keyword"]),
    ("tiktok_exporter_upstream_requests_total", &["endpoint", "outcome"]),
    ("tiktok_exporter_upstream_request_duration_seconds_bucket", &["endpoint", "le"]),
    ("tiktok_exporter_upstream_request_duration_seconds_sum", &["endpoint"]),
    ("tiktok_exporter_upstream_request_duration_seconds_count", &["endpoint"]),
    ("tiktok_exporter_upstream_retries_total", &["endpoint"]),
    ("tiktok_exporter_upstream_breaker_open", &["reason"]),
    ("tiktok_exporter_cache_queries_total", &["endpoint"]),
    ("tiktok_exporter_cache_hits_total", &["endpoint"]),
    ("tiktok_exporter_jobs", &["kind"]),
    ("tiktok_exporter_jobs_due", &["kind"]),
    ("tiktok_exporter_jobs_overdue", &["kind"]),
    ("tiktok_exporter_refreshes_total", &["kind", "outcome"]),
    ("tiktok_exporter_store_errors_total", &[]),
    ("tiktok_exporter_build_info", &["arch", "os", "version"]),
    ("tiktok_exporter_simulated_data", &[]),
    ("tiktok_exporter_config_last_reload_successful", &[]),
    ("tiktok_exporter_config_last_reload_success_timestamp_seconds", &[]),
    ("tiktok_exporter_web_refused_total", &["reason"]),
    ("tiktok_exporter_web_config_last_reload_successful", &[]),
    ("process_cpu_seconds_total", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_open_fds", &[]),
    ("process_start_time_seconds", &[]),
];

fn demo(args: &[&str]) -> Process {
    Process::start(&[&["demo", "--web.listen-address", "127.0.0.1:0"], args].concat())
}

fn filled(metrics: &Metrics) -> bool {
    metrics.family("tiktok_hashtag_views").len() >= 12
        && metrics.family("tiktok_hashtag_sample_velocity").len() >= 36
        && !metrics.family("tiktok_keyword_candidate_views").is_empty()
        && metrics.family("tiktok_keyword_posts_up").len() >= 2
}

/// The label names of a series as it stands on the page.
fn label_names(series: &str) -> BTreeSet<String> {
    let Some((_, labels)) = series.split_once('{') else { return BTreeSet::new() };
    labels
        .split("=\"")
        .filter_map(|part| part.rsplit(['{', ',', '"']).next())
        .filter(|name| *name != "}")
        .map(str::to_owned)
        .collect()
}

pub fn promtool_check(page: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (Debian's package prometheus)");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    format!("{}{}", if output.status.success() { "" } else { "failed: " }, String::from_utf8_lossy(&said))
}

#[test]
fn the_demo_shows_every_family_with_its_labels_and_promtool_has_nothing_to_say() {
    let demo = demo(&[]);
    let metrics = demo.wait_for("12 hashtags in 3 regions", filled);
    for (family, labels) in FAMILIES {
        let series = metrics.family(family);
        assert!(!series.is_empty(), "{family} is not on the page:\n{}", metrics.text);
        for (series, value) in series {
            assert_eq!(
                label_names(series),
                labels.iter().map(|name| (*name).to_owned()).collect(),
                "{series}"
            );
            assert!(value.is_finite(), "{series} is {value}");
        }
    }
    assert_eq!(promtool_check(&metrics.text), "");

    let groups: BTreeSet<&str> = metrics
        .family("tiktok_hashtag_info")
        .iter()
        .map(|(series, _)| series.split("group=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert_eq!(groups.len(), 3, "{groups:?}");
    assert_eq!(metrics.value("tiktok_exporter_jobs{kind=\"totals\"}"), 12.0);
    assert_eq!(metrics.value("tiktok_exporter_jobs{kind=\"posts\"}"), 36.0);
    assert_eq!(metrics.requests("throttled"), 0.0, "the exporter kept to the rate limit");
}

#[test]
fn the_demo_says_loudly_that_nothing_is_real_and_where_to_look() {
    let demo = demo(&[]);
    demo.wait_for_output("Ctrl-C");
    for said in ["SIMULATED DATA", &format!("{}/metrics", demo.url())] {
        assert!(demo.output().contains(said), "not printed: {said}\n{}", demo.output());
    }
    demo.wait_for("word of the simulator", |metrics| metrics.value("tiktok_exporter_simulated_data") == 1.0);
    let page = demo.get("/");
    assert!(page.contains("SIMULATED DATA"), "no banner");
    for hashtag in ["booktok", "日本", "café", "fyp"] {
        assert!(page.contains(&format!("<bdi>{hashtag}</bdi>")), "{hashtag} is not on the page");
    }
}

#[test]
fn a_killed_demo_starts_again_with_its_last_values() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("demo.sqlite").display().to_string();
    let first = demo(&["--store.path", &store]);
    first.wait_for("all values", filled);
    first.kill();
    let second = demo(&["--store.path", &store]);
    let metrics = second.metrics();
    assert_eq!(metrics.family("tiktok_hashtag_views").len(), 12, "at once, from the store");
    assert_eq!(metrics.family("tiktok_hashtag_sample_velocity").len(), 36);
}
