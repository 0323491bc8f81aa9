//! The example configuration, spoilt. Whatever is still accepted must be within the documented
//! ranges.

use std::time::Duration;

use fastrand::Rng;
use tiktok_exporter::config::{self, Config};

use crate::wild_input::mutate::mutate;

const CASES: usize = 10_000;

/// Every section, but short, so that many cases take little time.
const GOOD: &str = r#"
[api]
base_url = "https://api.tikliveapi.com"
timeout = "15s"
concurrency = 8
rate_limit_per_minute = 200
[refresh]
totals_interval = "6h"
posts_interval = "1d"
max_age = "2d"
[posts]
pages_max = 3
page_size = 35
[budget]
per_day = 500
balance = 50000
balance_counted_on = "2025-11-23"
reserve = 20
[web]
listen_address = "127.0.0.1:10110"
[watchlist]
max_pairs = 100
[[watch]]
hashtags = ["booktok", "日本"]
regions = ["US", "GB"]
group = "books"
totals_interval = "3h"
"#;

pub fn is_within_its_ranges(config: &Config) {
    let day = Duration::from_secs(86_400);
    assert!((1..=35).contains(&config.posts.page_size), "page_size {}", config.posts.page_size);
    assert!(config.api.rate_limit_per_minute >= 1);
    assert!(config.api.concurrency >= 1);
    assert!(config.api.max_body_bytes <= 1 << 30);
    assert!(!config.watchlist.entries.is_empty(), "nothing is watched");
    assert!(config.watchlist.pairs() <= 1_000_000);
    for entry in &config.watchlist.entries {
        for interval in [entry.terms.totals_interval, entry.terms.posts_interval] {
            assert!((Duration::from_secs(1)..=90 * day).contains(&interval), "{interval:?}");
        }
        assert!(entry.terms.pages_max >= 1, "{entry:?}");
    }
}

#[test]
fn a_spoilt_configuration_is_refused_or_within_its_ranges() {
    is_within_its_ranges(&config::load_str(GOOD, []).unwrap().config);
    let mut random = Rng::with_seed(8);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..CASES {
        let text = String::from_utf8_lossy(&mutate(GOOD.as_bytes(), &mut random)).into_owned();
        match config::load_str(&text, []) {
            Ok(loaded) => {
                is_within_its_ranges(&loaded.config);
                accepted += 1;
            }
            Err(problems) => {
                let (lines, found) = (problems.to_string().lines().count(), problems.as_slice().len());
                assert_eq!(lines, found, "not one line for each: {problems}\n{text}");
                refused += 1;
            }
        }
    }
    assert!(accepted > CASES / 100 && refused > CASES / 20, "{accepted} were accepted, {refused} refused");
}

#[test]
fn a_spoilt_variable_is_refused_or_within_its_ranges() {
    let mut random = Rng::with_seed(8);
    let keys = config::known_keys();
    for _ in 0..CASES {
        let key = random.choice(&keys).unwrap();
        let value: &[u8] = random
            .choice(&[&b"15s"[..], b"6h", b"200", b"2025-11-23", b"https://h/p", b"127.0.0.1:1", b"a/b.c"])
            .unwrap();
        let value = String::from_utf8_lossy(&mutate(value, &mut random)).into_owned();
        let name = format!("TIKTOK_EXPORTER__{}", key.to_uppercase().replace('.', "__"));
        if let Ok(loaded) = config::load_str("[[watch]]\nhashtags = [\"a\"]", [(name, value)]) {
            is_within_its_ranges(&loaded.config);
        }
    }
}
