//! The order in which rules are evaluated over a history.
//!
//! `promtool tsdb create-blocks-from rules` queries a Prometheus for the inputs of a rule, and a Prometheus
//! loads new blocks only when it starts. So the rules are split into stages: each reads raw series and the
//! results of earlier stages. A rule that reads its own past values (a latch) finds none.
//!
//! promtool does not record alerts. Alerts about trends are recorded as `ALERTS`, the series of
//! Prometheus, so that the history shows when they fired; their `for` is ignored.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The suffix of rule files.
const ENDING: &str = ".rules.yml";
/// A little less than the lookback of Prometheus, so that recorded series have no gaps.
const INTERVAL: &str = "4m";
/// Files per stage. promtool evaluates one rule after the other, and Prometheus uses one core for each.
const FILES: usize = 2;

/// Rules cannot be split into stages.
#[derive(Debug, thiserror::Error)]
pub enum StagesError {
    /// A directory or file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is not a rule file of Prometheus.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: Box<serde_saphyr::Error>,
    },
    /// There are no rule files.
    #[error("{}: no file here ends in {ENDING}", .0.display())]
    NoRules(PathBuf),
    /// Rules depend on each other in a cycle.
    #[error("these rules depend on each other: {}", .0.join(", "))]
    Circle(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct File {
    groups: Vec<FileGroup>,
}

#[derive(Debug, Deserialize)]
struct FileGroup {
    rules: Vec<FileRule>,
}

#[derive(Debug, Deserialize)]
struct FileRule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

/// A rule that records a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Rule {
    record: String,
    expr: String,
    labels: std::collections::BTreeMap<String, String>,
}

impl FileRule {
    /// The recording rule: as written, or for an alert about trends.
    fn recorded(self) -> Option<Rule> {
        let Self { record, alert, expr, mut labels } = self;
        if let Some(record) = record {
            return Some(Rule { record, expr: merged(&expr), labels });
        }
        let alert = alert.filter(|_| labels.get("topic").is_some_and(|topic| topic == "trend"))?;
        labels.extend([("alertname".to_owned(), alert), ("alertstate".to_owned(), "firing".to_owned())]);
        Some(Rule { record: "ALERTS".to_owned(), expr: format!("({}) * 0 + 1", expr.trim()), labels })
    }
}

impl Rule {
    /// Whether it reads one of `names` except its own.
    fn reads(&self, names: &BTreeSet<String>) -> bool {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        self.expr.split(|c| !is_part(c)).any(|word| word != self.record && names.contains(word))
    }
}

/// Splits the `*.rules.yml` files in `rules` into files in `directory`, which is
/// created: `00.0.yml` and `00.1.yml` for the first stage, `01.0.yml` and so on. The files of one stage can
/// be evaluated at the same time. Returns the number of stages.
///
/// # Errors
///
/// If a file cannot be read or written, if there are no rules, or if rules depend on each other.
pub fn write(rules: &Path, directory: &Path) -> Result<usize, StagesError> {
    let stages = stages(read(rules)?)?;
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    for (number, rules) in stages.iter().enumerate() {
        for (part, rules) in shares(rules).into_iter().enumerate() {
            let path = directory.join(format!("{number:02}.{part}.yml"));
            let group = serde_json::json!({"name": "stage", "interval": INTERVAL, "rules": rules});
            // JSON is YAML.
            let text = serde_json::json!({"groups": [group]}).to_string();
            fs::write(&path, text).map_err(io_error(&path))?;
        }
    }
    Ok(stages.len())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StagesError {
    let path = path.to_owned();
    |source| StagesError::Io { path, source }
}

/// The rules of all files, sorted by file name.
fn read(directory: &Path) -> Result<Vec<Rule>, StagesError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(io_error(directory))? {
        let path = entry.map_err(io_error(directory))?.path();
        if path.to_string_lossy().ends_with(ENDING) {
            files.push(path);
        }
    }
    files.sort();
    let mut rules = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(io_error(&path))?;
        let file: File = serde_saphyr::from_str(&text)
            .map_err(|source| StagesError::Unreadable { path: path.clone(), source: Box::new(source) })?;
        let all = file.groups.into_iter().flat_map(|group| group.rules);
        rules.extend(all.filter_map(FileRule::recorded));
    }
    if rules.is_empty() {
        return Err(StagesError::NoRules(directory.to_owned()));
    }
    Ok(rules)
}

/// Makes sure that no two result series differ only in their name.
///
/// In a range query, one side of an `or` may keep the name of its input and the other may not. Once recorded,
/// the two are one series, and promtool would reject the samples of the second as out of order.
fn merged(expr: &str) -> String {
    let union = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == "or");
    if union { format!("max without () (\n{expr})") } else { expr.to_owned() }
}

/// The rules in stages, each after the rules that it reads.
fn stages(mut left: Vec<Rule>) -> Result<Vec<Vec<Rule>>, StagesError> {
    let mut stages = Vec::new();
    while !left.is_empty() {
        let waiting: BTreeSet<String> = left.iter().map(|rule| rule.record.clone()).collect();
        let (rest, ready): (Vec<Rule>, Vec<Rule>) = left.into_iter().partition(|rule| rule.reads(&waiting));
        if ready.is_empty() {
            return Err(StagesError::Circle(waiting.into_iter().collect()));
        }
        stages.push(ready);
        left = rest;
    }
    Ok(stages)
}

/// The rules of a stage, distributed evenly: neighbours, which cost about the same, go to different files.
/// No file is empty.
fn shares(rules: &[Rule]) -> Vec<Vec<&Rule>> {
    let mut shares = vec![Vec::new(); FILES.min(rules.len())];
    for (number, rule) in rules.iter().enumerate() {
        shares[number % FILES].push(rule);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(record: &str, expr: &str) -> Rule {
        Rule { record: record.to_owned(), expr: expr.to_owned(), labels: Default::default() }
    }

    fn names(stages: &[Vec<Rule>]) -> Vec<Vec<&str>> {
        stages.iter().map(|stage| stage.iter().map(|rule| &*rule.record).collect()).collect()
    }

    #[test]
    fn a_rule_comes_after_what_it_reads() {
        let rules = vec![
            rule("a:x:last", "a:x:middle > scalar(global:t)"),
            rule("a:x:middle", "sum(a:x:first)"),
            rule("a:x:first", "max by (hashtag) (x)"),
            rule("global:t", "vector(2)"),
            rule("a:x:latch", "last_over_time(a:x:latch[1h]) == 1 or a:x:first"),
        ];
        let stages = stages(rules).unwrap();
        let wanted = [vec!["a:x:first", "global:t"], vec!["a:x:middle", "a:x:latch"], vec!["a:x:last"]];
        assert_eq!(names(&stages), wanted);
    }

    #[test]
    fn a_name_inside_another_name_is_no_use_of_it() {
        let stages = stages(vec![rule("a:x", "y"), rule("b:y", "a:x_total + aa:x")]).unwrap();
        assert_eq!(names(&stages), [["a:x", "b:y"]]);
    }

    #[test]
    fn alerts_about_trends_are_recorded_as_prometheus_names_them() {
        let read = |yaml: &str| serde_saphyr::from_str::<FileRule>(yaml).unwrap().recorded();
        let trend = "{alert: Trending, expr: \"a:x > 2\\n\", labels: {topic: trend, severity: warning}}";
        let Rule { record, expr, labels } = read(trend).unwrap();
        assert_eq!((&*record, &*expr), ("ALERTS", "(a:x > 2) * 0 + 1"));
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        let wanted = [
            ("alertname", "Trending"),
            ("alertstate", "firing"),
            ("severity", "warning"),
            ("topic", "trend"),
        ];
        assert_eq!(labels, wanted);
        assert_eq!(read("{alert: Down, expr: up == 0, labels: {topic: operations}}"), None);
    }

    #[test]
    fn the_rules_of_a_stage_are_dealt_out_to_files() {
        for (rules, wanted) in [
            (vec!["a", "b", "c", "d", "e"], vec![vec!["a", "c", "e"], vec!["b", "d"]]),
            (vec!["a"], vec![vec!["a"]]),
        ] {
            let rules: Vec<Rule> = rules.into_iter().map(|name| rule(name, "1")).collect();
            let names: Vec<Vec<&str>> =
                shares(&rules).iter().map(|file| file.iter().map(|rule| &*rule.record).collect()).collect();
            assert_eq!(names, wanted);
        }
    }

    #[test]
    fn unions_lose_the_names_of_what_they_read() {
        assert_eq!(merged("a >= 2 or max by (x) (b)\n"), "max without () (\na >= 2 or max by (x) (b)\n)");
        assert_eq!(merged("max by (x) (a_or_b)"), "max by (x) (a_or_b)");
    }

    #[test]
    fn rules_in_a_circle_are_named() {
        let error = stages(vec![rule("a:x", "b:y"), rule("b:y", "a:x"), rule("c:z", "1")]).unwrap_err();
        assert_eq!(error.to_string(), "these rules depend on each other: a:x, b:y");
    }

    #[test]
    fn a_directory_without_rules_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = write(directory.path(), &directory.path().join("stages")).unwrap_err();
        assert!(error.to_string().ends_with("no file here ends in .rules.yml"), "{error}");
    }
}
