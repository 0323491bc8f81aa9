//! Configurations, good and bad, through the public door. The environment is passed in, so no
//! test touches that of the process.

use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret;
use tiktok_api::Region;
use tiktok_exporter::config::{self, ApiConfig, KeySource, Loaded, api_key};

/// A block that lets the rest of a file be looked at.
const KEY_VARIABLE: &str = "TIKLIVE_API_KEY";
const WATCH: &str = "\n[[watch]]\nhashtags = [\"booktok\"]\n";

const NO_ENV: [(String, String); 0] = [];

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(toml: &str) -> Loaded {
    config::load_str(toml, NO_ENV).unwrap_or_else(|problems| panic!("{toml}\n{problems}"))
}

fn problems(toml: &str, variables: &[(&str, &str)]) -> String {
    match config::load_str(toml, env(variables)) {
        Ok(_) => panic!("was accepted: {toml}"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn every_bad_setting_says_where_what_and_what_is_allowed() {
    for (settings, want) in [
        // Ranges.
        ("[posts]\npage_size = 36", "posts.page_size: 36 is out of range (1 to 35)"),
        ("[posts]\npage_size = 0", "posts.page_size: 0 is out of range (1 to 35)"),
        ("[posts]\npages_max = -1", "posts.pages_max: -1 is out of range (1 to 150)"),
        ("[posts]\npages_max = 151", "posts.pages_max: 151 is out of range (1 to 150)"),
        ("[posts]\npages_max = 4294967297", "posts.pages_max: 4294967297 is out of range (1 to 150)"),
        ("[api]\nconcurrency = 65", "api.concurrency: 65 is out of range (1 to 64)"),
        (
            "[api]\nrate_limit_per_minute = 6001",
            "api.rate_limit_per_minute: 6001 is out of range (1 to 6000)",
        ),
        ("[api]\nmax_body_bytes = 65535", "api.max_body_bytes: 65535 is out of range (65536 to 1073741824)"),
        (
            "[refresh]\ntotals_interval = \"0s\"",
            "refresh.totals_interval: \"0s\" is out of range (1s to 90d)",
        ),
        (
            "[refresh]\nposts_interval = \"91d\"\nmax_age = \"99d\"",
            "refresh.posts_interval: \"91d\" is out of range (1s to 90d)",
        ),
        ("[api]\ntimeout = \"11m\"", "api.timeout: \"11m\" is out of range (100ms to 10m)"),
        ("[prometheus]\ntimeout = \"2m\"", "prometheus.timeout: \"2m\" is out of range (100ms to 1m)"),
        (
            "[prometheus]\nurl = \"localhost\"",
            "prometheus.url: the value is not a URL (such as http://127.0.0.1:9090)",
        ),
        (
            "[prometheus]\nurl = \"http://me:secret@localhost\"",
            "prometheus.url: the URL must not carry a user name or a password",
        ),
        ("[shard]\nof = 0", "shard.of: 0 is out of range (1 to 1000)"),
        ("[shard]\nof = 2", "shard.index: is missing (the number of this exporter among the 2, from 0)"),
        ("[shard]\nof = 2\nindex = 2", "shard.index: 2 is not below shard.of (2): the first one is number 0"),
        (
            "[budget]\nper_day = 5\n[shard]\nof = 8\nindex = 0",
            "shard.of: budget.per_day is 5, which is less than one for each of 8 exporters",
        ),
        (
            "[budget]\nper_day = 9\nreserve = 7\n[shard]\nof = 4\nindex = 1",
            "shard.of: budget.reserve would leave some exporters nothing for scheduled refreshes",
        ),
        ("[watchlist]\nmax_pairs = 0", "watchlist.max_pairs: 0 is out of range (1 to 1000000)"),
        ("[budget]\nper_day = 0", "budget.per_day: 0 is out of range (1 to 1000000000000)"),
        ("[budget]\nper_month = -1", "budget.per_month: -1 is out of range (1 to 1000000000000)"),
        // Types.
        ("[api]\ntimeout = 15", "api.timeout: 15 has no unit (write it as text with one, as in \"15s\")"),
        ("[api]\ntimeout = \"15\"", "api.timeout: \"15\" has no unit (add one, as in \"15s\")"),
        (
            "[api]\ntimeout = \"soon\"",
            "api.timeout: \"soon\" is not a duration (a number and a unit: s, m, h or d, as in \"15s\" or \"6h\")",
        ),
        ("[api]\ntimeout = true", "api.timeout: true is not text (put it in quotes)"),
        ("[api]\nkey_file = 7", "api.key_file: 7 is not text (put it in quotes)"),
        ("[api]\nkey_file = \" \"", "api.key_file: is blank"),
        ("[api]\nconcurrency = \"8\"", "api.concurrency: \"8\" is text (write the number without quotes)"),
        ("[api]\nconcurrency = 8.5", "api.concurrency: 8.5 is not a whole number"),
        ("[store]\npath = 2025-01-01", "store.path: a date is not text"),
        ("[store]\npath = [\"a\"]", "store.path: a list is not text"),
        ("[store]\npath = \"\"", "store.path: is blank"),
        ("api = 3", "api: is not a table (write its keys below a line [api])"),
        (
            "[web]\nlisten_address = \"10110\"",
            "web.listen_address: \"10110\" has no port (allowed: :PORT, HOST:PORT, IPv4:PORT, [IPv6]:PORT)",
        ),
        // The dialect.
        ("[api]\ndialect = \"tikwn\"", "api.dialect: \"tikwn\" is not a known dialect (tiklive)"),
        ("[api]\ndialect = 1", "api.dialect: 1 is not text (put it in quotes)"),
        (
            "[web]\nlisten_address = [\":1\", \"::1:1\", \":http\"]",
            "web.listen_address[1]: \"::1:1\" is an IPv6 address without brackets \
             (allowed: :PORT, HOST:PORT, IPv4:PORT, [IPv6]:PORT)\n\
             web.listen_address[2]: \":http\" has no valid port: a number from 0 to 65535 \
             (allowed: :PORT, HOST:PORT, IPv4:PORT, [IPv6]:PORT)",
        ),
        ("[web]\nlisten_address = []", "web.listen_address: is empty (list at least one)"),
        ("[web]\nlisten_address = 10110", "web.listen_address: 10110 is not text (put it in quotes)"),
        // The base URL.
        (
            "[api]\nbase_url = \"ftp://a.b\"",
            "api.base_url: \"ftp://a.b\" is neither an http nor an https URL",
        ),
        (
            "[api]\nbase_url = \"api.tikliveapi.com\"",
            "api.base_url: \"api.tikliveapi.com\" is not a URL (such as https://api.tikliveapi.com)",
        ),
        (
            "[api]\nbase_url = \"https://a.b/?x=1\"",
            "api.base_url: the URL must not carry a query or a fragment (`?`, `#`)",
        ),
        (
            "[api]\nbase_url = \"https://me:pw@a.b\"",
            "api.base_url: the URL must not carry a user name or a password",
        ),
        // Settings that contradict each other.
        ("[api]\nconnect_timeout = \"20s\"", "api.connect_timeout: 20s is longer than api.timeout (15s)"),
        (
            "[refresh]\nmax_age = \"1d\"",
            "refresh.max_age: 1d is not longer than posts_interval (1d): values would disappear between two refreshes",
        ),
        (
            "[refresh]\ntotals_interval = \"3d\"",
            "refresh.totals_interval: 3d is not shorter than max_age (2d): values would disappear between two refreshes",
        ),
        (
            "[budget]\nbalance = 5",
            "budget.balance_counted_on: is missing (the day on which budget.balance was counted, UTC)",
        ),
        (
            "[budget]\nbalance_counted_on = \"2026-01-31\"",
            "budget.balance: is missing (the credits that were counted)",
        ),
        (
            "[budget]\nbalance = 5\nbalance_counted_on = \"31.1.2026\"",
            "budget.balance_counted_on: \"31.1.2026\" is not a date (year, month and day, as in 2026-01-31)",
        ),
        (
            "[budget]\nbalance = 5\nbalance_counted_on = 2026-01-31",
            "budget.balance_counted_on: is a bare date (write it in quotes, as in \"2026-01-31\")",
        ),
        (
            "[budget]\nper_day = 50\nreserve = 50",
            "budget.reserve: 50 is not less than per_day (50): nothing would be left for scheduled refreshes",
        ),
        // Unknown keys.
        ("[api]\ntimout = \"1s\"", "api.timout: is not a known key; did you mean api.timeout?"),
        ("[api]\nbase-url = \"x\"", "api.base-url: is not a known key; did you mean api.base_url?"),
        ("[api]\nmax_age = \"2d\"", "api.max_age: is not a known key; did you mean refresh.max_age?"),
        ("[store]\nfsync = true", "store.fsync: is not a known key; known here: path"),
        ("[store]\n\"a\\nb\" = 1", "store.\"a\\nb\": is not a known key; known here: path"),
        ("[refesh]\nx = 1", "refesh: is not a known key; did you mean refresh?"),
        ("timeout = \"1s\"", "timeout: is not a known key; did you mean api.timeout?"),
        ("hashtags = [\"x\"]", "hashtags: is not a known key; did you mean hashtags in a [[watch]] block?"),
        (
            "zzz = 1",
            "zzz: is not a known key; known here: api, refresh, posts, budget, prometheus, web, store, shard, watchlist, watch, discover",
        ),
    ] {
        assert_eq!(problems(&format!("{settings}{WATCH}"), &[]), want, "{settings}");
    }
}

#[test]
fn every_bad_watch_block_says_where_and_what() {
    let long = format!("watch[0].group: {:?} has 65 characters (64 at most)", "g".repeat(65));
    let long_block = format!("[[watch]]\nhashtags = [\"a\"]\ngroup = \"{}\"", "g".repeat(65));
    for (toml, want) in [
        ("", "watch: nothing is watched (add a [[watch]] block with hashtags)"),
        ("watch = []", "watch: nothing is watched (add a [[watch]] block with hashtags)"),
        ("[watch]\nhashtags = [\"a\"]", "watch: is a single table (write [[watch]], in double brackets)"),
        ("watch = \"a\"", "watch: \"a\" is not a list of [[watch]] blocks"),
        ("watch = [\"a\"]", "watch[0]: \"a\" is not a [[watch]] block"),
        ("[[watch]]", "watch[0].hashtags: is missing (list at least one)"),
        ("[[watch]]\nhashtags = []", "watch[0].hashtags: is empty (list at least one)"),
        ("[[watch]]\nhashtags = \"a\"", "watch[0].hashtags: \"a\" is not a list (write [\"a\"])"),
        ("[[watch]]\nhashtags = [5]", "watch[0].hashtags[0]: 5 is not text (put it in quotes)"),
        ("[[watch]]\nhashtags = 5", "watch[0].hashtags: 5 is not a list"),
        ("[[watch]]\nhashtags = [\"a\", 2025]", "watch[0].hashtags[1]: 2025 is not text (put it in quotes)"),
        (
            "[[watch]]\nhashtags = [\"\"]",
            "watch[0].hashtags[0]: \"\" is blank (write the hashtag's name, with or without `#`)",
        ),
        (
            "[[watch]]\nhashtags = [\"book tok\"]",
            "watch[0].hashtags[0]: \"book tok\" contains white space (one hashtag is one word; list several separately)",
        ),
        (
            "[[watch]]\nhashtags = [\"a\"]\n[[watch]]\nhashtags = [\"b\"]\nregions = [\"UK\"]",
            "watch[1].regions[0]: \"UK\" is not an ISO 3166-1 alpha-2 country code (the United Kingdom is GB)",
        ),
        ("[[watch]]\nhashtags = [\"a\"]\ngroup = \" \"", "watch[0].group: is blank"),
        (
            "[[watch]]\nhashtags = [\"a\"]\ngroup = \"a\\tb\"",
            "watch[0].group: \"a\\tb\" contains a control character",
        ),
        (&long_block, &long),
        (
            "[[watch]]\nhashtags = [\"a\"]\nregion = [\"US\"]",
            "watch[0].region: is not a known key; did you mean watch[0].regions?",
        ),
        (
            "[[watch]]\nhashtags = [\"a\"]\npages_max = 200",
            "watch[0].pages_max: 200 is out of range (1 to 150)",
        ),
        (
            "[[watch]]\nhashtags = [\"a\"]\nmax_age = \"5h\"\nposts_interval = \"1h\"",
            "watch[0].max_age: 5h is not longer than totals_interval (6h): values would disappear between two refreshes",
        ),
        (
            "[watchlist]\nmax_pairs = 3\n[[watch]]\nhashtags = [\"a\", \"b\"]\nregions = [\"US\", \"GB\"]",
            "watchlist.max_pairs: 4 pairs of hashtag and region are watched, more than the cap of 3",
        ),
    ] {
        assert_eq!(problems(toml, &[]), want, "{toml}");
    }
}

#[test]
fn every_bad_discover_block_says_where_and_what() {
    for (toml, want) in [
        ("discover = 5", "discover: 5 is not a list of [[discover]] blocks"),
        ("[discover]", "discover: is a single table (write [[discover]], in double brackets)"),
        ("[[discover]]", "discover[0].keyword: is missing (what to search for: one or more words)"),
        ("[[discover]]\nkeyword = \" \"", "discover[0].keyword: \" \" is blank (write one or more words)"),
        (
            "[[discover]]\nkeyword = \"a\"\n[[discover]]\nkeyword = \" #A \"",
            "discover[1].keyword: \"a\" is already followed by discover[0]",
        ),
        ("[[discover]]\nkeyword = \"a\"\ntop = 31", "discover[0].top: 31 is out of range (1 to 30)"),
        ("[[discover]]\nkeyword = \"a\"\npromote = true", "discover[0].promote: true is not a whole number"),
        (
            "[[discover]]\nkeyword = \"a\"\nfollow_posts = 1",
            "discover[0].follow_posts: 1 is neither true nor false",
        ),
        (
            "[[discover]]\nkeyword = \"a\"\nregions = [\"UK\"]",
            "discover[0].regions[0]: \"UK\" is not an ISO 3166-1 alpha-2 country code (the United Kingdom is GB)",
        ),
        (
            "[[discover]]\nkeyword = \"a\"\nsearch_interval = \"3d\"",
            "discover[0].search_interval: 3d is not shorter than max_age (2d): candidates would disappear between two searches",
        ),
        (
            "[[discover]]\nkeyword = \"a\"\npromote = 1\ntrial = \"1h\"",
            "discover[0].trial: 1h is shorter than totals_interval (6h): a trial would end before the second refresh",
        ),
        (
            "[[discover]]\nkeyword = \"a\"\nkeywords = [\"b\"]",
            "discover[0].keywords: is not a known key; did you mean discover[0].keyword?",
        ),
        (
            "[watchlist]\nmax_pairs = 4\n[[discover]]\nkeyword = \"a\"\npromote = 2\nregions = [\"US\", \"DE\"]",
            "watchlist.max_pairs: 1 pairs of hashtag and region are watched and 4 can be on trial, more than the cap of 4",
        ),
    ] {
        assert_eq!(problems(&format!("{toml}{WATCH}"), &[]), want, "{toml}");
    }
    let wrong_keyword_alone = format!("[[discover]]\nkeyword = 5\ntop = 3\ntrial = \"1d\"{WATCH}");
    assert_eq!(problems(&wrong_keyword_alone, &[]), "discover[0].keyword: 5 is not text (put it in quotes)");
}

#[test]
fn a_discover_block_takes_what_it_does_not_say_from_the_general_settings() {
    let toml = format!(
        "[posts]\npages_max = 2\n[refresh]\ntotals_interval = \"3h\"\n[[discover]]\nkeyword = \" Deep  Clean\"{WATCH}"
    );
    let following = load(&toml).config.following;
    let [followed] = following.as_slice() else { panic!("one keyword: {following:?}") };
    assert_eq!(followed.keyword.as_str(), "deep clean");
    assert_eq!(
        (followed.top, followed.min_views, followed.promote, followed.follow_posts),
        (10, 0, 0, false)
    );
    assert_eq!(
        (followed.terms.pages_max, followed.terms.totals_interval),
        (2, Duration::from_secs(3 * 3_600))
    );
    assert_eq!((&*followed.terms.group, followed.trial), ("discovery", Duration::from_secs(7 * 86_400)));
    assert_eq!(followed.terms.regions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["any"]);
}

#[test]
fn variables_that_set_nothing_are_named() {
    for (name, want) in [
        (
            "TIKTOK_EXPORTER__API__TIMOUT",
            "is not a known variable; did you mean TIKTOK_EXPORTER__API__TIMEOUT?",
        ),
        (
            "TIKTOK_EXPORTER__APPI__TIMEOUT",
            "is not a known variable; did you mean TIKTOK_EXPORTER__API__TIMEOUT?",
        ),
        (
            "TIKTOK_EXPORTER__MAX_AGE",
            "is not a known variable; did you mean TIKTOK_EXPORTER__REFRESH__MAX_AGE?",
        ),
        (
            "TIKTOK_EXPORTER__api__timeout",
            "is not a known variable; did you mean TIKTOK_EXPORTER__API__TIMEOUT?",
        ),
        (
            "TIKTOK_EXPORTER__X",
            "is not a known variable; variables are named as in TIKTOK_EXPORTER__API__TIMEOUT",
        ),
        (
            "TIKTOK_EXPORTER__WATCH",
            "is not a setting: [[watch]] blocks are written in the configuration file",
        ),
        (
            "TIKTOK_EXPORTER__WATCH__0__GROUP",
            "is not a setting: [[watch]] blocks are written in the configuration file",
        ),
        (
            "TIKTOK_EXPORTER__DISCOVER__KEYWORD",
            "is not a setting: [[discover]] blocks are written in the configuration file",
        ),
    ] {
        assert_eq!(problems(WATCH, &[(name, "1")]), format!("{name}: {want}"));
    }
}

#[test]
fn a_bad_value_from_the_environment_names_its_variable() {
    let variables = [
        ("TIKTOK_EXPORTER__API__CONCURRENCY", "many"),
        ("TIKTOK_EXPORTER__API__TIMEOUT", "15"),
        ("TIKTOK_EXPORTER__POSTS__PAGE_SIZE", "36"),
    ];
    let want = [
        "api.concurrency: \"many\" is not a whole number; set by TIKTOK_EXPORTER__API__CONCURRENCY",
        "api.timeout: \"15\" has no unit (add one, as in \"15s\"); set by TIKTOK_EXPORTER__API__TIMEOUT",
        "posts.page_size: 36 is out of range (1 to 35); set by TIKTOK_EXPORTER__POSTS__PAGE_SIZE",
    ];
    assert_eq!(problems(WATCH, &variables), want.join("\n"));
}

#[test]
fn all_problems_come_at_once_in_the_order_of_their_keys() {
    let mut toml = "[api]\ntimeout = 1\nxyz = 1\n[posts]\npage_size = 99\n".to_owned();
    for _ in 0..11 {
        toml += "[[watch]]\nhashtags = [\"a b\"]\nregions = [\"XX\"]\n";
    }
    let found = problems(&toml, &[("TIKTOK_EXPORTER__STORE__PATH", "")]);
    let keys: Vec<&str> = found.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(keys.len(), 4 + 22);
    assert_eq!(keys[..4], ["api.timeout", "api.xyz", "posts.page_size", "store.path"]);
    assert_eq!(keys[4..6], ["watch[0].hashtags[0]", "watch[0].regions[0]"]);
    assert_eq!(keys[24..], ["watch[10].hashtags[0]", "watch[10].regions[0]"]);
}

#[test]
fn a_wrong_value_does_not_draw_a_second_complaint() {
    let toml = "[refresh]\ntotals_interval = \"x\"\n[[watch]]\nhashtags = [\"a\"]\nmax_age = \"5h\"\nposts_interval = \"1h\"";
    assert_eq!(problems(toml, &[]).lines().count(), 1, "max_age is compared with a value nobody chose");
}

#[test]
fn broken_toml_is_reported_with_its_place_but_not_quoted() {
    for (toml, want) in [
        ("[api]\ntimeout = 15s", "configuration:2:13: is not TOML: "),
        ("é = ", "configuration:1:1: is not TOML: "),
        ("[api]\n[api]", "configuration:2:1: is not TOML: "),
        ("[api", "configuration:1:5: is not TOML: "),
    ] {
        let found = problems(toml, &[]);
        assert!(found.starts_with(want), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, b"# fine\n\xff\xfe").unwrap();
    for (path, want) in [
        (folder.path().join("missing.toml"), "does not exist"),
        (folder.path().to_owned(), "is a directory, not a file"),
        (binary, "is not UTF-8 text (line 2)"),
    ] {
        let found = config::load(&path, NO_ENV).unwrap_err().to_string();
        assert_eq!(found, format!("{}: {want}", path.display()));
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let toml = format!("[api]\ntimeout = \"20s\"\nconcurrency = 4\n{WATCH}");
    let variables = env(&[
        ("TIKTOK_EXPORTER__API__TIMEOUT", "30s"),
        ("TIKTOK_EXPORTER__WEB__LISTEN_ADDRESS", "[::]:1"),
        ("TIKTOK_EXPORTER_PORT", "tcp://10.0.0.1:10110"),
        ("PATH", "/bin"),
    ]);
    let config = config::load_str(&toml, variables).unwrap().config;
    assert_eq!(config.api.timeout, Duration::from_secs(30));
    assert_eq!(config.api.concurrency, 4);
    assert_eq!(config.api.connect_timeout, Duration::from_secs(5));
    assert_eq!(config.web.listen_address, ["[::]:1".parse().unwrap()]);
}

#[test]
fn digits_in_the_environment_stay_text_where_text_is_meant() {
    let variables = env(&[
        ("TIKTOK_EXPORTER__API__KEY_FILE", "007"),
        ("TIKTOK_EXPORTER__STORE__PATH", "true"),
        ("TIKTOK_EXPORTER__API__CONCURRENCY", "7"),
        ("TIKTOK_EXPORTER__API__MAX_BODY_BYTES", "0065536"),
    ]);
    let config = config::load_str(WATCH, variables).unwrap().config;
    assert_eq!(config.api.key_file.unwrap().to_str(), Some("007"));
    assert_eq!(config.store.path.to_str(), Some("true"));
    assert_eq!((config.api.concurrency, config.api.max_body_bytes), (7, 65_536));
}

#[test]
fn a_short_timeout_bounds_the_default_wait_for_a_connection() {
    let config = load(&format!("[api]\ntimeout = \"2s\"\n{WATCH}")).config;
    assert_eq!(config.api.connect_timeout, Duration::from_secs(2));
}

#[test]
fn the_base_url_always_ends_in_a_slash() {
    for (text, want) in [
        ("https://a.b", "https://a.b/"),
        ("https://a.b/", "https://a.b/"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x/"),
    ] {
        let loaded = load(&format!("[api]\nbase_url = \"{text}\"\n{WATCH}"));
        assert_eq!(loaded.config.api.base_url.as_str(), want);
        assert_eq!(loaded.warnings, [""; 0]);
    }
}

#[test]
fn risky_settings_are_legal_but_told() {
    let late = "[[watch]]\nhashtags = [\"a\"]\ntotals_interval = \"1m\"\n[api]\nrate_limit_per_minute = 1";
    let in_clear = format!("[api]\nbase_url = \"http://example.org\"\n{WATCH}");
    let often = format!("[refresh]\ntotals_interval = \"30s\"\n{WATCH}");
    let often_elsewhere =
        format!("[api]\nbase_url = \"http://localhost\"\n[refresh]\ntotals_interval = \"30s\"\n{WATCH}");
    let short = format!("[budget]\nper_day = 6\n{WATCH}");
    let very_short = format!("[budget]\nper_month = 60\n{WATCH}");
    let tight = format!("[refresh]\nmax_age = \"30h\"\n{WATCH}");
    let tight_by_default = format!("[refresh]\nposts_interval = \"40h\"\n{WATCH}");
    for (toml, want) in [
        (
            in_clear.as_str(),
            "api.base_url: the API key travels unencrypted; use https unless the host is this machine",
        ),
        (&often, "refresh.totals_interval: 30s is under a minute, and every refresh costs a credit"),
        (&often_elsewhere, ""),
        (
            &short,
            "budget: leaves 6 credits a day, but the watchlist may need 7: intervals of posts stretch 1.5 times \
             (the `plan` subcommand shows what would save most)",
        ),
        (
            &very_short,
            "budget: leaves 1 credits a day, but the watchlist may need 7: intervals of totals stretch 2.0 times, \
             posts are paused (the `plan` subcommand shows what would save most)",
        ),
        (
            &tight,
            "refresh.max_age: 1d 6h is less than 1.5 times posts_interval (1d): values disappear if one refresh is late",
        ),
        (
            &tight_by_default,
            "refresh.posts_interval: 1d 16h is more than two thirds of max_age (2d): values disappear if one refresh is late",
        ),
        (
            late,
            "api.rate_limit_per_minute: 1 allows 1440 requests a day, but the watchlist may need 1443: values will be late",
        ),
        (
            "[[watch]]\nhashtags = [\"#A\", \"a\"]\nregions = [\"us\", \"US\"]",
            "watch[0].regions[1]: US is already listed in this block\n\
             watch[0].hashtags[1]: #a is already listed in this block",
        ),
        (
            "[[watch]]\nhashtags = [\"a\"]\n[[watch]]\nhashtags = [\"b\", \"a\"]",
            "watch[1].hashtags[1]: #a is already listed in watch[0], whose group and intervals hold; \
             the regions of both are watched",
        ),
    ] {
        assert_eq!(load(toml).warnings.join("\n"), want, "{toml}");
    }
}

#[test]
fn a_block_overrides_the_general_settings_for_its_hashtags_only() {
    let toml = "[posts]\npages_max = 5\n\
        [[watch]]\nhashtags = [\"a\"]\n\
        [[watch]]\nhashtags = [\"b\"]\nregions = [\"us\"]\ngroup = \"g\"\npages_max = 1\ntotals_interval = \"1h\"\nmax_age = \"3d\"";
    let watchlist = load(toml).config.watchlist;
    let [a, b] = watchlist.entries.as_slice() else { panic!("two hashtags") };
    assert_eq!(
        (&*a.terms.group, a.terms.pages_max, a.terms.regions.as_slice()),
        ("default", 5, [Region::Any].as_slice())
    );
    assert_eq!(
        (&*b.terms.group, b.terms.pages_max, b.terms.regions.as_slice()),
        ("g", 1, [Region::Country(*b"US")].as_slice())
    );
    assert_eq!(
        (a.terms.totals_interval, b.terms.totals_interval),
        (Duration::from_secs(21_600), Duration::from_secs(3_600))
    );
    assert_eq!(
        (a.terms.max_age, b.terms.max_age),
        (Duration::from_secs(2 * 86_400), Duration::from_secs(3 * 86_400))
    );
}

const EXAMPLE: &str = include_str!("../../tiktok-exporter.example.toml");

/// Settings that are absent by default.
const WITHOUT_DEFAULT: [&str; 6] =
    ["key_file", "per_day", "per_month", "balance", "balance_counted_on", "url"];

/// The example with its commented-out defaults in force, but for the keys that have no default.
fn uncommented_example() -> String {
    let is_setting = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" = ");
    let has_no_default =
        |line: &str| WITHOUT_DEFAULT.iter().any(|key| line.starts_with(&format!("{key} = ")));
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if is_setting(rest) && !has_no_default(rest) => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_example_loads_and_shows_the_built_in_defaults() {
    let as_is = load(EXAMPLE);
    assert_eq!(as_is.warnings, [""; 0]);
    let names: Vec<&str> =
        as_is.config.watchlist.entries.iter().map(|entry| entry.hashtag.as_str()).collect();
    for name in ["日本", "café", "2025", "no"] {
        assert!(names.contains(&name), "{name}");
    }
    let uncommented = uncommented_example();
    assert_ne!(uncommented, EXAMPLE);
    assert_eq!(load(&uncommented).config, as_is.config);
}

#[test]
fn the_example_shows_every_key() {
    let mut section = String::new();
    let mut shown = Vec::new();
    for line in EXAMPLE.lines().map(|line| line.trim_start_matches(['#', ' '])) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            shown.push(format!("{section}.{key}"));
        }
    }
    for key in config::known_keys() {
        assert!(shown.contains(&key), "{key} is not in the example");
    }
}

#[test]
fn the_key_comes_from_the_environment_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "  00123\n").unwrap();
    let without = ApiConfig::default();
    let with = ApiConfig { key_file: Some(path.clone()), ..ApiConfig::default() };

    assert!(api_key(&without, None).unwrap().is_none());
    let key = api_key(&with, None).unwrap().unwrap();
    assert_eq!((key.secret.expose_secret(), key.source), ("00123", KeySource::File(path.clone())));
    let key = api_key(&with, Some(" abc\n".to_owned())).unwrap().unwrap();
    assert_eq!((key.secret.expose_secret(), key.source), ("abc", KeySource::Environment(KEY_VARIABLE)));
    assert_eq!(key.warnings, ["api.key_file: is not read, TIKLIVE_API_KEY is set"]);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_everybody_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "abc").unwrap();
    let config = ApiConfig { key_file: Some(file.path().to_owned()), ..ApiConfig::default() };
    for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(api_key(&config, None).unwrap().unwrap().warnings.len(), warnings, "{mode:o}");
    }
}

#[test]
fn a_key_that_fits_no_header_is_refused_unseen() {
    let characters = "contains a space, a control character or a non-ASCII character, which no API key has";
    let long = "k".repeat(513);
    for (text, want) in [
        ("se cret", characters),
        ("se\ncret", characters),
        ("schlüssel", characters),
        (&long, "is longer than 512 characters, which no API key is"),
    ] {
        let found = api_key(&ApiConfig::default(), Some(text.to_owned())).unwrap_err().to_string();
        assert_eq!(found, format!("{KEY_VARIABLE}: {want}"));
    }
}

#[test]
fn a_blank_variable_is_no_key_and_hides_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "from-the-file\n").unwrap();
    let with_file = ApiConfig { key_file: Some(file.clone()), ..ApiConfig::default() };
    for blank in ["", " \n"] {
        assert!(api_key(&ApiConfig::default(), Some(blank.to_owned())).unwrap().is_none(), "{blank:?}");
        let key = api_key(&with_file, Some(blank.to_owned())).unwrap().unwrap();
        assert_eq!(key.source, KeySource::File(file.clone()), "{blank:?}");
    }
}

#[test]
fn a_bad_key_file_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let blank = folder.path().join("blank");
    std::fs::write(&blank, "\n").unwrap();
    let shown =
        |why: &str, path: &std::path::Path| format!("api.key_file: the file {} {why}", path.display());
    for (path, want) in [
        (blank.clone(), shown("holds a key that is blank", &blank)),
        (folder.path().to_owned(), shown("is a directory, not a file", folder.path())),
        (
            "s3cr3t".into(),
            "api.key_file: the named file (not shown, in case it is the key itself) does not exist"
                .to_owned(),
        ),
    ] {
        let config = ApiConfig { key_file: Some(path), ..ApiConfig::default() };
        assert_eq!(api_key(&config, None).unwrap_err().to_string(), want);
    }
}

#[test]
fn no_message_shows_a_key_that_is_in_the_wrong_place() {
    const KEY: &str = "s3cr3tk3y";
    for file in [
        "[api]\nkey = \"%\"",
        "[api]\nkey = %",
        "[api]\nkey = \"%",
        "[api]\napi_key = \"%\"",
        "[api]\nX-Api-Key = \"%\"",
        "[api]\ntoken = { value = \"%\" }",
        "[api.key]\nvalue = \"%\"",
        "[api]\nbase_url = \"https://%@api.tikliveapi.com\"",
        "[api]\nbase_url = \"https://api.tikliveapi.com/?key=%\"",
        "[api]\nbase_url = \"ftp://me:%@api.tikliveapi.com\"",
        "[api]\nbase_url = \"%\"",
        "api = \"%\"",
        "api_key = \"%\"",
        "TIKLIVE_API_KEY = \"%\"",
        "[tiklive]\nkey = \"%\"",
        "[key]\nvalue = \"%\"",
    ] {
        let found = problems(&format!("{}{WATCH}", file.replace('%', KEY)), &[]);
        assert!(!found.contains(KEY), "{found}");
    }
    for name in
        ["API__KEY", "API__API_KEY", "KEY", "API", "API__TIKLIVE_API_KEY", "X__KEY", "API__KEY__X", "TOKEN"]
    {
        let found = problems(WATCH, &[(&format!("TIKTOK_EXPORTER__{name}"), KEY)]);
        assert!(!found.contains(KEY), "{found}");
    }
    let hint = problems(WATCH, &[("TIKTOK_EXPORTER__API__KEY", KEY)]);
    assert!(hint.contains(KEY_VARIABLE) && hint.contains("api.key_file"), "{hint}");

    let loaded = config::load_str(WATCH, env(&[(KEY_VARIABLE, KEY)])).unwrap();
    let key = api_key(&loaded.config.api, Some(KEY.to_owned())).unwrap();
    assert!(!format!("{loaded:?} {key:?}").contains(KEY));
}

/// Text made of the pieces that configurations are made of, in any order.
fn wild_toml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "[api]",
            "[refresh]",
            "[posts]",
            "[[watch]]",
            "[watch]",
            "[store]",
            "timeout",
            "base_url",
            "hashtags",
            "regions",
            "group",
            "max_age",
            "posts_interval",
            "page_size",
            " = ",
            "=",
            ".",
            "\n",
            "\n",
            "\"",
            "'''",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\"1d\"",
            "\"0s\"",
            "36",
            "-1",
            "1e999",
            "nan",
            "2025-01-01",
            "true",
            "\"#a\"",
            "[\"a\", \"b\"]",
            "\"http://[::1]:99999\"",
            "\"https://\"",
            "\u{feff}",
            "#",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(toml in wild_toml(), name in "TIKTOK_EXPORTER__[A-Z_.é\n]{0,20}", value in any::<String>()) {
        let _ = config::load_str(&toml, [(name, value)]);
    }

    #[test]
    fn no_value_makes_it_panic(key in prop::sample::select(config::known_keys()), value in any::<String>()) {
        let name = format!("TIKTOK_EXPORTER__{}", key.to_uppercase().replace('.', "__"));
        if let Err(problems) = config::load_str(WATCH, [(name, value)]) {
            prop_assert_eq!(problems.to_string().lines().count(), problems.as_slice().len());
        }
    }

    #[test]
    fn no_key_makes_it_panic(key in any::<String>()) {
        let _ = api_key(&ApiConfig::default(), Some(key));
    }
}

#[test]
fn the_listen_address_is_one_address_or_a_list() {
    for (value, expected) in [
        ("\":10110\"", &[":10110"][..]),
        ("\" localhost:1 \"", &["localhost:1"]),
        ("[\"127.0.0.1:1\", \"[::1]:1\", \":2\"]", &["127.0.0.1:1", "[::1]:1", ":2"]),
    ] {
        let config = load(&format!("[web]\nlisten_address = {value}\n{WATCH}")).config;
        let addresses: Vec<String> = config.web.listen_address.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, expected);
    }
    let variable = "TIKTOK_EXPORTER__WEB__LISTEN_ADDRESS";
    let said = problems(WATCH, &[(variable, "nowhere")]);
    assert!(said.ends_with(&format!("[IPv6]:PORT); set by {variable}")), "{said}");
}
