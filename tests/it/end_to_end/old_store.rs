//! A store that version 0.1.0 wrote still opens, with its values and its ledger. `tests/data/store-0.1.0/` holds it, and
//! what that version showed on `/metrics` a moment before it was killed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::process::{Metrics, Process, clock_library};

/// When the store was last written. Values are shown for two days.
const THEN: &str = "@2026-11-30 19:41:20";

const CONFIG: &str = r#"
[api]
base_url = "http://127.0.0.1:9"
[budget]
per_day = 5000
per_month = 50000
balance = 20000
balance_counted_on = "2026-11-30"
[[watch]]
hashtags = ["booktok", "skincareroutine", "cleantok", "nosuchhashtag"]
regions = ["US", "GB"]
group = "old"
[[discover]]
keyword = "skincare"
regions = ["US"]
promote = 1
follow_posts = true
"#;

#[test]
fn a_store_of_version_0_1_0_opens_with_its_values_and_its_ledger() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-0.1.0");
    let folder = tempfile::tempdir().unwrap();
    let [store, config] = ["store.db", "config.toml"].map(|name| folder.path().join(name));
    fs::copy(kept.join("store.db"), &store).unwrap();
    fs::write(&config, format!("{CONFIG}[store]\npath = {store:?}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"));
    command
        .args(["serve", "--web.listen-address", "127.0.0.1:0", "--config.file", config.to_str().unwrap()])
        .env("TIKLIVE_API_KEY", "a key")
        .env("LD_PRELOAD", clock_library())
        .env("FAKETIME", THEN)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let exporter = Process::spawn(&mut command).unwrap();

    let shown = exporter.metrics();
    let before = Metrics::parse(&fs::read_to_string(kept.join("metrics.txt")).unwrap());
    let mut compared = 0;
    for (series, value) in before.all() {
        // No credit is ever forgotten; a request of this run may add one.
        let is_count = series.starts_with("tiktok_exporter_");
        let now = shown.get(series);
        assert!(
            now == Some(value) || is_count && now.is_some_and(|now| now >= value),
            "{series}: was {value}, is {now:?}"
        );
        compared += 1;
    }
    assert_eq!(compared, 158, "everything that is kept is compared");
}
