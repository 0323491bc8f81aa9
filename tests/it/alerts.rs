//! What stands around the rules: what every alert carries, its runbook, the names the rules use,
//! and Alertmanager's and Prometheus' configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde::Deserialize;
use tiktok_exporter::credits::{Balance, Ledger, Limits};
use tiktok_exporter::page::Exposition;
use tiktok_exporter::state::State;
use tiktok_exporter::store::Store;
use tiktok_exporter::telemetry::Telemetry;
use units::{Credits, Date};

use crate::support::snapshot::{NOW, SetClock, known, publish};

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    interval: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn groups() -> Vec<Group> {
    let files = files_in("alerts", ".rules.yml");
    assert!(!files.is_empty(), "no rule files");
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        serde_norway::from_str::<RuleFile>(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.iter().map(read).flat_map(|file| file.groups).collect()
}

fn rules() -> Vec<Rule> {
    groups().into_iter().flat_map(|group| group.rules).collect()
}

fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(|rule| rule.alert.is_some()).collect()
}

fn files_in(folder: &str, ending: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(project().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn every_alert_carries_what_people_need() {
    for alert in alerts() {
        let name = alert.alert.as_deref().unwrap();
        assert!(name.starts_with("TikTok"), "{name}: alerts of this project begin with TikTok");
        for (label, allowed) in [
            ("severity", &["critical", "warning", "info", "none"][..]),
            ("topic", &["trend", "reference", "operations"]),
        ] {
            let value = alert.labels.get(label).map_or("", String::as_str);
            assert!(allowed.contains(&value), "{name}: {label} is {value:?}, not one of {allowed:?}");
        }
        let annotation = |key: &str| alert.annotations.get(key).map_or("", String::as_str);
        assert!(!annotation("summary").is_empty(), "{name}: no summary");
        for (part, why) in [
            ("$value", "the value"),
            ("label \"grafana\"", "a link to the dashboard"),
            ("/d/tiktok-", "the dashboard's uid"),
            ("label \"exporter\"", "a link to the brief"),
            ("/brief", "the path of the brief"),
        ] {
            assert!(annotation("description").contains(part), "{name}: the description lacks {why} ({part})");
        }
        let runbook = format!("/{name}.md");
        assert!(
            annotation("runbook_url").ends_with(&runbook),
            "{name}: runbook_url does not end in {runbook}"
        );
        if name.starts_with("TikTokReference") {
            assert_eq!(
                (&*alert.labels["severity"], &*alert.labels["topic"]),
                ("info", "reference"),
                "{name}"
            );
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let names: BTreeSet<String> = alerts().into_iter().filter_map(|alert| alert.alert).collect();
    let name_of = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let runbooks: BTreeSet<String> = files_in("docs/runbooks", ".md").iter().map(name_of).collect();
    assert_eq!(names, runbooks, "alerts on the left, docs/runbooks on the right");

    for name in names {
        let text = std::fs::read_to_string(project().join(format!("docs/runbooks/{name}.md"))).unwrap();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let wanted = [&format!("# {name}"), "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];
        assert_eq!(headings, wanted, "docs/runbooks/{name}.md");
        for section in text.split("\n## ").skip(1) {
            let (heading, body) = section.split_once('\n').unwrap();
            assert!(body.trim().len() > 40, "docs/runbooks/{name}.md: nothing under {heading}");
        }
    }
}

/// Metric → label → values.
type Page = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The exporter's page when it knows everything, and has every budget.
fn exporter_page() -> Page {
    let state = State::default();
    publish(&state, [known("booktok", "books", &["US"], 500, NOW)]);
    let store = Arc::new(Store::in_memory().unwrap());
    let balance = Balance { credits: Credits::ONE, counted_on: Date::of(NOW) };
    let limits = Limits {
        per_day: Some(Credits::ONE),
        per_month: Some(Credits::ONE),
        balance: Some(balance),
        ..Limits::default()
    };
    let ledger = Arc::new(Ledger::open(store, limits, NOW).unwrap());
    let telemetry = Arc::new(Telemetry::new().unwrap());
    let exposition = Exposition::new(state, ledger, SetClock::at(NOW), telemetry);
    let page = exposition.encode().unwrap();

    let mut metrics = Page::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let labels = metrics.entry(name.to_owned()).or_default();
        let Some((_, rest)) = line.split_once('{') else { continue };
        for pair in rest.rsplit_once('}').unwrap().0.split("\",") {
            let (label, value) = pair.split_once("=\"").unwrap();
            labels.entry(label.to_owned()).or_default().insert(value.trim_end_matches('"').to_owned());
        }
    }
    metrics
}

/// Every series that an expression selects.
#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

fn selectors(expression: &str) -> Vec<VectorSelector> {
    let parsed = promql_parser::parser::parse(expression)
        .unwrap_or_else(|error| panic!("cannot parse {expression}: {error}"));
    let mut selectors = Selectors::default();
    let Ok(_) = walk_expr(&mut selectors, &parsed);
    selectors.0
}

#[test]
fn rules_name_only_what_the_exporter_shows_or_another_rule_records() {
    // Prometheus' own.
    const PROMETHEUS: [&str; 1] = ["up"];
    // Put on by the scrape.
    const SCRAPE: [&str; 2] = ["job", "instance"];
    let page = exporter_page();
    let rules = rules();
    let recorded: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.record.as_deref()).collect();
    let mut used = BTreeSet::new();

    for rule in &rules {
        let rule_name = rule.alert.as_deref().or(rule.record.as_deref()).unwrap();
        for selector in selectors(&rule.expr) {
            let name = selector.name.clone().unwrap_or_default();
            used.insert(name.clone());
            if recorded.contains(name.as_str()) || PROMETHEUS.contains(&name.as_str()) {
                continue;
            }
            let labels = page.get(&name).unwrap_or_else(|| {
                panic!("{rule_name} names {name}, which neither the exporter shows nor a rule records")
            });
            for matcher in &selector.matchers.matchers {
                if SCRAPE.contains(&matcher.name.as_str()) {
                    continue;
                }
                let values = labels
                    .get(&matcher.name)
                    .unwrap_or_else(|| panic!("{rule_name}: {name} has no label {}", matcher.name));
                let alternatives: Vec<&str> = match matcher.op {
                    MatchOp::Re(_) | MatchOp::NotRe(_) => matcher.value.split('|').collect(),
                    _ => vec![&matcher.value],
                };
                for value in alternatives {
                    assert!(values.contains(value), "{rule_name}: {name} has no {}={value:?}", matcher.name);
                }
            }
        }
        // What texts look up must be there as well.
        for text in rule.annotations.values() {
            for name in text.match_indices("tiktok_").map(|(at, _)| word_around(text, at)) {
                assert!(recorded.contains(name), "{rule_name}: a text names {name}, which no rule records");
                used.insert(name.to_owned());
            }
        }
    }
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let dashboards: String = files_in("dashboards", ".json").iter().map(read).collect();
    for constant in recorded.iter().filter(|name| name.starts_with("global:tiktok_")) {
        assert!(used.contains(*constant) || dashboards.contains(*constant), "nothing uses {constant}");
    }
}

/// The metric name that holds the byte `at`.
fn word_around(text: &str, at: usize) -> &str {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let start = text[..at].rfind(|c| !part(c)).map_or(0, |before| before + 1);
    let end = text[at..].find(|c| !part(c)).map_or(text.len(), |length| at + length);
    &text[start..end]
}

#[test]
fn recorded_names_say_what_labels_are_left() {
    for rule in rules() {
        let Some(name) = rule.record else { continue };
        let parts: Vec<&str> = name.split(':').collect();
        assert_eq!(parts.len(), 3, "{name} is not level:metric:operations");
        let level = [
            "global",
            "hashtag",
            "hashtag_group",
            "hashtag_hour",
            "hashtag_region",
            "endpoint",
            "outcome",
            "purpose",
            "reason",
            "window",
        ];
        assert!(level.contains(&parts[0]), "{name}: the level is none of {level:?}");
        assert!(parts[1].starts_with("tiktok_"), "{name}: the metric does not begin with tiktok_");
    }
}

#[test]
fn groups_are_evaluated_before_their_last_results_are_out_of_sight() {
    let rules = rules();
    for group in groups() {
        let minutes: u32 = group.interval.strip_suffix('m').unwrap().parse().unwrap();
        if minutes < 5 {
            continue;
        }
        // Prometheus forgets a series after 5 minutes: whoever reads these must look back for twice as long.
        for name in group.rules.iter().map(|rule| rule.record.as_deref().unwrap()) {
            let reads = format!("last_over_time({name}[{}m])", 2 * minutes);
            let readers = rules.iter().filter(|rule| rule.expr.contains(name)).collect::<Vec<_>>();
            assert!(!readers.is_empty(), "nobody reads {name}");
            for reader in readers {
                assert!(reader.expr.contains(&reads), "{name} is read without {reads}: {}", reader.expr);
            }
        }
    }
}

#[test]
fn the_documentation_lists_every_rule_and_constant() {
    let text = std::fs::read_to_string(project().join("docs/rules.md")).unwrap();
    for rule in rules() {
        let name = rule.alert.or(rule.record).unwrap();
        assert!(text.contains(&format!("`{name}`")), "docs/rules.md says nothing about `{name}`");
    }
}

fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).current_dir(project()).output();
    let output = output
        .unwrap_or_else(|error| panic!("cannot run {name}: {error}; ./tests/run installs what is missing"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{name} {arguments:?} failed:\n{text}");
    text
}

#[test]
fn the_configurations_of_prometheus_and_alertmanager_are_valid() {
    tool("amtool", &["check-config", "alerts/alertmanager.yml"]);
    let text = tool("promtool", &["check", "config", "alerts/prometheus.yml"]);
    let files = files_in("alerts", ".rules.yml").len();
    assert_eq!(text.matches("rules found").count(), files, "not all rule files are loaded:\n{text}");
}

#[test]
fn alerts_are_routed_by_topic_group_and_severity() {
    let route = |labels: &[&str], receivers: &str| {
        let verify = format!("--verify.receivers={receivers}");
        let config = ["config", "routes", "test", "--config.file=alerts/alertmanager.yml", &verify];
        tool("amtool", &[&config, labels].concat());
    };
    for alert in alerts() {
        let name = format!("alertname={}", alert.alert.unwrap());
        let [severity, topic] = ["severity", "topic"].map(|label| format!("{label}={}", alert.labels[label]));
        for group in ["books", "beauty"] {
            let receiver = match (&*alert.labels["severity"], &*alert.labels["topic"], group) {
                ("none" | "info", ..) => "nobody",
                (_, "trend", "beauty") => "trends-beauty",
                (_, "trend", _) => "trends",
                ("critical", ..) => "operators-urgent",
                _ => "operators",
            };
            route(&[&name, &severity, &topic, &format!("group={group}"), "hashtag=x"], receiver);
        }
    }
    route(&["alertname=OfSomebodyElse"], "operators");
}

#[test]
fn only_alerts_that_exist_are_inhibited() {
    let text = std::fs::read_to_string(project().join("alerts/alertmanager.yml")).unwrap();
    let known: BTreeSet<String> = alerts().into_iter().filter_map(|alert| alert.alert).collect();
    let named: BTreeSet<&str> = text.match_indices("TikTok").map(|(at, _)| word_around(&text, at)).collect();
    assert!(named.len() >= 5, "no inhibition in {named:?}");
    for name in named {
        assert!(known.contains(name), "alertmanager.yml names {name}, which is no alert");
    }
}

#[test]
fn messages_show_what_is_new_and_what_is_over() {
    let data = serde_json::json!({
        "status": "firing", "receiver": "trends", "externalURL": "http://alertmanager",
        "groupLabels": {"group": "books"}, "commonLabels": {}, "commonAnnotations": {},
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "TikTokHashtagTrending", "severity": "warning"},
                "annotations": {
                    "summary": "#日本 is trending", "description": "z 3.10, <b>", "runbook_url": "http://r/T.md"
                }
            },
            {
                "status": "resolved",
                "labels": {"alertname": "TikTokPostingWindowOpen", "severity": "warning"},
                "annotations": {"summary": "Post on #café now", "description": "", "runbook_url": ""}
            }
        ]
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, data.to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let render = |template: &str| {
        let text = format!("--template.text={{{{ template \"tiktok.{template}\" . }}}}");
        let glob = "--template.glob=alerts/templates/*.tmpl";
        tool("amtool", &["template", "render", glob, &text, &format!("--template.data={path}")])
    };
    assert_eq!(render("title").trim(), "1 new or ongoing in books: #日本 is trending, …");
    let wanted = "#日本 is trending [warning]\nz 3.10, <b>\nWhat to do: http://r/T.md\n\n\
        Over:\n- Post on #café now (stop posting)";
    assert_eq!(render("text").trim(), wanted);
}
