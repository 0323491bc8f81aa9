//! Prometheus' own tools, and the files they are told to test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::reference::{Hour, LeftEnd, Signal};

/// The tool to run; `PROMTOOL` names another one, to try the rules on another Prometheus.
pub fn promtool() -> Command {
    Command::new(std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into()))
}

/// Runs a command that must succeed; what it printed is the message when it does not.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let text = text(&output);
    assert!(output.status.success(), "{command:?} failed:\n{}", cut(&text));
    text
}

pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("cannot run {command:?}: {error}; ./tests/run installs what is missing")
    })
}

pub fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// The first failures say it; a broken rule can fail thousands of expectations.
fn cut(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().take(60).collect();
    if lines.len() == 60 {
        lines.push("... and more");
    }
    lines.join("\n")
}

/// How the tool's Prometheus cuts its ranges.
pub fn left_end() -> LeftEnd {
    let version = text(&run(promtool().arg("--version")));
    if version.contains("version 2.") { LeftEnd::Closed } else { LeftEnd::Open }
}

pub fn alerts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

/// Every rule file, sorted.
pub fn rule_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(alerts())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".rules.yml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no rule files");
    files
}

/// The order in which rules that read each other are evaluated. Prometheus keeps none: each group has a moment
/// of its own.
const GROUPS: [&str; 13] = [
    "tiktok-parameters",
    "tiktok-history",
    "tiktok-readings",
    "tiktok-readings-steps",
    "tiktok-readings-history",
    "tiktok-reference",
    "tiktok-velocity",
    "tiktok-trending",
    "tiktok-spike",
    "tiktok-dashboard-trends",
    "tiktok-operations",
    "tiktok-operations-hashtags",
    "tiktok-dashboard-operations",
];

/// One file for `promtool test rules`: series go in, expectations are checked.
pub struct RuleTest {
    /// Time between two samples of the input, and between two evaluations of the rules.
    steps: (&'static str, &'static str),
    groups: Vec<&'static str>,
    series: Vec<Value>,
    expectations: Vec<Value>,
}

impl RuleTest {
    pub fn new(input_step: &'static str, evaluation_step: &'static str) -> Self {
        let steps = (input_step, evaluation_step);
        Self { steps, groups: GROUPS.to_vec(), series: Vec::new(), expectations: Vec::new() }
    }

    /// This group is evaluated last, so that the others know nothing of it.
    pub fn evaluated_last(&mut self, group: &str) {
        let place = self.groups.iter().position(|other| *other == group).unwrap();
        let group = self.groups.remove(place);
        self.groups.push(group);
    }

    pub fn series(&mut self, name: &str, labels: &[(&str, &str)], values: &Signal) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let value = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
        let values: Vec<String> = values.0.iter().map(value).collect();
        self.series
            .push(json!({"series": format!("{name}{{{}}}", labels.join(",")), "values": values.join(" ")}));
    }

    /// `expression` is one number without labels at `hour`, this one.
    pub fn expect(&mut self, expression: String, hour: Hour, value: f64) {
        self.expect_at(expression, &format!("{hour}h"), value);
    }

    /// The same at a time such as `1h5m`.
    pub fn expect_at(&mut self, expression: String, time: &str, value: f64) {
        self.expectations.push(json!({
            "expr": expression,
            "eval_time": time,
            "exp_samples": [{"labels": "{}", "value": value}],
        }));
    }

    /// The series that `selector` finds is `want` at `hour` up to rounding, or absent.
    pub fn expect_number(&mut self, selector: &str, hour: Hour, want: Option<f64>) {
        match want {
            Some(want) => {
                assert!(want.is_finite(), "{selector} at {hour}h should be {want}?");
                let tolerance = 1e-10 * want.abs().max(1.0);
                let check = format!("max(abs({selector} - {want}) <= bool {tolerance}) or vector(-1)");
                self.expect(check, hour, 1.0);
            }
            None => self.expect(format!("count({selector}) or vector(0)"), hour, 0.0),
        }
    }

    pub fn check(&self) {
        assert!(!self.expectations.is_empty(), "nothing is expected");
        let file = self.file(&[]);
        succeed(promtool().args(["test", "rules"]).arg(file.path()));
    }

    /// How the tool prints each alert as it fires at a time, labels and texts: it is told to expect
    /// none, and says what there is.
    pub fn printed(&self, alerts: &[&str], time: &str) -> Vec<String> {
        let none = |alert| json!({"eval_time": time, "alertname": alert, "exp_alerts": []});
        let file = self.file(&alerts.iter().map(none).collect::<Vec<_>>());
        let text = text(&run(promtool().args(["test", "rules"]).arg(file.path())));
        let block_of = |alert: &&str| {
            let from = text.find(&format!("alertname: {alert},")).unwrap_or_else(|| {
                panic!("{alert} does not fire at {time}:\n{}", cut(&text));
            });
            let rest = &text[from + 1..];
            rest[..rest.find("alertname: ").unwrap_or(rest.len())].to_owned()
        };
        alerts.iter().map(block_of).collect()
    }

    /// The file as the tool reads it; JSON is YAML.
    fn file(&self, alerts: &[Value]) -> tempfile::NamedTempFile {
        let (interval, evaluation_interval) = self.steps;
        let content = json!({
            "rule_files": rule_files(),
            "evaluation_interval": evaluation_interval,
            "group_eval_order": self.groups,
            "tests": [{
                "interval": interval,
                "input_series": self.series,
                "promql_expr_test": self.expectations,
                "alert_rule_test": alerts,
            }],
        });
        let mut file = tempfile::NamedTempFile::with_suffix(".yml").unwrap();
        file.write_all(content.to_string().as_bytes()).unwrap();
        file
    }
}
