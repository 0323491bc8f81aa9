//! The rules in `alerts/`, evaluated by Prometheus' own tool: their numbers against a reference in
//! Rust, and which alert fires for which course of a hashtag.
//!
//! `PROMTOOL` names another promtool, to try the rules on another Prometheus.

use serde::Deserialize;

use crate::support::promtool::{RuleTest, left_end, promtool, rule_files, succeed};
use crate::support::reference;
use crate::support::reference::{Hour, Parameters, Rules, Signal};
use crate::support::world::{Case, case};

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
    alert: Option<String>,
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
fn no_recorded_series_and_no_alert_is_left_out() {
    let expected = concat!(include_str!("rules.rs"), include_str!("support/reference.rs"));
    let named = |name: &str| {
        let mut places = expected.match_indices(name);
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        places.any(|(from, _)| !expected[from + name.len()..].starts_with(in_name))
    };
    let computed = rules().into_iter().filter(|rule| !rule.expr.starts_with("vector("));
    let names = computed.filter_map(|rule| rule.record.or(rule.alert));
    let left_out: Vec<String> = names.filter(|name| !named(name)).collect();
    assert!(left_out.is_empty(), "no test here expects {left_out:?}");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    succeed(promtool().args(["check", "rules", "--lint=all", "--lint-fatal"]).args(rule_files()));
}

/// 17 days, at whose end there are 14 days of daily gains; hourly input, rules every 6 hours.
const DAYS: Hour = 17 * 24;
const CASES_AT_ONCE: usize = 12;
const WEEK: Hour = 7 * 24;
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

/// Ten posts a day, but so many on the last day, and on the one a week before.
fn a_week_apart(before: f64, last: f64) -> impl Fn(f64) -> f64 {
    let of_day = |from: Hour, posts: f64| {
        move |hour: f64| (posts - 10.0) / 24.0 * (hour - from as f64).clamp(0.0, 24.0)
    };
    // Half a post more, so that no inexact sum takes one away.
    move |hour| 50.5 + hour * 10.0 / 24.0 + of_day(LAST - WEEK, before)(hour) + of_day(LAST, last)(hour)
}

/// Checked hours: at any time of the day, over the whole course, and at its end.
fn instants() -> Vec<Hour> {
    (96..DAYS).step_by(42).chain([LAST, LAST + 6, DAYS]).collect()
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
        case("rounded-slow")
            .rounded_to(1e5)
            .views(|hour| 1.2e6 + 300.0 * hour)
            .fires(0, &[REF_VIEWS, REF_GAIN]),
        case("rounded-burst")
            .rounded_to(1e5)
            .views(|hour| 1.2e6 + 100.0 * hour + extra(336, 50_000.0)(hour))
            .fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("one-step")
            .rounded_to(1e5)
            .views(|hour| 1.25e6 + extra(LAST, 6_000.0)(hour))
            .fires(LAST, &[REF_VIEWS, REF_GAIN]),
        case("two-steps")
            .rounded_to(1e5)
            .views(|hour| 1.25e6 + extra(LAST, 7_500.0)(hour))
            .fires(LAST, &[TRENDING, REF_VIEWS, REF_GAIN]),
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
        // One post that many see is no trend under a hashtag that nobody uses, three are.
        case("dead-one-post")
            .views(move |hour| if hour < LAST as f64 { 5e4 } else { 6e4 })
            .posts(move |hour| if hour < LAST as f64 { 40.0 } else { 41.0 })
            .fires(LAST, &[REF_VIEWS, REF_GAIN]),
        case("dead-three-posts")
            .views(move |hour| if hour < LAST as f64 { 5e4 } else { 6e4 })
            .posts(move |hour| if hour < LAST as f64 { 40.0 } else { 43.0 })
            .fires(LAST, &[TRENDING, REF_VIEWS, REF_GAIN]),
        // A total that dips and comes back has gained nothing; the plain difference believes it.
        case("dip").views(steady).dips(336..342, 0.05).fires(336, &[REF_VIEWS, REF_GAIN]),
        case("purge").views(|hour| steady(hour) - if hour >= 240.0 { 2e5 } else { 0.0 }),
        // A flat line, and the jump when it ends.
        case("api-out-36h").views(steady).api_down(300..336),
        case("api-out-5d").views(steady).api_down(216..336),
        case("api-out-9d").views(steady).api_down(170..386),
        case("api-out-now").views(steady).api_down(370..DAYS + 1),
        case("burst-then-api-out")
            .views(|hour| steady(hour) + extra(336, 1e5)(hour))
            .api_down(345..DAYS + 1)
            .kept_for(WEEK)
            .fires(336, &[TRENDING, REF_VIEWS, REF_GAIN])
            .over_at_the_end(),
        case("exporter-out-3d").views(steady).exporter_down(240..312),
        case("exporter-out-6d").views(steady).exporter_down(240..384),
        case("burst-after-outage")
            .views(burst(372))
            .api_down(300..336)
            .fires(372, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("missing-days")
            .views(steady)
            .exporter_down(190..194)
            .exporter_down(238..266)
            .exporter_down(310..313),
        case("burst-missing-days")
            .views(burst(350))
            .exporter_down(190..194)
            .exporter_down(238..266)
            .exporter_down(310..313)
            .fires(350, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("restart").views(steady).exporter_down(300..301).moves(301),
        case("burst-restart").views(burst(336)).moves(350).fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("two-exporters").views(steady).watched_twice(),
        case("burst-two-exporters")
            .views(burst(336))
            .watched_twice()
            .fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("daily-reads").views(steady).read_every(24),
        case("burst-daily-reads")
            .views(burst(336))
            .read_every(24)
            .fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        // Nothing but counts, as somebody else's history may be.
        case("counts-steady").views(steady).counts_only(),
        case("counts-burst").views(burst(336)).counts_only().fires(336, &[TRENDING, REF_VIEWS, REF_GAIN]),
        case("counts-rounded-slow")
            .counts_only()
            .rounded_to(1e5)
            .views(|hour| 1.2e6 + 300.0 * hour)
            .fires(0, &[REF_VIEWS, REF_GAIN]),
        case("counts-missing-days").views(steady).counts_only().exporter_down(230..302),
        // Such a history, and then an exporter that tells the times of its readings: at once, or days later.
        case("counts-then-exporter").views(steady).tells_from(LAST - 30),
        case("counts-gap-exporter").views(steady).tells_from(LAST - 30).exporter_down(LAST - 98..LAST - 30),
        case("burst-exporter-after-counts")
            .views(burst(LAST))
            .tells_from(LAST - 30)
            .fires(LAST, &[TRENDING, REF_VIEWS, REF_GAIN]),
        // The rounding grows a thousandfold at 1 M, and the exporter does not know yet.
        case("past-a-million")
            .views(|hour| {
                let count: f64 = 9.2e5 + 900.0 * hour;
                let step = if count < 1e6 { 1e2 } else { 1e5 };
                (count / step).floor() * step
            })
            .fires(0, &[REF_VIEWS, REF_GAIN]),
        // Days of history at the end: 6, 7 and 8. A day more for a daily gain's own history.
        case("points-6").views(burst(LAST)).watched_since(DAYS - 6 * 24),
        case("points-7").views(burst(LAST)).watched_since(DAYS - 7 * 24).fires(LAST, &[TRENDING, REF_VIEWS]),
        case("points-8")
            .views(burst(LAST))
            .watched_since(DAYS - 8 * 24)
            .fires(LAST, &[TRENDING, REF_VIEWS, REF_GAIN]),
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
        // Twice as busy at weekends: above the mean day by more than half, but no more than a week ago.
        case("posts-weekly-2x").posts(|hour| 5e3 + 10.0 * weekly(hour + 84.0, 2.0)),
        // The same, and nothing was recorded at the time that a week later is compared with.
        case("posts-weekly-2x-gap")
            .posts(|hour| 5e3 + 10.0 * weekly(hour + 84.0, 2.0))
            .exporter_down(228..242),
        // Five after one a day: velocity 1.7, but chance does that.
        case("posts-few").posts(|hour| 50.0 + hour / 24.0 + extra(LAST, 4.0 / 24.0)(hour)),
        case("posts-few-then-20")
            .posts(|hour| 50.0 + hour / 24.0 + extra(LAST, 20.0 / 24.0)(hour))
            .fires(LAST, &[HEATING_UP, CANDIDATE, WINDOW]),
        // Posts after a week of none: velocity 2.2, but a day without any comes by chance, too.
        case("posts-5-after-none").posts(|hour| 50.0 + extra(LAST, 5.0 / 24.0)(hour)),
        case("posts-6-after-none")
            .posts(|hour| 50.0 + extra(LAST, 6.0 / 24.0)(hour))
            .fires(LAST, &[HEATING_UP, WINDOW]),
        // Thirty after ten a day. The same day a week ago had twelve; thirteen might as well be chance.
        case("posts-30-after-12").posts(a_week_apart(12.0, 30.0)).fires(LAST, &[HEATING_UP, WINDOW]),
        case("posts-30-after-13").posts(a_week_apart(13.0, 30.0)),
        // The same day had no posts at all, or is not known.
        case("posts-30-after-0").posts(a_week_apart(0.0, 30.0)).fires(LAST, &[HEATING_UP, WINDOW]),
        case("posts-30-after-unknown")
            .posts(a_week_apart(13.0, 30.0))
            .watched_since(LAST - WEEK + 1)
            .fires(LAST, &[HEATING_UP, WINDOW]),
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
            .posts(|hour| {
                5e3 + 10.0 * hour + extra(200, 30.0)(hour) + extra(260, -20.0)(hour) + extra(330, -17.0)(hour)
            })
            .fires(200, &[HEATING_UP, WINDOW])
            .over_at_the_end(),
        // Past its best, but not below the mean day; two reads are missed.
        case("window-missed-reads")
            .posts(|hour| {
                5e3 + 10.0 * hour + extra(200, 30.0)(hour) + extra(236, -20.0)(hour) + extra(300, -15.0)(hour)
            })
            .api_down(271..283)
            .fires(200, &[HEATING_UP, WINDOW])
            .throughout(216..289),
        case("window-outage")
            .posts(|hour| 5e3 + 10.0 * hour + extra(200, 30.0)(hour) + extra(250, -28.0)(hour))
            .api_down(236..290)
            .fires(200, &[HEATING_UP, WINDOW])
            .throughout(216..280),
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
            for hour in case.throughout.clone().filter(|hour| hour % every == 0) {
                if case.fires.last() == Some(alert) {
                    test.expect(format!("count({selector}) or vector(0)"), hour, 1.0);
                }
            }
            if case.over {
                test.expect(format!("count({selector}) or vector(0)"), hours, 0.0);
            }
            // One alert for one hashtag, whoever watches it and wherever.
            test.expect(
                format!("max_over_time(count({selector})[{hours}h:{every}h]) > 1 or vector(0)"),
                hours,
                0.0,
            );
        }
    }
    test.check();
}

#[test]
fn views_trend_when_they_leave_their_course() {
    let instants = instants();
    let alerts = [TRENDING, HEATING_UP, CANDIDATE, WINDOW, SPIKE, REF_VIEWS, REF_GAIN];
    check(&views_cases(), DAYS, 6, &instants, &alerts);
}

#[test]
fn posts_heat_up_when_a_day_outruns_its_week() {
    let instants = instants();
    let alerts = [TRENDING, HEATING_UP, CANDIDATE, WINDOW, SPIKE, REF_VIEWS, REF_GAIN];
    check(&posts_cases(), DAYS, 6, &instants, &alerts);
}

/// A Prometheus that has just started evaluates its groups one by one, in any order. What may hold an alert
/// back can come after the alert, which is then held back until it is known, not fired for two days.
#[test]
fn an_alert_waits_for_what_may_hold_it_back() {
    let burst = |hour: f64| steady(hour) + extra(LAST, 9_000.0)(hour);
    let one_post = |hour: f64| if hour < LAST as f64 { 40.0 } else { 41.0 };
    let waits = |group: &str, case: Case, hours: Hour, every: Hour, alert: &str| {
        let mut test = RuleTest::new("1h", if every == 1 { "1h" } else { "6h" });
        test.evaluated_last(group);
        case.play(hours + 1, &mut test);
        let selector = format!("ALERTS{{alertname={alert:?}}}");
        test.expect(format!("count(count_over_time({selector}[{hours}h])) or vector(0)"), hours, 0.0);
        // All else is known, and says that it is a trend.
        let score = if alert == SPIKE { "gain1h_zscore7d" } else { "zscore14d" };
        let score = format!("hashtag:tiktok_hashtag_views:{score}[{hours}h]");
        test.expect(format!("max(max_over_time({score})) >= bool 2.5"), hours, 1.0);
        test.check();
    };
    waits("tiktok-velocity", case("one-post").views(burst).posts(one_post), DAYS, 6, TRENDING);
    waits(
        "tiktok-readings-history",
        case("outage").views(steady).api_down(216..384).kept_for(WEEK),
        DAYS,
        6,
        TRENDING,
    );
    let jump = |hour: f64| if hour < SPIKE_AT as f64 { 5e4 } else { 6e4 };
    let jump = case("one-post-spike").read_every(1).views(jump).posts(one_post);
    waits("tiktok-velocity", jump, SPIKE_HOURS, 1, SPIKE);
}

/// Four and a half days of hourly reads, and what happens at this hour of them.
const SPIKE_HOURS: Hour = 108;
const SPIKE_AT: Hour = 90;

fn spike_cases() -> Vec<Case> {
    // Days are busier than nights.
    let daily = |hour: f64| 1e6 + 1_000.0 * (hour - 4.0 * (hour / 24.0 * std::f64::consts::TAU).cos());
    let step = |size: f64| move |hour: f64| if hour < SPIKE_AT as f64 { 0.0 } else { size };
    let spike = move |hour: f64| daily(hour) + step(5e4)(hour);
    let hourly = |name| case(name).read_every(1);
    vec![
        hourly("daily-rhythm").views(daily),
        hourly("spike").views(spike).fires(SPIKE_AT, &[SPIKE]).over_at_the_end(),
        hourly("small-bump").views(move |hour| daily(hour) + step(3e3)(hour)),
        // So smooth that anything is far out; twice the usual is still the least.
        hourly("smooth-1.5x").views(move |hour| 1e6 + 1e3 * hour + step(500.0)(hour)),
        hourly("smooth-2.1x")
            .views(move |hour| 1e6 + 1e3 * hour + step(1_100.0)(hour))
            .fires(SPIKE_AT, &[SPIKE]),
        hourly("one-percent-a-day").views(|hour| 1e6 * 1.01_f64.powf(hour / 24.0)),
        case("read-every-2h").read_every(2).views(spike),
        hourly("announced-every-2h").announced_every(2).views(spike),
        hourly("api-out-6h").views(daily).api_down(84..90),
        hourly("api-out-30h").views(daily).api_down(60..90),
        hourly("exporter-out-6h").views(daily).exporter_down(84..90),
        hourly("dip").views(daily).dips(88..90, 0.1),
        hourly("rounded-slow").rounded_to(1e5).views(|hour| 1.05e6 + 1_000.0 * hour),
        hourly("rounded-spike")
            .rounded_to(1e5)
            .views(move |hour| 1e6 + step(3e5)(hour))
            .fires(SPIKE_AT, &[SPIKE]),
        hourly("rounded-2-steps").rounded_to(1e5).views(move |hour| 1e6 + step(2e5)(hour)),
        hourly("dead-99-views").views(move |hour| 5e4 + step(99.0)(hour)),
        hourly("dead-100-views").views(move |hour| 5e4 + step(100.0)(hour)).fires(SPIKE_AT, &[SPIKE]),
        // A weekend begins at hour 60.
        hourly("weekly").views(|hour| 1e6 + 1_000.0 * weekly(hour + 60.0, 1.6)),
        hourly("hours-19").views(spike).watched_since(SPIKE_AT - 19),
        hourly("hours-20").views(spike).watched_since(SPIKE_AT - 20).fires(SPIKE_AT, &[SPIKE]),
        hourly("missing-hours").views(spike).exporter_down(70..76),
        // Nothing but counts: what moves in 20 hours of the day is refreshed hourly.
        hourly("counts-daily-rhythm").views(daily).counts_only(),
        hourly("counts-spike").views(spike).counts_only().fires(SPIKE_AT, &[SPIKE]),
        case("counts-read-every-2h").read_every(2).views(spike).counts_only(),
        hourly("restart").views(daily).exporter_down(88..89).moves(89),
        hourly("spike-restart").views(spike).moves(88).fires(SPIKE_AT, &[SPIKE]),
        hourly("two-exporters").views(daily).watched_twice(),
        hourly("spike-two-exporters").views(spike).watched_twice().fires(SPIKE_AT, &[SPIKE]),
    ]
}

#[test]
fn views_spike_when_an_hour_outruns_its_week() {
    let instants: Vec<Hour> = (10..SPIKE_AT).step_by(16).chain(SPIKE_AT - 2..=SPIKE_AT + 3).collect();
    let alerts = [TRENDING, HEATING_UP, CANDIDATE, WINDOW, SPIKE];
    check(&spike_cases(), SPIKE_HOURS, 1, &instants, &alerts);
}

/// Nine days: the posts of a week are known.
#[test]
fn one_post_that_many_see_within_the_hour_is_no_spike() {
    const HOURS: Hour = 9 * 24;
    let after = |count: f64| move |hour: f64| if hour < (HOURS - 12) as f64 { 0.0 } else { count };
    let jump = move |hour: f64| 5e4 + after(1e4)(hour);
    let cases = [
        case("two-posts").read_every(1).views(jump).posts(move |hour| 40.0 + after(2.0)(hour)),
        case("three-posts")
            .read_every(1)
            .views(jump)
            .posts(move |hour| 40.0 + after(3.0)(hour))
            .fires(HOURS - 12, &[SPIKE]),
    ];
    check(&cases, HOURS, 6, &[HOURS], &[SPIKE]);
}

#[test]
fn the_bound_on_chance_is_never_below_the_exact_binomial_tail() {
    // A day of a week, and one of two days.
    for parts in [7, 2] {
        let due = 1.0 / f64::from(parts);
        for (n, k) in (1..=120_u32).flat_map(|n| (n / parts + 1..=n).map(move |k| (n, k))) {
            let exact = reference::binomial_tail(k, n, due);
            let bound = reference::chernoff(f64::from(k), f64::from(n), due);
            assert!(bound >= exact * (1.0 - 1e-9), "{k} of {n}: bound {bound} below the exact {exact}");
            assert!(bound <= exact * 60.0, "{k} of {n}: bound {bound} says nothing about {exact}");
        }
    }
}

#[test]
fn samples_are_compared_with_the_tutorials_thresholds_and_weigh_the_velocity() {
    const HOURS: Hour = 9 * 24;
    const REFRESH: f64 = 86_400.0;
    let mut test = RuleTest::new("1h", "6h");
    let every_hour =
        |value: &dyn Fn(f64) -> f64| Signal((0..=HOURS).map(|hour| Some(value(hour as f64))).collect());
    let posts = case("posts").posts(|hour| 5e3 + 10.0 * hour + extra(HOURS - 24, 10.0)(hour));
    let readings = posts.play(HOURS + 1, &mut test);
    let rules = Rules { readings: &readings, parameters: &parameters(), every: 6, left: left_end() };
    let velocity = rules.recorded(HOURS).into_iter().find(|(name, _)| name.ends_with("posts:velocity"));
    let velocity = velocity.unwrap().1.unwrap();

    // Region, sample velocity, mean plays of the last day's posts, age of the sample, alerts.
    let stale = 2.0 * REFRESH + 1.0;
    for (region, sample, plays, age, alerts) in [
        ("AA", 0.0, 0.0, 0.0, &[] as &[&str]),
        ("BB", 1.499, 7_000.0, 0.0, &[]),
        ("CC", 1.5, 7_000.0, 0.0, &[REF_HEATING_UP]),
        ("DD", 2.999, 100.0, 2.0 * REFRESH, &[REF_HEATING_UP]),
        ("EE", 3.0, 123_456.0, 3_600.0, &[REF_HEATING_UP, REF_CANDIDATE]),
        ("FF", 7.0, 1.0, stale, &[]),
    ] {
        // Two exporters; the second began late and lags behind.
        for (instance, lag, from) in [("a", 0.0, 0.0), ("b", 3_600.0, 50.0)] {
            let labels =
                [("hashtag", "posts"), ("region", region), ("instance", instance), ("job", "tiktok")];
            let since =
                |value: f64| Signal((0..=HOURS).map(|hour| (hour as f64 >= from).then_some(value)).collect());
            test.series("tiktok_hashtag_sample_velocity", &labels, &since(sample));
            test.series("tiktok_hashtag_engagement_weighted_velocity", &labels, &since(sample * plays));
            test.series("tiktok_hashtag_sample_refresh_interval_seconds", &labels, &since(REFRESH));
            let saturated = f64::from(u8::from(region == "FF" && instance == "a"));
            test.series("tiktok_hashtag_sample_saturated", &labels, &since(saturated));
            let read_at = every_hour(&|hour| hour * 3_600.0 - age - lag);
            test.series("tiktok_hashtag_sample_last_success_timestamp_seconds", &labels, &read_at);
        }
        for alert in [REF_HEATING_UP, REF_CANDIDATE, HEATING_UP, CANDIDATE] {
            let alerts_of = format!("ALERTS{{alertname={alert:?},alertstate=\"firing\",region={region:?}}}");
            let fired = format!("count(count_over_time({alerts_of}[{HOURS}h])) or vector(0)");
            test.expect(fired, HOURS, f64::from(u8::from(alerts.contains(&alert))));
        }
        let labels = format!("{{hashtag=\"posts\",region={region:?}}}");
        let fresh = age < stale;
        let selector = format!("hashtag_region:tiktok_hashtag_posts:engagement_weighted_velocity{labels}");
        test.expect_number(&selector, HOURS, fresh.then_some(velocity * plays));
        test.expect_number(&selector, 5 * 24, None);
        let selector = format!("hashtag_region:tiktok_hashtag_sample_velocity:max{labels}");
        test.expect_number(&selector, HOURS, Some(sample));
        let selector =
            format!("hashtag_region:tiktok_hashtag_sample_last_success_timestamp_seconds:fresh{labels}");
        test.expect_number(&selector, HOURS, fresh.then_some(1.0));
        let selector =
            format!("hashtag_region:tiktok_hashtag_sample_last_success_timestamp_seconds:age{labels}");
        test.expect_number(&selector, HOURS, Some(age));
        let selector = format!("hashtag_region:tiktok_hashtag_sample_saturated:max{labels}");
        test.expect_number(&selector, HOURS, Some(f64::from(u8::from(region == "FF"))));
    }
    test.check();
}

#[test]
fn a_hashtag_has_one_group_whoever_watches_it() {
    let mut test = RuleTest::new("1h", "1h");
    let cases = [
        (case("one"), "g"),
        (case("two").watched_twice(), "g|other"),
        (case("moved").moves(6), "g"),
        (case("counts").counts_only(), ""),
    ];
    for (case, groups) in cases {
        case.play(13, &mut test);
        let of_case = format!("hashtag_group:tiktok_hashtag_info:topk1{{hashtag={:?}", case.name);
        test.expect(format!("count({of_case}}})"), 12, 1.0);
        test.expect(format!("sum({of_case},group=~{groups:?}}})"), 12, 1.0);
    }
    test.check();
}

#[test]
fn samples_that_tell_no_time_were_read_when_they_were_scraped() {
    let mut test = Operations::by_the_hour(4);
    for (region, velocity) in [("US", 3.2), ("GB", 1.6), ("DE", 1.4)] {
        let labels = [("hashtag", "imported"), ("region", region)];
        test.series("tiktok_hashtag_sample_velocity", &labels, always(velocity));
    }
    test.series("tiktok_hashtag_views", &[("hashtag", "imported")], always(1e6))
        .fires(REF_HEATING_UP, ",hashtag=\"imported\",group=\"\"", &[("2h", 2.0)])
        .fires(REF_CANDIDATE, ",hashtag=\"imported\",region=\"US\"", &[("2h", 1.0)])
        .fires(REF_CANDIDATE, "", &[("2h", 1.0)]);
    test.test.check();
}

/// Operations: every few minutes a sample and an evaluation.
struct Operations {
    test: RuleTest,
    hours: usize,
    an_hour: usize,
}

impl Operations {
    fn new(hours: usize) -> Self {
        Self { test: RuleTest::new("5m", "5m"), hours, an_hour: 12 }
    }

    fn by_the_minute(hours: usize) -> Self {
        Self { test: RuleTest::new("1m", "1m"), hours, an_hour: 60 }
    }

    fn by_the_hour(hours: usize) -> Self {
        Self { test: RuleTest::new("1h", "1h"), hours, an_hour: 1 }
    }

    /// A series by the hour of the day.
    fn series(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl Fn(f64) -> Option<f64>,
    ) -> &mut Self {
        let values =
            (0..=self.hours * self.an_hour).map(|step| value(step as f64 / self.an_hour as f64)).collect();
        self.test.series(name, labels, &Signal(values));
        self
    }

    /// How many alerts with these labels fire at a time.
    fn fires(&mut self, alert: &str, labels: &str, times: &[(&str, f64)]) -> &mut Self {
        for (time, count) in times {
            let selector = format!("ALERTS{{alertname={alert:?},alertstate=\"firing\"{labels}}}");
            self.test.expect_at(format!("count({selector}) or vector(0)"), time, *count);
        }
        self
    }

    /// Requests a five minutes, by outcome; the exporter restarts after an hour and a half.
    fn requests(&mut self, outcomes: &[(&str, f64)]) -> &mut Self {
        for (outcome, rate) in outcomes {
            let labels = [("endpoint", "challenge_info"), ("outcome", *outcome), ("instance", "a")];
            self.series("tiktok_exporter_upstream_requests_total", &labels, |hour| {
                Some((if hour < 1.5 { hour } else { hour - 1.5 }) * 12.0 * rate)
            });
        }
        self
    }
}

fn always(value: f64) -> impl Fn(f64) -> Option<f64> {
    move |_| Some(value)
}

#[test]
fn an_exporter_that_cannot_be_scraped_is_down() {
    let down = "TikTokExporterDown";
    let mut one = Operations::by_the_minute(5);
    let target = |instance| [("job", "tiktok"), ("instance", instance)];
    one.series("up", &target("a"), |hour| Some(f64::from(u8::from(!(1.0..2.0).contains(&hour)))))
        .series("up", &target("short"), |hour| Some(f64::from(u8::from(!(1.0..1.07).contains(&hour)))))
        // Moved to another address: the old one is not down, it is gone.
        .series("up", &target("old"), |hour| (hour < 3.0).then_some(1.0))
        .series("up", &target("new"), |hour| (hour >= 3.0).then_some(1.0))
        .series("up", &[("job", "other"), ("instance", "x")], always(0.0))
        .series("tiktok_exporter_build_info", &target("new"), always(1.0))
        .fires(
            down,
            "",
            &[("55m", 0.0), ("1h4m", 0.0), ("1h5m", 1.0), ("1h59m", 1.0), ("2h", 0.0), ("5h", 0.0)],
        )
        .fires(down, ",instance=\"a\"", &[("1h30m", 1.0)]);
    one.test.check();

    // All down, seen as targets: an alert for each, none beside. Not scraped at all: one alert.
    let mut all = Operations::new(1);
    all.series("up", &target("a"), always(0.0)).series("up", &target("b"), always(0.0)).fires(
        down,
        "",
        &[("1h", 2.0)],
    );
    all.test.check();
    let mut none = Operations::new(1);
    none.series("up", &[("job", "other")], always(1.0)).fires(down, "", &[("0m", 0.0), ("1h", 1.0)]);
    none.fires("TikTokWatchdog", "", &[("0m", 1.0), ("1h", 1.0)]);
    none.test.check();
}

#[test]
fn results_go_stale_hashtags_vanish_and_some_never_resolve() {
    let mut test = Operations::new(30);
    let watched = |test: &mut Operations, hashtag: &'static str| {
        let labels = [("hashtag", hashtag), ("group", "g"), ("challenge_id", "1"), ("commerce", "unknown")];
        test.series("tiktok_hashtag_info", &labels, always(1.0));
        test.series("tiktok_hashtag_refresh_interval_seconds", &[("hashtag", hashtag)], always(3_600.0));
    };
    let read_at = "tiktok_hashtag_last_success_timestamp_seconds";
    let (stale, vanished, unresolved) =
        ("TikTokResultsStale", "TikTokHashtagVanished", "TikTokHashtagUnresolved");
    let hourly = |hour: f64| Some(hour.floor() * 3_600.0);
    for hashtag in ["fresh", "stale", "back", "moved", "gone", "disputed", "typo", "late", "region"] {
        watched(&mut test, hashtag);
        let of = [("hashtag", hashtag), ("instance", "a")];
        let other = [("hashtag", hashtag), ("instance", "b")];
        match hashtag {
            "fresh" | "region" => {
                test.series(read_at, &of, hourly).series("tiktok_hashtag_found", &of, always(1.0))
            }
            "stale" => test.series(read_at, &of, always(0.0)),
            "back" => {
                test.series(read_at, &of, move |hour| if hour < 6.0 { Some(0.0) } else { hourly(hour) })
            }
            "moved" => test.series(read_at, &of, move |hour| hourly(hour).filter(|_| hour < 10.0)).series(
                read_at,
                &other,
                move |hour| hourly(hour).filter(|_| hour >= 10.0),
            ),
            "gone" => test.series(read_at, &of, move |hour| hourly(hour.min(5.0))).series(
                "tiktok_hashtag_found",
                &of,
                |hour| Some(f64::from(u8::from(hour < 5.0))),
            ),
            "disputed" => test
                .series(read_at, &of, hourly)
                .series("tiktok_hashtag_found", &of, always(1.0))
                .series("tiktok_hashtag_found", &other, always(0.0)),
            "late" => test.series(read_at, &of, move |hour| hourly(hour).filter(|_| hour >= 0.9)),
            _ => &mut test,
        };
    }
    for (region, read) in [("US", 0.0), ("GB", 30.0)] {
        let labels = [("hashtag", "region"), ("region", region)];
        test.series("tiktok_hashtag_sample_refresh_interval_seconds", &labels, always(3_600.0));
        test.series("tiktok_hashtag_sample_last_success_timestamp_seconds", &labels, move |hour| {
            hourly(hour.min(read))
        });
    }
    let of = |hashtag: &str| format!(",hashtag={hashtag:?},group=\"g\"");
    for hashtag in ["fresh", "moved", "disputed", "late"] {
        for alert in [stale, vanished, unresolved] {
            test.fires(alert, &of(hashtag), &[("1h30m", 0.0), ("4h", 0.0), ("11h", 0.0), ("30h", 0.0)]);
        }
    }
    test.fires(stale, &of("stale"), &[("3h15m", 0.0), ("3h20m", 1.0), ("30h", 1.0)])
        .fires(stale, &of("back"), &[("5h", 1.0), ("6h", 0.0), ("30h", 0.0)])
        .fires(stale, &of("gone"), &[("30h", 0.0)])
        .fires(vanished, &of("gone"), &[("5h5m", 0.0), ("5h10m", 1.0), ("30h", 1.0)])
        .fires(unresolved, &of("typo"), &[("55m", 0.0), ("1h", 1.0), ("30h", 1.0)])
        .fires(stale, &of("typo"), &[("30h", 0.0)])
        .fires(stale, &of("region"), &[("3h", 0.0), ("4h", 1.0)])
        .fires(stale, ",hashtag=\"region\",region=\"US\"", &[("4h", 1.0)]);
    test.test.check();
}

#[test]
fn what_a_short_budget_stretches_or_pauses_is_not_stale() {
    let stale = "TikTokResultsStale";
    for (interval, stretch, checks, note) in [
        (36_000.0, [10.0, 1.0], &[("29h", 0.0), ("31h", 1.0)][..], "stretched ten times"),
        (3_600.0, [f64::INFINITY, 1.0], &[("4h", 0.0), ("31h", 0.0)], "paused"),
        (3_600.0, [1.0, f64::INFINITY], &[("4h", 1.0)], "posts are paused, totals are not"),
    ] {
        let mut test = Operations::new(32);
        let labels = [("hashtag", "x"), ("group", "g"), ("challenge_id", "1"), ("commerce", "unknown")];
        test.series("tiktok_hashtag_info", &labels, always(1.0))
            .series("tiktok_hashtag_refresh_interval_seconds", &[("hashtag", "x")], always(interval))
            .series("tiktok_hashtag_last_success_timestamp_seconds", &[("hashtag", "x")], always(0.0));
        let sample = [("hashtag", "x"), ("region", "US")];
        let read = |hour: f64| Some(hour.floor() * 3_600.0).filter(|_| stretch[1] == 1.0);
        test.series("tiktok_hashtag_sample_refresh_interval_seconds", &sample, always(interval)).series(
            "tiktok_hashtag_sample_last_success_timestamp_seconds",
            &sample,
            read,
        );
        for (purpose, factor) in ["totals", "posts"].into_iter().zip(stretch) {
            test.series("tiktok_exporter_stretch_factor", &[("purpose", purpose)], always(factor));
        }
        println!("{note}");
        test.fires(stale, ",hashtag=\"x\",region=\"\"", checks);
        test.fires(stale, ",hashtag=\"x\",region=\"US\"", &[("4h", 0.0), ("31h", 0.0)]);
        test.test.check();
    }
}

#[test]
fn trouble_with_the_api_is_told_by_its_kind() {
    let mut breaker = Operations::new(2);
    for (reason, open) in [("auth", 1.0), ("credits_exhausted", 9.0)] {
        let labels = [("reason", reason), ("instance", "a")];
        breaker.series("tiktok_exporter_upstream_breaker_open", &labels, move |hour| {
            Some(f64::from(u8::from((open..1.5).contains(&hour))))
        });
    }
    let open = "TikTokBreakerOpen";
    // Restarted under another address while it is open: still one alert, and no break in it.
    for (instance, hours) in [("a", 0.0..1.0), ("b", 1.0..9.0)] {
        let labels = [("reason", "moved"), ("instance", instance)];
        breaker.series("tiktok_exporter_upstream_breaker_open", &labels, move |hour| {
            hours.contains(&hour).then_some(1.0)
        });
    }
    breaker
        .fires(open, ",reason=\"moved\"", &[("50m", 1.0), ("1h", 1.0), ("1h5m", 1.0), ("2h", 1.0)])
        .fires(open, ",reason=\"auth\"", &[("55m", 0.0), ("1h5m", 1.0), ("1h25m", 1.0), ("1h30m", 0.0)])
        .fires(open, ",reason=\"credits_exhausted\"", &[("1h10m", 0.0), ("2h", 0.0)]);
    breaker.test.check();

    let (errors, throttled) = ("TikTokApiErrorRatioHigh", "TikTokApiThrottled");
    for (requests, failing, slowed, note) in [
        (&[("success", 10.0)][..], 0.0, 0.0, "all is well, over a restart"),
        (&[("success", 6.0), ("transient", 1.0), ("malformed", 1.5)], 1.0, 0.0, "more than a quarter fails"),
        (&[("success", 8.0), ("transient", 2.0)], 0.0, 0.0, "a fifth fails"),
        (&[("success", 0.0), ("transient", 0.3)], 0.0, 0.0, "all fail, but these are four an hour"),
        (&[("success", 1.0), ("not_found", 9.0)], 0.0, 0.0, "not found is an answer"),
        (&[("success", 9.0), ("throttled", 1.0)], 0.0, 1.0, "a tenth is throttled"),
        (&[("success", 99.0), ("throttled", 1.0)], 0.0, 0.0, "a hundredth is throttled"),
        (&[("success", 0.5), ("throttled", 0.3)], 0.0, 0.0, "four throttled an hour"),
        (&[("auth", 1.0), ("throttled", 1.0)], 1.0, 1.0, "both at once"),
    ] {
        let mut test = Operations::new(4);
        test.requests(requests);
        for (alert, count) in [(errors, failing), (throttled, slowed)] {
            test.fires(alert, "", &[("5m", 0.0), ("1h20m", count), ("2h", count), ("4h", count)]);
        }
        eprintln!("checking: {note}");
        test.test.check();
    }
}

#[test]
fn spending_that_stops_or_will_stop_is_told() {
    let stopped = "TikTokSpendingStopped";
    let mut test = Operations::new(3);
    for (reason, from) in [("day", 1.0), ("ledger", 9.0)] {
        let labels = [("reason", reason), ("instance", "a")];
        test.series("tiktok_exporter_spending_stopped", &labels, move |hour| {
            Some(f64::from(u8::from((from..2.0).contains(&hour))))
        });
    }
    // Over before it is told.
    test.series("tiktok_exporter_spending_stopped", &[("reason", "clock"), ("instance", "a")], |hour| {
        Some(f64::from(u8::from((1.0..1.07).contains(&hour))))
    });
    test.fires(stopped, ",reason=\"clock\"", &[("1h5m", 0.0), ("1h10m", 0.0), ("2h", 0.0)]);
    test.fires(stopped, ",reason=\"day\"", &[("1h", 0.0), ("1h10m", 1.0), ("2h10m", 0.0)]).fires(
        stopped,
        ",reason=\"ledger\"",
        &[("1h30m", 0.0), ("3h", 0.0)],
    );
    test.test.check();

    // The first hours of 1970-01-01: 24 hours of the day and 31 days of the month are left at the start.
    for (spent_an_hour, day, month, fires, note) in [
        (10.0, Some(500.0), None, [0.0, 0.0], "the day's credits last for two days"),
        (10.0, Some(120.0), None, [1.0, 0.0], "they last for half a day"),
        (10.0, Some(155.0), None, [0.0, 0.0], "they end a little early, within the margin"),
        (0.0, Some(0.0), None, [0.0, 0.0], "used up: that is another alert"),
        (10.0, None, Some(3_000.0), [0.0, 1.0], "the month's credits last for twelve days"),
        (10.0, None, Some(9_000.0), [0.0, 0.0], "they last for the month"),
        (10.0, None, None, [0.0, 0.0], "no budget"),
    ] {
        let mut test = Operations::new(8);
        test.series("tiktok_exporter_credits_spent_total", &[("instance", "a")], move |hour| {
            // A restart at four takes nothing back: the ledger goes on from where it was.
            Some(1_000.0 + spent_an_hour * hour)
        });
        for (window, left) in [("day", day), ("month", month)] {
            if let Some(left) = left {
                let labels = [("instance", "a"), ("window", window)];
                test.series("tiktok_exporter_budget_remaining_credits", &labels, always(left));
            }
        }
        for (window, count) in [("day", fires[0]), ("month", fires[1])] {
            let labels = format!(",instance=\"a\",window={window:?}");
            test.fires("TikTokBudgetRunsOut", &labels, &[("7h50m", count), ("8h", count)]);
        }
        eprintln!("checking: {note}");
        test.test.check();
    }

    for (left, count, note) in [
        (1_000.0, 1.0, "four days"),
        (1_670.0, 1.0, "an hour less than a week"),
        (1_690.0, 0.0, "an hour more"),
        (0.0, 1.0, "nothing is left"),
    ] {
        let mut test = Operations::by_the_hour(8 * 24);
        let (a, window) = (("instance", "a"), ("window", "balance"));
        test.series("tiktok_exporter_credits_spent_total", &[a], |hour| Some(10.0 * hour))
            .series("tiktok_exporter_budget_remaining_credits", &[a, window], always(left))
            .fires("TikTokBalanceLow", "", &[("190h", count)]);
        eprintln!("checking: {note}");
        test.test.check();
    }
}

#[test]
fn samples_saturated_in_every_region_are_told_after_a_day() {
    let mut test = Operations::new(26);
    for (hashtag, region, saturated) in
        [("busy", "US", 1.0), ("busy", "GB", 1.0), ("mixed", "US", 1.0), ("mixed", "GB", 0.0)]
    {
        let info = [("hashtag", hashtag), ("group", "g")];
        test.series(
            "tiktok_hashtag_sample_saturated",
            &[("hashtag", hashtag), ("region", region)],
            always(saturated),
        );
        if region == "US" {
            test.series("tiktok_hashtag_info", &info, always(1.0));
        }
    }
    // Another exporter takes over, and goes on seeing it; one sees enough again before the day is over.
    for (hashtag, instance, hours, saturated) in [
        ("moved", "a", 0.0..12.0, 1.0),
        ("moved", "b", 12.0..99.0, 1.0),
        ("short", "a", 0.0..23.0, 1.0),
        ("short", "b", 23.0..99.0, 0.0),
    ] {
        let of = [("hashtag", hashtag), ("instance", instance)];
        let during = move |value: f64| {
            let hours = hours.clone();
            move |hour: f64| hours.contains(&hour).then_some(value)
        };
        test.series("tiktok_hashtag_sample_saturated", &[of[0], of[1], ("region", "US")], during(saturated));
        test.series("tiktok_hashtag_info", &[of[0], of[1], ("group", "g")], during(1.0));
    }
    for hashtag in ["busy", "moved"] {
        let of = format!(",hashtag={hashtag:?},group=\"g\"");
        test.fires("TikTokSampleSaturated", &of, &[("23h", 0.0), ("25h", 1.0)]);
    }
    test.fires("TikTokSampleSaturated", "", &[("23h50m", 0.0), ("26h", 2.0)]);
    test.test.check();
}

#[test]
fn texts_hold_the_value_and_working_links() {
    let mut trends = RuleTest::new("1h", "6h");
    let hashtag = case("日本 \"x\"")
        .views(|hour| steady(hour) + extra(LAST, 9_000.0)(hour))
        .posts(|hour| 5e3 + 10.0 * hour + extra(LAST, 90.0)(hour));
    let readings = hashtag.play(DAYS + 1, &mut trends);
    let rules = Rules { readings: &readings, parameters: &parameters(), every: 6, left: left_end() };
    let recorded: std::collections::BTreeMap<_, _> = rules.recorded(DAYS).into_iter().collect();
    let number = |metric: &str| format!("{:.2}", recorded[metric].unwrap());
    let region = [("hashtag", "日本 \"x\""), ("region", "US")];
    for (metric, value) in [
        ("tiktok_hashtag_sample_velocity", 3.5),
        ("tiktok_hashtag_sample_refresh_interval_seconds", 1e7),
        ("tiktok_hashtag_sample_last_success_timestamp_seconds", 0.0),
    ] {
        trends.series(metric, &region, &Signal(vec![Some(value); DAYS as usize + 1]));
    }

    let mut spike = RuleTest::new("1h", "1h");
    case("日本 \"x\"")
        .read_every(1)
        .views(|hour| 1e6 + if hour < 100.0 { hour } else { 5e4 })
        .play(101, &mut spike);

    let mut operations = Operations::new(25);
    for hashtag in ["stale", "gone", "typo"] {
        let labels = [("hashtag", hashtag), ("group", "g")];
        operations.series("tiktok_hashtag_info", &labels, always(1.0));
        operations.series("tiktok_hashtag_refresh_interval_seconds", &labels[..1], always(3_600.0));
        if hashtag != "typo" {
            let read_at = "tiktok_hashtag_last_success_timestamp_seconds";
            operations.series(read_at, &labels[..1], always(0.0));
        }
    }
    operations
        .requests(&[("transient", 5.0), ("throttled", 5.0)])
        .series("tiktok_hashtag_found", &[("hashtag", "gone")], always(0.0))
        .series("tiktok_hashtag_sample_saturated", &[("hashtag", "stale"), ("region", "US")], always(1.0))
        .series("tiktok_exporter_upstream_breaker_open", &[("reason", "auth")], always(1.0))
        .series("tiktok_exporter_spending_stopped", &[("reason", "clock"), ("instance", "a")], always(1.0))
        .series("tiktok_exporter_credits_spent_total", &[("instance", "a")], |hour| Some(hour * 60.0))
        .series(
            "tiktok_exporter_budget_remaining_credits",
            &[("instance", "a"), ("window", "day")],
            always(9.0),
        )
        .series(
            "tiktok_exporter_budget_remaining_credits",
            &[("instance", "a"), ("window", "balance")],
            always(900.0),
        )
        .series("up", &[("job", "tiktok"), ("instance", "exporter:10110")], always(0.0));

    let value = |text: &str| text.to_owned();
    let of_trends = [
        (TRENDING, number("hashtag:tiktok_hashtag_views:zscore14d")),
        (REF_VIEWS, number("hashtag:tiktok_hashtag_views:reference_zscore14d")),
        (REF_GAIN, number("hashtag:tiktok_hashtag_views:reference_delta1d_zscore14d")),
        (HEATING_UP, number("hashtag:tiktok_hashtag_posts:velocity")),
        (CANDIDATE, number("hashtag:tiktok_hashtag_posts:velocity")),
        (WINDOW, number("hashtag:tiktok_hashtag_posts:velocity")),
        (REF_HEATING_UP, value("3.50 times")),
        (REF_CANDIDATE, value("3.50 times")),
    ];
    let of_operations = [
        ("TikTokWatchdog", value("(value 1)")),
        ("TikTokExporterDown", value("scrape exporter:10110 (value 0)")),
        ("TikTokBreakerOpen", value("answered auth")),
        ("TikTokSpendingStopped", value("stopped 1, reason clock")),
        ("TikTokBudgetRunsOut", value("credits of this day (UTC)")),
        ("TikTokBalanceLow", value("last 4.2 days")),
        ("TikTokResultsStale", value("1d 1h 0m 0s ago")),
        ("TikTokHashtagVanished", value("1d 1h 0m 0s ago")),
        ("TikTokHashtagUnresolved", value("#typo (g)")),
        ("TikTokApiErrorRatioHigh", value("50%")),
        ("TikTokApiThrottled", value("50%")),
        ("TikTokSampleSaturated", value("#stale (g)")),
    ];
    let links = ["Dashboard: http://localhost:3000/d/tiktok-", "Brief: http://localhost:10110/brief"];
    let of_hashtag = ["var-hashtag=%E6%97%A5%E6%9C%AC+%22x%22", "/brief?group=g"];
    for (test, time, expected, also) in [
        (&trends, format!("{DAYS}h"), &of_trends[..], &of_hashtag[..]),
        (&spike, value("100h"), &[(SPIKE, value("49.9k views"))], &of_hashtag),
        (&operations.test, value("25h"), &of_operations, &[]),
    ] {
        let names: Vec<&str> = expected.iter().map(|(alert, _)| *alert).collect();
        for ((alert, value), printed) in expected.iter().zip(test.printed(&names, &time)) {
            let runbook = format!("http://localhost:10110/runbooks/{alert}.md");
            for part in links.iter().chain(also).chain([&value.as_str(), &runbook.as_str()]) {
                assert!(printed.contains(part), "{alert}: the texts lack {part:?}:\n{printed}");
            }
            for wrong in ["<error", "<no value>", "%!"] {
                assert!(!printed.contains(wrong), "{alert}: the texts hold {wrong:?}:\n{printed}");
            }
        }
    }
}

#[test]
fn an_hours_views_are_filed_under_the_hour_they_came_in() {
    const HOURS: Hour = 4 * 24;
    let mut test = RuleTest::new("1h", "1h");
    // 500 an hour, and 1,000 more between 18 and 19 o'clock.
    let evening = |hour: f64| 500.0 * hour + 1_000.0 * ((hour - 18.0) / 24.0).ceil();
    case("evening").read_every(1).views(move |hour| 1e6 + evening(hour)).play(HOURS + 1, &mut test);
    let day = 500.0 * 24.0 + 1_000.0;
    let ratio = |labels: &str, at: Hour, value: f64| {
        let series = format!("hashtag_hour:tiktok_hashtag_views:gain1h_ratio{{hashtag=\"evening\"{labels}}}");
        (format!("sum({series}) or vector(-1)"), at, value)
    };
    for (expression, at, value) in [
        // Read at 19 o'clock: the views of the hour before.
        ratio(",hour=\"18\"", 67, 1_500.0 * 24.0 / day),
        ratio("", 67, 1_500.0 * 24.0 / day),
        ratio(",hour=\"17\"", 66, 500.0 * 24.0 / day),
        ratio(",hour=\"18\"", 66, -1.0),
        ratio(",hour=\"00\"", 73, 500.0 * 24.0 / day),
        ratio(",hour=\"09\"", 82, 500.0 * 24.0 / day),
        ratio(",hour=\"23\"", 72, 500.0 * 24.0 / day),
    ] {
        test.expect(expression, at, value);
    }
    test.check();
}

#[test]
fn dashboards_read_what_the_exporters_do_together() {
    let mut test = Operations::new(30);
    let requests = [("success", 3.0), ("transient", 1.0), ("throttled", 2.0), ("not_found", 0.0)];
    test.requests(&requests);
    for (le, count) in [("0.5", 6.0), ("1", 10.0), ("+Inf", 10.0)] {
        let labels = [("endpoint", "challenge-posts"), ("le", le), ("instance", "a")];
        let bucket = "tiktok_exporter_upstream_request_duration_seconds_bucket";
        test.series(bucket, &labels, move |hour| Some(if hour < 20.0 { hour } else { 20.0 } * count));
    }
    // The second exporter began late; its ledger did not.
    for (instance, from) in [("a", 0.0), ("b", 5.0)] {
        let since = move |value: f64| move |hour: f64| (hour >= from).then_some(value);
        let of = [("instance", instance)];
        let with = |label, value| [("instance", instance), (label, value)];
        for (name, rate) in [("hits", 3.0), ("queries", 12.0)] {
            let name = format!("tiktok_exporter_cache_{name}_total");
            let labels = with("endpoint", "challenge-posts");
            test.series(&name, &labels, move |hour| (hour >= from).then_some(hour * rate));
        }
        let open = if instance == "a" { 0.0 } else { 1.0 };
        test.series("tiktok_exporter_upstream_breaker_open", &with("reason", "auth"), since(open))
            .series("tiktok_exporter_spending_stopped", &with("reason", "day"), since(open))
            .series("tiktok_exporter_credits_spent_total", &with("purpose", "posts"), |hour| {
                Some(1_000.0 + hour)
            })
            .series("tiktok_exporter_budget_spent_credits", &with("window", "day"), since(30.0))
            .series("tiktok_exporter_budget_credits", &with("window", "day"), since(100.0))
            .series("tiktok_exporter_budget_remaining_credits", &with("window", "day"), since(70.0))
            .series("tiktok_exporter_forecast_day_credits", &of, since(90.0))
            .series("tiktok_exporter_stretch_factor", &with("purpose", "posts"), since(1.0 + open));
    }
    for (series, hour, want) in [
        ("outcome:tiktok_exporter_upstream_requests:increase1h{outcome=\"success\"}", 4, Some(36.0)),
        ("outcome:tiktok_exporter_upstream_requests:increase1h{outcome=\"transient\"}", 4, Some(12.0)),
        ("outcome:tiktok_exporter_upstream_requests:increase1h{outcome=\"not_found\"}", 4, Some(0.0)),
        ("global:tiktok_exporter_upstream_requests:increase1h", 4, Some(72.0)),
        ("global:tiktok_exporter_upstream_requests:errors_increase1h", 4, Some(12.0)),
        ("global:tiktok_exporter_upstream_requests:throttled_increase1h", 4, Some(24.0)),
        // Half of ten are five of the six that took half a second at most.
        ("global:tiktok_exporter_upstream_request_duration_seconds:p50_1h", 4, Some(0.5 * 5.0 / 6.0)),
        ("global:tiktok_exporter_upstream_request_duration_seconds:p95_1h", 4, Some(0.5 + 0.5 * 3.5 / 4.0)),
        // No request since 20 o'clock.
        ("global:tiktok_exporter_upstream_request_duration_seconds:p50_1h", 22, None),
        ("global:tiktok_exporter_upstream_request_duration_seconds:p95_1h", 22, None),
        ("endpoint:tiktok_exporter_cache_hits:ratio1h{endpoint=\"challenge-posts\"}", 4, Some(0.25)),
        ("endpoint:tiktok_exporter_cache_hits:ratio1h{endpoint=\"challenge-posts\"}", 8, Some(0.25)),
        ("reason:tiktok_exporter_upstream_breaker_open:max{reason=\"auth\"}", 4, Some(0.0)),
        ("reason:tiktok_exporter_upstream_breaker_open:max{reason=\"auth\"}", 6, Some(1.0)),
        ("reason:tiktok_exporter_spending_stopped:max{reason=\"day\"}", 4, Some(0.0)),
        ("reason:tiktok_exporter_spending_stopped:max{reason=\"day\"}", 6, Some(1.0)),
        ("purpose:tiktok_exporter_credits_spent:increase1d{purpose=\"posts\"}", 26, Some(48.0)),
        ("window:tiktok_exporter_budget_spent_credits:sum{window=\"day\"}", 6, Some(60.0)),
        ("window:tiktok_exporter_budget_credits:sum{window=\"day\"}", 6, Some(200.0)),
        ("window:tiktok_exporter_budget_remaining_credits:sum{window=\"day\"}", 6, Some(140.0)),
        ("global:tiktok_exporter_forecast_day_credits:sum", 4, Some(90.0)),
        ("global:tiktok_exporter_forecast_day_credits:sum", 6, Some(180.0)),
        ("purpose:tiktok_exporter_stretch_factor:max{purpose=\"posts\"}", 4, Some(1.0)),
        ("purpose:tiktok_exporter_stretch_factor:max{purpose=\"posts\"}", 6, Some(2.0)),
    ] {
        test.test.expect_number(series, hour, want);
    }
    test.test.check();
}
