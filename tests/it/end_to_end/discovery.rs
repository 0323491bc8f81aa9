//! Discovery in the real program: candidates come and stay bounded, join on trial and leave again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::end_to_end::demo::promtool_check;
use crate::support::process::{Metrics, Process, Simulator, serve, stays, write_config};

/// A keyword nobody should type, and how it stands in a label.
const ODD: &str = r#"say "hi" \o/ <b>"#;
const ODD_LABEL: &str = r#"keyword="say \"hi\" \\o/ <b>""#;

fn simulator() -> Simulator {
    Simulator::start(&["--rate-limit-per-minute", "6000"])
}

/// Makes everything be asked for once an hour.
fn hourly(config: &str) {
    let text = fs::read_to_string(config).unwrap();
    let text = text
        .replace("totals_interval = \"1s\"", "totals_interval = \"1h\"")
        .replace("posts_interval = \"1s\"", "posts_interval = \"1h\"")
        .replace("max_age = \"1h\"", "max_age = \"3h\"");
    fs::write(config, text).unwrap();
}

/// The lines about keywords and hashtags, without the exporter's own figures.
fn results(metrics: &Metrics) -> Vec<&str> {
    let about = |line: &&str| line.starts_with("tiktok_keyword_") || line.starts_with("tiktok_hashtag_");
    metrics.text.lines().filter(about).collect()
}

/// The value of a label of every series in a family.
fn labels<'a>(metrics: &'a Metrics, family: &str, label: &str) -> BTreeSet<&'a str> {
    let start = format!("{label}=\"");
    let of = |(series, _): (&'a str, f64)| Some(series.split_once(&start)?.1.split('"').next().unwrap());
    metrics.family(family).into_iter().filter_map(of).collect()
}

#[test]
fn candidates_are_bounded_outlive_a_kill_and_go_with_their_block() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let watch = "hashtags = [\"booktok\"]\nregions = [\"US\"]";
    let discover = format!(
        "[[discover]]\nkeyword = '{ODD}'\nregions = [\"US\", \"DE\"]\ntop = 5\nmin_views = 1000\npromote = 2\n\
         follow_posts = true\nsearch_interval = \"1h\"\ntrial = \"1h\""
    );
    let config = write_config(directory.path(), &simulator, &format!("{watch}\n{discover}"));
    hourly(&config);
    let first = serve(&config);
    let before = first.wait_for("candidates, and two of them on trial", |metrics| {
        metrics.family("tiktok_keyword_candidate_views").len() == 5
            && metrics.family("tiktok_keyword_posts_up").len() == 2
            && metrics.family("tiktok_hashtag_sample_up").len() == 1 + 2 * 2
    });
    assert_eq!(promtool_check(&before.text), "");
    assert_eq!(before.value(&format!("tiktok_keyword_trials{{{ODD_LABEL}}}")), 2.0);
    assert_eq!(before.value(&format!("tiktok_keyword_search_up{{{ODD_LABEL}}}")), 1.0);
    for (series, value) in before.family("tiktok_keyword_candidate_views") {
        assert!(series.contains(ODD_LABEL) && value >= 1_000.0, "{series} {value}");
    }
    let day = before.value(&format!("tiktok_keyword_posts{{{ODD_LABEL},region=\"US\",window=\"24h\"}}"));
    let week = before.value(&format!("tiktok_keyword_posts{{{ODD_LABEL},region=\"US\",window=\"7d\"}}"));
    assert!(day <= week, "{day} posts in a day, {week} in a week");
    assert_eq!(before.value("tiktok_exporter_jobs{kind=\"totals\"}"), 1.0, "who is on trial is not listed");
    assert_eq!(before.value("tiktok_exporter_jobs{kind=\"discovery\"}"), 3.0 + 2.0 * 3.0);
    assert_eq!(
        before.sum("tiktok_exporter_credits_spent_total"),
        simulator.credits() as f64,
        "every credit is booked"
    );
    let page = first.get("/");
    assert!(page.contains("say &quot;hi&quot; \\o/ &lt;b&gt;"), "the page shows the keyword, escaped");
    assert!(!page.contains("<b>tok"), "and nothing unescaped");
    let spent = simulator.credits();
    first.kill();

    let second = serve(&config);
    assert_eq!(results(&second.metrics()), results(&before), "at once, and to the digit");
    simulator.receives_nothing("asked before it was due");
    assert_eq!(simulator.credits(), spent, "asked before it was due");

    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.split("[[discover]]").next().unwrap()).unwrap();
    second.signal("HUP");
    let after = second.wait_for("the reload", |metrics| metrics.family("tiktok_keyword_trials").is_empty());
    assert!(!after.text.contains("tiktok_keyword_"), "{}", after.text);
    assert_eq!(labels(&after, "tiktok_hashtag_info", "hashtag"), BTreeSet::from(["booktok"]));
    simulator.receives_nothing("nothing is spent on what is not followed");
    assert_eq!(simulator.credits(), spent, "nothing is spent on what is not followed");
}

#[test]
fn who_stays_quiet_on_trial_leaves_at_once_costs_nothing_more_and_makes_room() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    // The two largest hashtags that this keyword leads to are huge: no sample of theirs reaches back a week.
    let config = write_config(
        directory.path(),
        &simulator,
        "hashtags = [\"booktok\"]\n[[discover]]\nkeyword = \"slugging\"\npromote = 2\ntop = 6\ntrial = \"5s\"\n\
         group = \"tried\"\nsearch_interval = \"10s\"\npages_max = 1",
    );
    let exporter = serve(&config);
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut on_trial = |exporter: &Process| {
        let metrics = exporter.metrics();
        let tried: Vec<&str> = metrics
            .family("tiktok_hashtag_info")
            .into_iter()
            .map(|(series, _)| series)
            .filter(|series| series.contains("group=\"tried\""))
            .collect();
        assert!(tried.len() <= 2, "more than two on trial: {tried:?}");
        for series in &tried {
            let label = |name: &str| series.split_once(name).unwrap().1.split('"').next().unwrap();
            ids.insert(label("hashtag=\"").to_owned(), label("challenge_id=\"").to_owned());
        }
        ids.clone()
    };
    exporter.wait_for("two on trial", |metrics| {
        labels(metrics, "tiktok_keyword_trial_start_timestamp_seconds", "hashtag").len() == 2
    });
    let mut known = on_trial(&exporter);
    while !exporter.output().contains("no activity for a whole trial period") {
        known = on_trial(&exporter);
        thread::sleep(Duration::from_millis(50));
    }
    exporter.wait_for("the first two gone, and others in their place", |metrics| {
        let now = labels(metrics, "tiktok_keyword_trial_start_timestamp_seconds", "hashtag");
        !now.contains("sluggingart") && !now.contains("slugginggirls") && now.len() == 2
    });
    let metrics = exporter.metrics();
    for name in ["sluggingart", "slugginggirls"] {
        let id = &known[name];
        assert!(!id.is_empty(), "{known:?}");
        let left = metrics.text.lines().filter(|line| {
            line.contains(&format!("hashtag=\"{name}\"")) && !line.starts_with("tiktok_keyword_candidate_")
        });
        assert_eq!(left.collect::<Vec<_>>(), [""; 0], "its series are gone");
        let asked = |simulator: &Simulator| {
            let log: Vec<Value> = serde_json::from_str(&simulator.0.get("/-/requests")).unwrap();
            let about = |r: &&Value| r["query"].as_str().is_some_and(|query| query.contains(id.as_str()));
            log.iter().filter(about).count()
        };
        let asked = stays(&format!("#{name} is still asked for"), || asked(&simulator));
        assert!(asked > 0, "#{name} was never asked for");
    }
}

#[test]
fn a_keyword_without_posts_has_none_which_is_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    // In the simulated world nobody has posted about this for weeks.
    let config = write_config(
        directory.path(),
        &simulator,
        "hashtags = [\"booktok\"]\n[[discover]]\nkeyword = \"mewing2019\"\nfollow_posts = true\nregions = [\"DE\"]\n\
         search_interval = \"1h\"\n[[discover]]\nkeyword = \"nosuch thing\"\nsearch_interval = \"1h\"",
    );
    hourly(&config);
    let exporter = serve(&config);
    let posts = "tiktok_keyword_posts{keyword=\"mewing2019\",region=\"DE\",window=\"7d\"}";
    let metrics = exporter.wait_for("both", |metrics| {
        metrics.get(posts).is_some() && metrics.family("tiktok_keyword_search_up").len() == 2
    });
    assert_eq!(metrics.value(posts), 0.0);
    assert_eq!(metrics.value("tiktok_keyword_posts_up{keyword=\"mewing2019\",region=\"DE\"}"), 1.0);
    assert_eq!(metrics.value("tiktok_keyword_search_up{keyword=\"mewing2019\"}"), 1.0);
    assert_eq!(metrics.value("tiktok_keyword_search_up{keyword=\"nosuch thing\"}"), 0.0);
    let of_nothing = metrics.family("tiktok_keyword_candidate_views");
    assert!(!of_nothing.iter().any(|(series, _)| series.contains("nosuch")), "a failure is never a 0");
}
