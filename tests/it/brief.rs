//! The brief and the feed of trends: what is ranked where and why, what is refused, and what the JSON
//! promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tiktok_api::{Hashtag, Post, Region};
use tiktok_exporter::brief::{
    Evidence, Facts, Kind, Level, Measure, Question, Report, Signal, Thresholds, Trend, WindowState, compose,
    markdown,
};
use tiktok_exporter::model::SampleStats;
use tiktok_exporter::prometheus::QueryError;
use tiktok_exporter::state::{HashtagState, Snapshot};
use units::HOUR;

use crate::support::posts::{HOSTILE, hostile_posts};
use crate::support::site::Site;
use crate::support::snapshot::{MAX_AGE, NOW, known, publish, restate, unknown};

/// What a test makes of the figures of a sample.
type Change<'a> = &'a dyn Fn(&mut SampleStats);

/// A watchlist of hashtags in one region each, with a change to the figures of their samples.
fn watch(hashtags: &[(&str, Change<'_>)]) -> Snapshot {
    let state = |(name, change): &(&str, Change<'_>)| {
        let mut state = known(name, "books", &["US"], 1_000_000, NOW - HOUR);
        restate(&mut state.regions[0], change);
        Arc::new(state)
    };
    Snapshot { hashtags: hashtags.iter().map(state).collect(), ..Snapshot::default() }
}

fn velocity(velocity: f64) -> impl Fn(&mut SampleStats) {
    move |stats| stats.velocity = velocity
}

fn facts(velocity: f64) -> Facts {
    Facts { velocity: Some(velocity), ..Facts::default() }
}

fn evidence<const N: usize>(facts: [(&str, Facts); N]) -> Evidence {
    facts.into_iter().map(|(hashtag, facts)| (hashtag.to_owned(), facts)).collect()
}

fn no_posts(_: &Hashtag, _: Region) -> Vec<Post> {
    Vec::new()
}

fn ask(kind: Kind, query: &str, snapshot: &Snapshot, evidence: &Evidence) -> Report {
    compose(&Question::parse(kind, query).unwrap(), snapshot, Some(Ok(evidence)), no_posts, false, NOW)
}

fn names(report: &Report) -> Vec<&str> {
    report.trends.iter().map(|trend| trend.hashtag.as_str()).collect()
}

#[test]
fn the_counter_velocity_ranks_and_samples_come_after_it() {
    let saturated = |stats: &mut SampleStats| (stats.velocity, stats.saturated) = (7.0, true);
    let snapshot = watch(&[
        ("busy", &saturated),
        ("calm", &velocity(6.0)),
        ("new", &velocity(5.0)),
        ("newer", &velocity(2.0)),
        ("rising", &velocity(0.5)),
    ]);
    let said = evidence([("calm", facts(1.0)), ("rising", facts(3.5))]);
    let report = ask(Kind::Brief, "", &snapshot, &said);
    assert_eq!(names(&report), ["rising", "calm", "new", "newer", "busy"]);
    let scores: Vec<_> =
        report.trends.iter().map(|trend| (trend.rank, trend.score, trend.score_is)).collect();
    let (counter, sample) = (Some(Measure::CounterVelocity), Some(Measure::SampleVelocity));
    assert_eq!(
        scores,
        [
            (1, Some(3.5), counter),
            (2, Some(1.0), counter),
            (3, Some(5.0), sample),
            (4, Some(2.0), sample),
            // A saturated 7.00 says nothing.
            (5, None, None),
        ]
    );
    assert_eq!((report.ranking.by, report.ranking.notes.as_slice()), (Measure::CounterVelocity, &[][..]));
    assert_eq!(names(&ask(Kind::Brief, "limit=2", &snapshot, &said)), ["rising", "calm"]);
}

#[test]
fn without_a_counter_velocity_the_sample_ranks_and_a_note_says_so() {
    let snapshot = watch(&[("slow", &velocity(1.0)), ("fast", &velocity(4.0))]);
    let question = |query| Question::parse(Kind::Brief, query).unwrap();
    let (nothing, hangs) = (Evidence::default(), QueryError::TimedOut(Duration::from_secs(3)));
    let less = ": ranked by the sample velocity, which is less reliable";
    for (query, said, want) in [
        ("", None, vec![format!("no Prometheus is set (prometheus.url){less}")]),
        ("", Some(Err(&hangs)), vec![format!("Prometheus did not answer within 3s{less}")]),
        (
            "",
            Some(Ok(&nothing)),
            vec![format!(
                "Prometheus has no counter velocity (it takes the rules of alerts/ and a week of history){less}"
            )],
        ),
        (
            "since=7d",
            None,
            vec![
                format!("no Prometheus is set (prometheus.url){less}"),
                "nothing is known of the last 7d: this is the state of now".to_owned(),
            ],
        ),
    ] {
        let report = compose(&question(query), &snapshot, said, no_posts, false, NOW);
        assert_eq!((report.ranking.by, report.ranking.notes.clone()), (Measure::SampleVelocity, want));
        assert_eq!(names(&report), ["fast", "slow"]);
    }
}

#[test]
fn a_week_is_ranked_by_its_peak() {
    let snapshot = watch(&[("now", &velocity(1.0)), ("tuesday", &velocity(1.0))]);
    let peak = |now, peak, mean| Facts { velocity_peak: Some(peak), velocity_mean: Some(mean), ..facts(now) };
    let said = evidence([("now", peak(2.5, 2.5, 1.2)), ("tuesday", peak(0.9, 4.0, 1.4))]);
    let report = ask(Kind::Brief, "since=7d", &snapshot, &said);
    assert_eq!(names(&report), ["tuesday", "now"]);
    assert_eq!((report.ranking.by, report.ranking.notes.len()), (Measure::CounterVelocityPeak, 1));
    let first = &report.trends[0];
    assert_eq!(
        (first.score, first.velocity.counter, first.velocity.counter_mean),
        (Some(4.0), Some(0.9), Some(1.4))
    );
    let text = markdown(&report);
    assert!(text.starts_with("# Creator brief, last 7 d\n"), "{text}");
    assert!(text.contains("4.00 (highest counter velocity), 1.40 on average, 0.90 now"), "{text}");
}

fn only(snapshot: &Snapshot, said: &Evidence) -> Trend {
    ask(Kind::Brief, "", snapshot, said).trends.remove(0)
}

#[test]
fn signals_are_those_of_the_alerts() {
    let snapshot = watch(&[("x", &velocity(1.0))]);
    let sure = |velocity| Facts { chance: Some(1e-4), posts_gain_steps: Some(50.0), ..facts(velocity) };
    let week = |before, chance| Facts {
        posts_gain_week_before: Some(before),
        week_chance: Some(chance),
        ..sure(3.0)
    };
    let views = Facts {
        views_zscore: Some(2.8),
        views_gain: Some(5_000.0),
        views_gain_steps: Some(5.0),
        ..facts(1.0)
    };
    let (candidate, heating_up, trending) = (Signal::TrendCandidate, Signal::HeatingUp, Signal::Trending);
    for (note, facts, want) in [
        ("steady", sure(1.49), vec![]),
        ("heating up", sure(1.5), vec![heating_up]),
        ("a candidate is no longer heating up", sure(3.0), vec![candidate]),
        ("may be chance", Facts { chance: Some(0.002), ..sure(5.0) }, vec![]),
        ("chance unknown", Facts { chance: None, ..sure(5.0) }, vec![]),
        ("may be rounding", Facts { posts_gain_steps: Some(2.9), ..sure(5.0) }, vec![]),
        ("more than a week ago", Facts { posts_gain: Some(60.0), ..week(40.0, 0.02) }, vec![candidate]),
        ("no more than every week", Facts { posts_gain: Some(59.0), ..week(40.0, 0.02) }, vec![]),
        ("more by chance", Facts { posts_gain: Some(60.0), ..week(40.0, 0.03) }, vec![]),
        ("nothing that day a week ago", Facts { posts_gain: Some(60.0), ..week(0.0, 0.0) }, vec![candidate]),
        ("views", views, vec![trending]),
        ("views, and posts", Facts { posts_gain_week: Some(3.0), ..views }, vec![trending]),
        ("one post that many see", Facts { posts_gain_week: Some(1.0), ..views }, vec![]),
        ("a count of posts that stands still", Facts { posts_gain_week: Some(0.0), ..views }, vec![trending]),
        ("few views", Facts { views_gain: Some(99.0), ..views }, vec![]),
        ("rounded views", Facts { views_gain_steps: Some(1.6), ..views }, vec![]),
        ("no gap", Facts { readings_zscore: Some(2.0), ..views }, vec![trending]),
        ("catching up after a gap", Facts { readings_zscore: Some(2.1), ..views }, vec![]),
        (
            "more than catching up",
            Facts { readings_zscore: Some(2.1), views_zscore: Some(3.2), ..views },
            vec![trending],
        ),
        (
            "both",
            Facts { velocity: Some(3.0), chance: Some(1e-4), posts_gain_steps: Some(9.0), ..views },
            vec![trending, candidate],
        ),
    ] {
        assert_eq!(only(&snapshot, &evidence([("x", facts)])).signals, want, "{note}");
    }
    let of_sample = |stats: Change<'_>| only(&watch(&[("x", stats)]), &Evidence::default()).signals;
    assert_eq!(of_sample(&velocity(1.4)), []);
    assert_eq!(of_sample(&velocity(1.5)), [heating_up]);
    assert_eq!(of_sample(&velocity(3.0)), [candidate]);
    assert_eq!(of_sample(&|stats| (stats.velocity, stats.saturated) = (7.0, true)), []);
}

#[test]
fn the_posting_window_is_the_latch_of_the_rules_or_else_what_the_sample_says() {
    let state =
        |said: &Evidence, sample| only(&watch(&[("x", &velocity(sample))]), said).posting_window.state;
    let latch = |open| evidence([("x", Facts { posting_window: Some(open), ..Facts::default() })]);
    let nothing = Evidence::default();
    // The latch remembers what one number cannot: it is open at 1.2 when it was open before.
    assert_eq!(state(&latch(1.0), 1.2), WindowState::Open);
    assert_eq!(state(&latch(0.0), 6.0), WindowState::Closed);
    assert_eq!(state(&nothing, 2.0), WindowState::Open);
    assert_eq!(state(&nothing, 1.99), WindowState::Hold);
    assert_eq!(state(&nothing, 1.0), WindowState::Hold);
    assert_eq!(state(&nothing, 0.99), WindowState::Closed);
    let saturated = watch(&[("x", &|stats: &mut SampleStats| stats.saturated = true)]);
    assert_eq!(only(&saturated, &nothing).posting_window.state, WindowState::Unknown);
}

#[test]
fn every_doubt_is_said_and_counts() {
    let plain = |_: &mut SampleStats| {};
    let good = Facts { chance: Some(1e-4), ..facts(3.0) };
    let one_sample = "counted in one sample of posts, not in the growth of the total";
    let small = |stats: &mut SampleStats| (stats.posts_24h, stats.posts_7d) = (0, 4);
    let foreign = |stats: &mut SampleStats| stats.region_match_ratio = Some(0.3);
    let saturated = |stats: &mut SampleStats| stats.saturated = true;
    let steady = |stats: &mut SampleStats| (stats.posts_24h, stats.posts_7d) = (2, 14);
    type Case<'a> = (Change<'a>, Option<Facts>, Level, &'a [&'a str]);
    let cases: [Case<'_>; 7] = [
        (&plain, Some(good), Level::High, &[]),
        (&steady, None, Level::Medium, &[one_sample]),
        (&small, None, Level::Low, &[one_sample, "only 4 posts of the last 7 days in the sample"]),
        (
            &saturated,
            None,
            Level::Low,
            &[
                one_sample,
                "the sample does not reach back 7 days: its velocity reflects its size, not a trend",
            ],
        ),
        (&foreign, Some(good), Level::Medium, &["only 30 % of the sampled posts are from US"]),
        (
            &plain,
            Some(Facts { chance: Some(0.04), ..good }),
            Level::Medium,
            &["upper bound on the probability that a steady stream produces this: 4.0 %"],
        ),
        // 3 of 14 posts on the last day: the bound is exp(-(3 ln 1.5 + 11 ln(11/12))).
        (
            &plain,
            None,
            Level::Low,
            &[one_sample, "upper bound on the probability that a steady stream produces this: 77.2 %"],
        ),
    ];
    for (change, facts, level, doubts) in cases {
        let said = facts.map_or(Evidence::default(), |facts| evidence([("x", facts)]));
        let certainty = only(&watch(&[("x", change)]), &said).certainty;
        assert_eq!(
            (certainty.level, certainty.doubts),
            (level, doubts.iter().map(|&d| d.to_owned()).collect::<Vec<_>>())
        );
        assert!(certainty.fresh);
    }
    // Read 13 hours ago, where every 6 hours was meant; sampled 49 hours ago, where every day was.
    let mut old = known("x", "books", &["US"], 5, NOW - HOUR * 13);
    old.max_age = MAX_AGE * 2;
    old.regions[0].refresh.last_success = Some(NOW - HOUR * 49);
    let snapshot = Snapshot { hashtags: vec![Arc::new(old)], ..Snapshot::default() };
    let certainty = only(&snapshot, &evidence([("x", good)])).certainty;
    assert_eq!(certainty.doubts, ["the totals are not fresh", "the sample of posts is not fresh"]);
    assert!(!certainty.fresh);
}

#[test]
fn a_brief_names_a_hashtag_once_and_the_feed_every_region_with_a_signal() {
    let mut everywhere = known("everywhere", "books", &["DE", "GB", "US"], 500, NOW);
    for (region, velocity) in everywhere.regions.iter_mut().zip([1.0, 2.5, 4.0]) {
        restate(region, |stats| {
            (stats.velocity, stats.engagement_weighted_velocity) = (velocity, Some(velocity * 100.0));
        });
    }
    let mut quiet = known("quiet", "home", &["US"], 500, NOW);
    restate(&mut quiet.regions[0], |stats| stats.velocity = 1.0);
    let mut gone = known("gone", "books", &["US"], 500, NOW);
    gone.found = Some(false);
    let old = known("old", "books", &["US"], 500, NOW - MAX_AGE - HOUR);
    let new = unknown("unread", "books", &["US"]);
    let hashtags = [everywhere, gone, old, quiet, new].map(Arc::new);
    let snapshot = Snapshot { hashtags: hashtags.into(), ..Snapshot::default() };
    let pairs = |kind, query: &str, said: &Evidence| {
        let report = ask(kind, query, &snapshot, said);
        report
            .trends
            .into_iter()
            .map(|trend| format!("{} {}", trend.hashtag, trend.region))
            .collect::<Vec<_>>()
    };
    let nothing = Evidence::default();
    assert_eq!(pairs(Kind::Brief, "", &nothing), ["everywhere US", "quiet US"]);
    assert_eq!(pairs(Kind::Brief, "region=DE", &nothing), ["everywhere DE"]);
    assert_eq!(pairs(Kind::Brief, "group=home", &nothing), ["quiet US"]);
    assert_eq!(pairs(Kind::Brief, "hashtag=%23Quiet", &nothing), ["quiet US"]);
    assert_eq!(pairs(Kind::Trends, "", &nothing), ["everywhere US", "everywhere GB"]);
    assert_eq!(pairs(Kind::Trends, "limit=1", &nothing), ["everywhere US"]);
    // With one velocity for all regions, the liveliest sample comes first.
    let said =
        evidence([("everywhere", Facts { chance: Some(0.0), posts_gain_steps: Some(9.0), ..facts(2.0) })]);
    assert_eq!(pairs(Kind::Trends, "", &said), ["everywhere US", "everywhere GB", "everywhere DE"]);
}

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: Option<String>,
    expr: String,
}

#[test]
fn what_is_asked_for_is_recorded_by_the_rules_and_the_built_in_thresholds_are_theirs() {
    let mut recorded = BTreeMap::new();
    for file in std::fs::read_dir("alerts").unwrap().map(|file| file.unwrap().path()) {
        if file.to_string_lossy().ends_with(".rules.yml") {
            let rules: RuleFile = serde_norway::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
            let rules = rules.groups.into_iter().flat_map(|group| group.rules);
            recorded.extend(rules.filter_map(|rule| Some((rule.record?, rule.expr))));
        }
    }
    for name in Evidence::series() {
        assert!(recorded.contains_key(name), "{name} is not recorded in alerts/");
    }
    for (name, built_in) in Thresholds::default().named() {
        assert_eq!(recorded[name], format!("vector({built_in})"), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_one_line() {
    let site = Site::start(None).await;
    publish(
        &site.state,
        [known("booktok", "books", &["US", "DE"], 5, NOW), known("a", "a <b>", &["US"], 5, NOW)],
    );
    for (query, why) in [
        ("group=nope", "group: nope is not watched (watched: \"a <b>\", books)"),
        ("group=%3Cscript%3E", "group: \"<script>\" is not watched (watched: \"a <b>\", books)"),
        ("region=FR", "region: FR is not watched (watched: DE, US)"),
        (
            "region=XX",
            "region: XX is not an ISO 3166-1 alpha-2 country code (two letters such as US, GB or DE; leave `regions` out for any)",
        ),
        ("hashtag=nope", "hashtag: nope is not watched (watched: a, booktok)"),
        ("limit=-1", "limit: -1 is not a whole number"),
        ("limit=99999999999999999999", "limit: 99999999999999999999 is not a whole number"),
        ("regoin=US", "regoin: is not a parameter (known: group, region, hashtag, limit"),
    ] {
        for path in ["/brief", "/brief.md", "/brief.json", "/api/v1/trends"] {
            let response = site.request(Method::GET, &format!("{path}?{query}")).await;
            assert_eq!(response.status(), 400, "{path}?{query}");
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            let body = response.text().await.unwrap();
            let said = if path.ends_with("json") || path.ends_with("trends") {
                assert_eq!(kind, "application/json", "{path}");
                serde_json::from_str::<Value>(&body).unwrap()["error"].as_str().unwrap().to_owned()
            } else {
                assert_eq!(kind, "text/plain; charset=utf-8", "{path}");
                body.strip_suffix('\n').unwrap().to_owned()
            };
            assert!(said.starts_with(why) && !said.contains('\n'), "{path}?{query}: {said:?}");
        }
    }
    assert_eq!(site.request(Method::GET, "/api/v1/trends?since=7d").await.status(), 400);
    // As links in alerts have it, and parameters without a value.
    for query in
        ["group=books&region=&hashtag=", "group=a+%3Cb%3E", "group=books&region=US&hashtag=booktok", ""]
    {
        assert_eq!(site.request(Method::GET, &format!("/brief?{query}")).await.status(), 200, "{query}");
    }
}

/// A site over one hashtag whose best posts are hostile.
async fn hostile_site() -> Site {
    let site = Site::start(None).await;
    let state = |(number, posts): (usize, &[Post])| -> HashtagState {
        let state = known(&format!("wild{number}"), "wild", &["US"], 7, NOW);
        site.store.save_sample(&state.hashtag, &state.regions[0], Some(posts)).unwrap();
        state
    };
    publish(&site.state, hostile_posts().chunks(3).enumerate().map(state));
    site
}

#[tokio::test]
async fn no_form_of_the_brief_makes_more_of_a_post_than_text_and_its_link() {
    let site = hostile_site().await;
    let links: Vec<&str> = HOSTILE.iter().filter_map(|post| post.link).collect();
    let page = site.page("/brief?limit=50").await;
    for outside in ["<script", "<img", "javascript:alert(1)\"", "href=\"http:", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside} is on the page");
    }
    assert_eq!(page.matches("href=\"https://").count(), links.len());
    // What a reader of Markdown makes of it.
    let mut rendered = String::new();
    let source = site.page("/brief.md?limit=50").await;
    pulldown_cmark::html::push_html(&mut rendered, pulldown_cmark::Parser::new(&source));
    for tag in ["<script", "<img", "</main", "<h3", "<code", "<table"] {
        assert!(!rendered.contains(tag), "{tag} was made of {source}");
    }
    assert_eq!(rendered.matches("<a ").count(), links.len(), "{rendered}");
    for link in links {
        for made in [&page, &rendered] {
            assert!(made.contains(&format!("<a href=\"{link}\"")), "{link} is not in {made}");
        }
    }
    for post in HOSTILE {
        let title = post
            .title
            .unwrap_or("(no title)")
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        assert!(rendered.replace("&quot;", "\"").contains(&title), "{title} is not in {rendered}");
    }
    assert!(!source.contains("http://") && !source.contains(" www.evil"), "addresses become links: {source}");
    let report: Report = serde_json::from_str(&site.page("/brief.json?limit=50").await).unwrap();
    let posts = report.trends.iter().flat_map(|trend| &trend.posts);
    let got: BTreeSet<_> = posts.map(|post| (post.title.as_deref(), post.url.as_deref())).collect();
    assert_eq!(got, HOSTILE.iter().map(|post| (post.title, post.link)).collect());
}

#[tokio::test]
async fn the_page_brings_all_it_needs_and_forbids_the_rest() {
    let site = hostile_site().await;
    let headers = site.request(Method::GET, "/brief").await.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    let want =
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    assert_eq!(policy, want);
    assert_eq!(
        (&headers["x-content-type-options"], &headers["referrer-policy"]),
        (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap())
    );
    let style = site.page("/brief.css").await;
    for outside in ["http", "url(", "@import"] {
        assert!(!style.contains(outside), "{outside} is in the style sheet");
    }
    assert!(site.page("/").await.contains("<a href=\"/brief\">"), "the landing page leads to the brief");
}

/// Every path to a value in a JSON document, lists by `[]`.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| fields(member, &format!("{path}.{name}"), into));
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), into)),
        _ => _ = into.insert(path.trim_start_matches('.').to_owned()),
    }
}

#[tokio::test]
async fn the_documentation_has_the_fields_that_there_are() {
    let site = hostile_site().await;
    site.state.api().set_simulated();
    // A field that holds a list shows its items; null shows its name.
    let answer: Value = serde_json::from_str(&site.page("/api/v1/trends").await).unwrap();
    let mut there = BTreeSet::new();
    fields(&answer, "", &mut there);

    let documentation = include_str!("../../docs/api.md");
    let example = documentation.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let mut shown = BTreeSet::new();
    fields(&serde_json::from_str(example).unwrap(), "", &mut shown);
    assert_eq!(shown, there, "the example of docs/api.md");
    let listed: BTreeSet<String> = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !Kind::Brief.parameters().contains(&name.as_str()))
        .collect();
    assert_eq!(listed, there, "the table of docs/api.md");
    // It reads as what it is, too.
    let report: Report = serde_json::from_str(example).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap(), serde_json::from_str::<Value>(example).unwrap());
}
