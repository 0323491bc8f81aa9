//! The Kubernetes manifests, and what sends samples to other stores.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::schema::Schema;
use super::{exporter, files_in, project, read, succeed};

fn generate(arguments: &[&str]) -> Command {
    let mut generate = Command::new("sh");
    generate.arg(project().join("deploy/kubernetes/generate")).args(arguments);
    generate
}

/// Every document that is printed.
fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize;
    let documents = serde_norway::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{error}:\n{text}")))
        .collect()
}

fn manifests(replicas: &str) -> Vec<Value> {
    let config = project().join("tiktok-exporter.example.toml").display().to_string();
    documents(&succeed(&mut generate(&[
        "--config",
        &config,
        "--replicas",
        replicas,
        "--namespace",
        "trends",
    ])))
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Vec<&'a Value> {
    manifests.iter().filter(|manifest| manifest["kind"] == kind).collect()
}

#[test]
fn every_manifest_is_what_kubernetes_and_the_operator_take() {
    let schemas: BTreeMap<&str, Schema> = [
        ("ConfigMap", "io.k8s.api.core.v1.ConfigMap"),
        ("Service", "io.k8s.api.core.v1.Service"),
        ("StatefulSet", "io.k8s.api.apps.v1.StatefulSet"),
        ("ServiceMonitor", "com.coreos.monitoring.v1.ServiceMonitor"),
        ("PrometheusRule", "com.coreos.monitoring.v1.PrometheusRule"),
    ]
    .map(|(kind, name)| (kind, Schema::new("kubernetes.json", &format!("#/$defs/{name}"))))
    .into();
    let manifests = manifests("3");
    for manifest in &manifests {
        let kind = manifest["kind"].as_str().unwrap();
        let schema = schemas.get(kind).unwrap_or_else(|| panic!("there is no schema for {kind}"));
        assert_eq!(schema.complaints(manifest), None, "{kind} {}", manifest["metadata"]["name"]);
        assert_eq!(manifest["metadata"]["namespace"], "trends");
        let mut wrong = manifest.clone();
        wrong["metadata"]["nmae"] = "x".into();
        assert!(schema.complaints(&wrong).is_some(), "the schema of {kind} accepts anything");
    }
    for kind in schemas.keys() {
        assert!(!of_kind(&manifests, kind).is_empty(), "there is no {kind}");
    }
}

#[test]
fn they_are_made_of_the_files_that_everything_else_uses() {
    let manifests = manifests("1");
    let mut rules: Vec<Value> = Vec::new();
    for file in files_in("alerts", ".rules.yml") {
        let file: Value = serde_norway::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        rules.push(file);
    }
    let specs: Vec<Value> =
        of_kind(&manifests, "PrometheusRule").iter().map(|rule| rule["spec"].clone()).collect();
    assert_eq!(specs, rules);

    let data: Vec<(String, String)> = of_kind(&manifests, "ConfigMap")
        .iter()
        .flat_map(|map| map["data"].as_object().unwrap())
        .map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()))
        .collect();
    let mut files = vec![project().join("tiktok-exporter.example.toml")];
    files.extend(files_in("dashboards", ".json"));
    assert_eq!(data.len(), files.len());
    for (file, (name, text)) in files.iter().zip(&data) {
        let original = std::fs::read_to_string(file).unwrap();
        assert_eq!(text.trim_end(), original.trim_end(), "{name} is another text than {}", file.display());
    }
}

#[test]
fn the_set_runs_what_the_program_has_and_shares_the_work() {
    let manifests = manifests("3");
    let set = of_kind(&manifests, "StatefulSet")[0];
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<&str> =
        container["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    let help = succeed(exporter().args([arguments[0], "--help"]));
    for argument in &arguments[1..] {
        let flag = argument.split('=').next().unwrap();
        assert!(help.contains(flag), "{flag} is no flag of {}", arguments[0]);
    }
    // The variables are settings, and the shares fit together.
    let folder = tempfile::tempdir().unwrap();
    let toml = folder.path().join("x.toml");
    let names: Vec<String> = (0..60).map(|number| format!("\"tag{number}\"")).collect();
    let text = format!("[budget]\nper_day = 300\n[[watch]]\nhashtags = [{}]\n", names.join(","));
    std::fs::write(&toml, text).unwrap();
    let mut hashtags = 0;
    let mut rates = 0;
    for index in 0..3 {
        let mut check = exporter();
        check.args(["check", "--config.file"]).arg(&toml);
        for variable in container["env"].as_array().unwrap() {
            let value = variable["value"].as_str().map_or(index.to_string(), str::to_owned);
            check.env(variable["name"].as_str().unwrap(), value);
        }
        let key = folder.path().join("key");
        std::fs::write(&key, "key").unwrap();
        let printed = succeed(check.env("TIKTOK_EXPORTER__API__KEY_FILE", &key));
        let fact = |name: &str| -> u32 {
            let line =
                printed.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{printed}"));
            line[name.len()..].split_whitespace().next().unwrap().parse().unwrap()
        };
        assert!(printed.contains(&format!("number {index} of 3")), "{printed}");
        hashtags += fact("hashtags");
        rates += fact("rate limit");
    }
    assert_eq!((hashtags, rates), (60, 200));
}

#[test]
fn the_generator_refuses_what_makes_no_manifest() {
    for (arguments, complaint) in [
        (&["--replicas", "0"][..], "--replicas: 0 is not a number of at least 1"),
        (&["--replicas"], "--replicas needs a value"),
        (&["--namespace", "a\nb: c"], "is not a valid name"),
        (&["--nonsense"], "--nonsense is not an option"),
        (&["--config", "/nonexistent"], "/nonexistent cannot be read"),
    ] {
        let output = generate(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?} prints a part");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(complaint), "{arguments:?}: {text}");
    }
}

#[test]
fn prometheus_takes_every_way_to_send_samples_on() {
    let ways = files_in("deploy/remote-write", ".yml");
    assert_eq!(ways.len(), 3, "{ways:?}");
    for way in ways {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prometheus.yml");
        let text = read("alerts/prometheus.yml") + &std::fs::read_to_string(&way).unwrap();
        std::fs::write(&file, text).unwrap();
        for rules in files_in("alerts", ".rules.yml") {
            std::fs::copy(&rules, folder.path().join(rules.file_name().unwrap())).unwrap();
        }
        succeed(Command::new("promtool").args(["check", "config"]).arg(&file));
    }
}
