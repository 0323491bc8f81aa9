//! The rules in `alerts/`, evaluated by Prometheus' own tool: their numbers against a reference in
//! Rust, and which alert fires for which course of a hashtag.
//!
//! `PROMTOOL` names another promtool, to try the rules on another Prometheus.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

#[path = "support/promtool.rs"]
mod promtool;
#[path = "support/reference.rs"]
mod reference;
#[path = "support/world.rs"]
mod world;

use promtool::{RuleTest, left_end, promtool, rule_files, succeed};
use reference::{Hour, Parameters, Rules, Signal};
use serde::Deserialize;
use world::{Case, case};

const TRENDING: &str = "TikTokHashtagTrending";
const HEATING_UP: &str = "TikTokHashtagHeatingUp";
const CANDIDATE: &str = "TikTokHashtagTrendCandidate";
const SPIKE: &str = "TikTokHashtagSpike";
const WINDOW: &str = "TikTokPostingWindowOpen";
const REF_VIEWS: &str = "TikTokReferenceViewsZScore";
const REF_GAIN: &str = "TikTokReferenceDailyGainZScore";
const REF_HEATING_UP: &str = "TikTokReferenceHeatingUp";
const REF_CANDIDATE: &str = "TikTokReferenceTrendCandidate";

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

fn rules() -> Vec<Rule> {
    let read = |path| serde_norway::from_str::<RuleFile>(&std::fs::read_to_string(path).unwrap()).unwrap();
    rule_files().into_iter().map(read).flat_map(|file| file.groups).flat_map(|group| group.rules).collect()
}

/// The recorded constants.
fn parameters() -> Parameters {
    let constant = |rule: Rule| {
        let value = rule.expr.strip_prefix("vector(")?.strip_suffix(')')?.parse().ok()?;
        Some((rule.record?, value))
    };
    rules().into_iter().filter_map(constant).collect()
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    succeed(promtool().args(["check", "rules", "--lint=all", "--lint-fatal"]).args(rule_files()));
}

/// 17 days, at whose end there are 14 days of daily gains; hourly input, rules every 6 hours.
const DAYS: Hour = 17 * 24;
const CASES_AT_ONCE: usize = 12;
/// The last day begins.
const LAST: Hour = DAYS - 24;

/// The views of a hashtag that gains 1,000 an hour, slowing down a little.
fn steady(hour: f64) -> f64 {
    1e6 + 1_000.0 * hour - 0.05 * hour * hour
}

/// Added to a course: so many an hour from `start` on.
fn extra(start: Hour, rate: f64) -> impl Fn(f64) -> f64 {
    move |hour| rate * (hour - start as f64).max(0.0)
}

/// Weekdays count one, Saturdays and Sundays `weekend`: hours since the start, so weighed.
fn weekly(hour: f64, weekend: f64) -> f64 {
    let (weeks, rest) = ((hour / 168.0).floor(), hour % 168.0);
    weeks * (120.0 + 48.0 * weekend) + rest.min(120.0) + (rest - 120.0).max(0.0) * weekend
}

fn views_cases() -> Vec<Case> {
    let burst = |start| move |hour: f64| steady(hour) + extra(start, 9_000.0)(hour);
    vec![
        case("nothing-happens"),
        case("steady").views(steady),
        case("one-percent-a-day")
            .views(|hour| 1e6 * 1.01_f64.powf(hour / 24.0))
            .fires(0, &[REF_VIEWS, REF_GAIN]),
        case("weekly-seasonal")
            .views(|hour| 1e6 + 1_000.0 * weekly(hour, 2.0))
            .fires(0, &[REF_VIEWS, REF_GAIN]),
        case("burst").views(burst(336)).fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        // Rounding: one step after a long while is no burst, twelve are.
        case("rounded-slow").rounded_to(1e5).views(|hour| 1.2e6 + 300.0 * hour).fires(
            0,
            &[REF_VIEWS, REF_GAIN],
        ),
        case("rounded-burst")
            .rounded_to(1e5)
            .views(|hour| 1.2e6 + 100.0 * hour + extra(336, 50_000.0)(hour))
            .fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("two-steps").rounded_to(1e5).views(|hour| 1.25e6 + extra(LAST, 7_500.0)(hour)).fires(
            LAST,
            &[REF_VIEWS, REF_GAIN],
        ),
        // A deviation of 0 counts as 1: two views on a dead hashtag are a bump, but no trend.
        case("dead-two-views")
            .views(move |hour| if hour < LAST as f64 { 5e4 } else { 5e4 + 2.0 })
            .fires(LAST, &[REF_VIEWS, REF_GAIN]),
        case("dead-99-views")
            .views(move |hour| if hour < LAST as f64 { 5e4 } else { 5e4 + 99.0 })
            .fires(LAST, &[REF_VIEWS, REF_GAIN]),
        case("dead-100-views")
            .views(move |hour| if hour < LAST as f64 { 5e4 } else { 5e4 + 100.0 })
            .fires(LAST, &[TRENDING, REF_VIEWS, REF_GAIN]),
        // A total that dips and comes back has gained nothing; the plain difference believes it.
        case("dip").views(steady).dips(336..342, 0.05).fires(336, &[REF_VIEWS, REF_GAIN]),
        case("purge").views(|hour| steady(hour) - if hour >= 240.0 { 2e5 } else { 0.0 }),
        // A flat line, and the jump when it ends.
        case("api-out-36h").views(steady).api_down(300..336),
        case("api-out-5d").views(steady).api_down(216..336),
        case("api-out-9d").views(steady).api_down(170..386),
        case("api-out-now").views(steady).api_down(370..DAYS + 1),
        case("exporter-out-3d").views(steady).exporter_down(240..312),
        case("exporter-out-6d").views(steady).exporter_down(240..384),
        case("burst-after-outage").views(burst(372)).api_down(300..336).fires(372, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("missing-days").views(steady).exporter_down(190..194).exporter_down(238..266).exporter_down(310..313),
        case("burst-missing-days")
            .views(burst(350))
            .exporter_down(190..194)
            .exporter_down(238..266)
            .exporter_down(310..313)
            .fires(350, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("restart").views(steady).exporter_down(300..301).moves(301),
        case("burst-restart").views(burst(336)).moves(350).fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("two-exporters").views(steady).watched_twice(),
        case("burst-two-exporters").views(burst(336)).watched_twice().fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("daily-reads").views(steady).read_every(24),
        case("burst-daily-reads").views(burst(336)).read_every(24).fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        // Days of history at the end: 6, 7 and 8. A day more for a daily gain's own history.
        case("points-6").views(burst(LAST)).watched_since(DAYS - 6 * 24),
        case("points-7").views(burst(LAST)).watched_since(DAYS - 7 * 24).fires(LAST, &[TRENDING, REF_VIEWS]),
        case("points-8").views(burst(LAST)).watched_since(DAYS - 8 * 24).fires(
            LAST,
            &[TRENDING, REF_VIEWS, REF_GAIN],
        ),
        // A quarter of a day less than 7 days, for the default alert's 28 points.
        case("points-27-of-28").views(burst(LAST)).watched_since(DAYS - 27 * 6),
    ]
}

fn posts_cases() -> Vec<Case> {
    let burst = |start, rate: f64| move |hour: f64| 5e3 + 10.0 * hour + extra(start, rate)(hour);
    vec![
        case("posts-steady").posts(burst(0, 0.0)),
        case("posts-1.4x").posts(burst(LAST, 4.0)),
        case("posts-1.7x").posts(burst(LAST, 8.0)).fires(LAST, &[HEATING_UP]),
        case("posts-3x").posts(burst(LAST, 20.0)).fires(LAST, &[HEATING_UP, WINDOW]),
        case("posts-10x").posts(burst(LAST, 90.0)).fires(LAST, &[HEATING_UP, CANDIDATE, WINDOW]),
        case("posts-one-percent-a-day").posts(|hour| 1e5 * 1.01_f64.powf(hour / 24.0)),
        case("posts-weekly").posts(|hour| 5e3 + 10.0 * weekly(hour, 1.6)),
        // Four after one a day: velocity 1.6, but chance does that.
        case("posts-few").posts(|hour| 50.0 + hour / 24.0 + extra(LAST, 3.0 / 24.0)(hour)),
        case("posts-few-then-20").posts(|hour| 50.0 + hour / 24.0 + extra(LAST, 20.0 / 24.0)(hour)).fires(
            LAST,
            &[HEATING_UP, CANDIDATE, WINDOW],
        ),
        // One step of a rounded count is 1,000 posts at once, or nothing.
        case("posts-rounded-slow").rounded_to(1e3).posts(|hour| 5e5 + 5.0 * hour),
        case("posts-rounded-2-steps").rounded_to(1e3).posts(|hour| 5e5 + extra(LAST, 85.0)(hour)),
        case("posts-rounded-burst")
            .rounded_to(1e3)
            .posts(|hour| 5e5 + 50.0 * hour + extra(LAST, 450.0)(hour))
            .fires(LAST, &[HEATING_UP, CANDIDATE, WINDOW]),
        case("posts-dip").posts(burst(0, 0.0)).dips(300..306, 0.2).fires(300, &[REF_GAIN]),
        case("posts-purge-4d").posts(|hour| 5e3 + 10.0 * hour - if hour >= 240.0 { 960.0 } else { 0.0 }),
        case("posts-purge-6d").posts(|hour| 5e3 + 10.0 * hour - if hour >= 240.0 { 1_440.0 } else { 0.0 }),
        case("posts-purge-12d").posts(|hour| 5e3 + 10.0 * hour - if hour >= 240.0 { 2_880.0 } else { 0.0 }),
        case("posts-api-out-36h").posts(burst(0, 0.0)).api_down(300..336),
        case("posts-api-out-5d").posts(burst(0, 0.0)).api_down(216..336),
        case("posts-api-out-now").posts(burst(0, 0.0)).api_down(370..DAYS + 1),
        case("posts-exporter-out-3d").posts(burst(0, 0.0)).exporter_down(240..312),
        case("posts-missing-days")
            .posts(burst(LAST, 90.0))
            .exporter_down(190..194)
            .exporter_down(238..250)
            .fires(LAST, &[HEATING_UP, CANDIDATE, WINDOW]),
        case("posts-restart").posts(burst(0, 0.0)).exporter_down(300..301).moves(301),
        case("posts-burst-restart")
            .posts(burst(LAST, 90.0))
            .moves(LAST + 7)
            .fires(LAST, &[HEATING_UP, CANDIDATE, WINDOW]),
        case("posts-two-exporters").posts(burst(0, 0.0)).watched_twice(),
        case("posts-burst-two-exporters")
            .posts(burst(LAST, 90.0))
            .watched_twice()
            .fires(LAST, &[HEATING_UP, CANDIDATE, WINDOW]),
        case("posts-daily-reads").posts(burst(0, 0.0)).read_every(24),
        case("posts-less-than-a-week").posts(burst(LAST, 90.0)).watched_since(DAYS - 6 * 24),
        // The window opens, stays open below 2, closes below 1; and waits where nothing is known.
        case("window-up-and-down")
            .posts(|hour| 5e3 + 10.0 * hour + extra(200, 30.0)(hour) + extra(260, -20.0)(hour) + extra(330, -17.0)(hour))
            .fires(200, &[HEATING_UP, WINDOW]),
        case("window-outage")
            .posts(|hour| 5e3 + 10.0 * hour + extra(200, 30.0)(hour) + extra(250, -28.0)(hour))
            .api_down(236..290)
            .fires(200, &[HEATING_UP, WINDOW]),
    ]
}

/// Plays the cases; checks every recorded number at the given hours, and which alerts fired.
fn check(cases: &[Case], hours: Hour, every: Hour, instants: &[Hour], alerts: &[&str]) {
    // promtool refuses a query over more than 10,000 samples.
    for cases in cases.chunks(CASES_AT_ONCE) {
        check_at_once(cases, hours, every, instants, alerts);
    }
}

fn check_at_once(cases: &[Case], hours: Hour, every: Hour, instants: &[Hour], alerts: &[&str]) {
    let mut test = RuleTest::new("1h", if every == 1 { "1h" } else { "6h" });
    let parameters = parameters();
    let left = left_end();
    for case in cases {
        let readings = case.play(hours + 1, &mut test);
        let rules = Rules { readings: &readings, parameters: &parameters, every, left };
        for &now in instants {
            for (metric, want) in rules.recorded(now) {
                let selector = format!("{metric}{{hashtag={:?}}}", case.name);
                test.expect_number(&selector, now, want);
            }
        }
        for alert in alerts {
            let selector =
                format!("ALERTS{{alertname={alert:?},alertstate=\"firing\",hashtag={:?}}}", case.name);
            let fired = |from: Hour, to: Hour| {
                format!("clamp_max(max(count_over_time({selector}[{}h])) or vector(0), 1)", to - from)
            };
            let fires = case.fires.contains(alert);
            test.expect(fired(0, hours), hours, f64::from(u8::from(fires)));
            if fires && case.from > 0 {
                test.expect(fired(0, case.from), case.from - 1, 0.0);
            }
            // One alert for one hashtag, whoever watches it and wherever.
            test.expect(format!("max_over_time(count({selector})[{hours}h:{every}h]) > 1 or vector(0)"), hours, 0.0);
        }
    }
    test.check();
}

#[test]
fn views_trend_when_they_leave_their_course() {
    let instants: Vec<Hour> = (96..=DAYS).step_by(12).collect();
    let alerts = [TRENDING, HEATING_UP, CANDIDATE, WINDOW, SPIKE, REF_VIEWS, REF_GAIN];
    check(&views_cases(), DAYS, 6, &instants, &alerts);
}

#[test]
fn posts_heat_up_when_a_day_outruns_its_week() {
    let instants: Vec<Hour> = (96..=DAYS).step_by(12).collect();
    let alerts = [TRENDING, HEATING_UP, CANDIDATE, WINDOW, SPIKE, REF_VIEWS, REF_GAIN];
    check(&posts_cases(), DAYS, 6, &instants, &alerts);
}
