//! docker-compose.yml itself: what it promises, and that all it names exists.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::schema::Schema;
use super::{exporter, project, read, succeed};

/// The file with its anchors resolved.
pub fn compose() -> Value {
    let mut yaml: serde_norway::Value = serde_norway::from_str(&read("docker-compose.yml")).unwrap();
    // Once for each level of anchors inside anchors.
    for _ in 0..3 {
        yaml.apply_merge().unwrap();
    }
    serde_json::to_value(yaml).unwrap()
}

/// Every service by its name.
pub fn services() -> BTreeMap<String, Value> {
    serde_json::from_value(compose()["services"].clone()).unwrap()
}

/// The elements of a list; none if there is no list.
fn list<'a>(service: &'a Value, key: &str) -> Vec<&'a Value> {
    service[key].as_array().into_iter().flatten().collect()
}

/// The texts of a list.
pub fn texts(service: &Value, key: &str) -> Vec<String> {
    list(service, key).into_iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

fn profile(service: &Value) -> String {
    let profiles = texts(service, "profiles");
    assert_eq!(profiles.len(), 1, "a service without a profile starts with any: {service}");
    profiles[0].clone()
}

/// Whether it ends by itself when it has done its work.
fn runs_once(service: &Value) -> bool {
    service["restart"] == "no"
}

/// Bind mounts: what is mounted, and where.
fn binds(service: &Value) -> Vec<(String, String)> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    let binds = list(service, "volumes").into_iter().filter(|volume| volume["type"] == "bind");
    binds.map(|bind| (text(bind, "source"), text(bind, "target"))).collect()
}

/// Named volumes.
fn volumes(service: &Value) -> BTreeSet<String> {
    let short = list(service, "volumes").into_iter().filter_map(Value::as_str);
    short.map(|volume| volume.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn the_file_is_as_the_compose_specification_wants_it() {
    let schema = Schema::new("compose-spec.json", "");
    assert_eq!(schema.complaints(&compose()), None);
    let mut wrong = compose();
    wrong["services"]["demo-exporter"]["read_onyl"] = true.into();
    assert!(schema.complaints(&wrong).is_some(), "the schema accepts anything");
}

/// The image of a service without its tag, or the stage of the Dockerfile that makes it.
fn image(service: &Value) -> &str {
    let image = service["image"].as_str().and_then(|image| image.split(':').next());
    image.or(service["build"]["target"].as_str()).unwrap()
}

#[test]
fn every_service_is_locked_in() {
    for (name, service) in services() {
        // What is built here has the name that compose gives it, one for each service: several builds under
        // one name get in each other's way.
        match service["image"].as_str() {
            None => assert!(service["build"]["target"].is_string(), "{name} has no image"),
            Some(image) => {
                let tag = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has no tag")).1;
                let is_pinned = tag.chars().filter(|c| *c == '.').count() == 2;
                assert!(is_pinned, "{name}: {image} may be another one tomorrow");
                assert!(service["build"].is_null(), "{name}: {image} is built, and shares its name");
            }
        }

        let user = service["user"].as_str().unwrap_or_else(|| panic!("{name} has no user"));
        assert!(!user.starts_with('0') && !user.starts_with("root"), "{name} runs as {user}");
        assert_eq!(texts(&service, "cap_drop"), ["ALL"], "{name}");
        assert_eq!(texts(&service, "security_opt"), ["no-new-privileges:true"], "{name}");
        // Compose cannot put a secret from the environment into a read-only container.
        let takes_secret = !list(&service, "secrets").is_empty();
        assert_eq!(service["read_only"] == true, !takes_secret, "{name}: read_only");
        for (source, _) in binds(&service) {
            let bind = list(&service, "volumes").into_iter().find(|bind| bind["source"] == *source).unwrap();
            assert_eq!(bind["read_only"], true, "{name} may write to {source}");
            assert_eq!(
                bind["bind"]["create_host_path"], false,
                "{name}: {source} would be made where it lacks"
            );
        }
        for port in texts(&service, "ports") {
            assert!(port.starts_with("${BIND_ADDRESS:-127.0.0.1}:"), "{name}: {port} is open to the network");
        }
        if runs_once(&service) {
            assert_eq!(service["network_mode"], "none", "{name} has no use for a network");
        } else {
            assert_eq!(service["restart"], "unless-stopped", "{name}");
            assert!(!list(&service["healthcheck"], "test").is_empty(), "{name} has no health check");
        }
    }
}

#[test]
fn the_two_profiles_share_nothing_that_holds_data() {
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for service in services().values() {
        let networks = service["networks"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        for thing in volumes(service).into_iter().chain(networks) {
            owners.entry(thing).or_default().insert(profile(service));
        }
    }
    assert!(owners.len() >= 10, "{owners:?}");
    for (thing, profiles) in &owners {
        assert_eq!(profiles.len(), 1, "{thing} is used by {profiles:?}");
        let profile = profiles.first().unwrap();
        assert!(
            thing == profile || thing.starts_with(&format!("{profile}-")),
            "{thing} belongs to {profile}"
        );
    }
    let declared = |kind: &str| compose()[kind].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let used: BTreeSet<String> = owners.into_keys().collect();
    assert_eq!(declared("volumes").union(&declared("networks")).cloned().collect::<BTreeSet<_>>(), used);
}

#[test]
fn nothing_in_the_demo_can_spend_and_nothing_in_the_live_stack_is_made_up() {
    for (name, service) in services() {
        let text = service.to_string();
        let command = texts(&service, "command");
        match &*profile(&service) {
            "demo" => {
                assert!(list(&service, "secrets").is_empty(), "{name} gets a key");
                assert!(
                    !text.contains("TIKLIVE") && !command.contains(&"serve".to_owned()),
                    "{name}: {text}"
                );
                // Other receivers would tell people of trends that are not real.
                assert!(!text.contains("ALERTMANAGER_CONFIG"), "{name} may be given other receivers");
            }
            "live" => {
                assert!(!text.contains("demo") && !text.contains("history"), "{name}: {text}");
            }
            other => panic!("{name}: {other} is no profile"),
        }
    }
    let data = |name: &str| services()[name]["environment"]["TIKTOK_DATA"].as_str().unwrap().to_owned();
    assert_eq!((data("demo-prometheus"), data("live-prometheus")), ("simulated".into(), "real".into()));
}

#[test]
fn without_a_word_it_is_the_demo_and_no_key_is_in_git() {
    let settings: Vec<String> =
        read(".env").lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(settings, ["COMPOSE_PROFILES=demo"], ".env is in git and holds this alone");
    let example = read(".env.live.example");
    assert!(example.lines().any(|line| line == "TIKLIVE_API_KEY="), "the example holds a key:\n{example}");
    let ignored = read(".gitignore");
    for path in [".env.live", "secrets/*", "/tiktok-exporter.toml", "/alerts/alertmanager.live.yml"] {
        assert!(ignored.lines().any(|line| line == path), "git does not ignore {path}");
    }
}

#[test]
fn every_mounted_file_exists() {
    // The user's, made from the example.
    let given = [("./tiktok-exporter.toml", "tiktok-exporter.example.toml")];
    for (name, service) in services() {
        for (source, _) in binds(&service) {
            let path = given.iter().find(|(theirs, _)| *theirs == source).map_or(&*source, |(_, ours)| ours);
            assert!(project().join(path).exists(), "{name} mounts {source}");
        }
        // What is named inside a mounted folder.
        for argument in texts(&service, "command").into_iter().chain(environment(&service)) {
            for (source, target) in binds(&service) {
                let Some((_, inside)) = argument.split_once(&format!("{target}/")) else { continue };
                let inside = inside.replace("${ALERTMANAGER_CONFIG:-alertmanager.yml}", "alertmanager.yml");
                assert!(
                    project().join(&source).join(&inside).exists(),
                    "{name}: {inside} is not in {source}"
                );
            }
        }
    }
}

fn environment(service: &Value) -> Vec<String> {
    let values = service["environment"].as_object().into_iter().flatten();
    values.map(|(_, value)| value.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_command_and_flag_is_one_that_the_program_has() {
    let help = |program: &mut Command| {
        let output = program.output().unwrap();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    };
    let [prometheus, alertmanager] = ["prometheus", crate::support::alertmanager::PROGRAM]
        .map(|program| help(Command::new(program).arg("--help")));
    let mut checked = 0;
    for (name, service) in services() {
        let mut command = texts(&service, "command");
        let commands = match image(&service) {
            "exporter" => {
                let health = texts(&service["healthcheck"], "test");
                let health = health.iter().skip(2).cloned().collect::<Vec<_>>();
                vec![command, health]
            }
            "prom/prometheus" | "prom/alertmanager" => {
                command.insert(0, String::new());
                vec![command]
            }
            _ => continue,
        };
        for command in commands.into_iter().filter(|command| !command.is_empty()) {
            let help = match image(&service) {
                "prom/prometheus" => prometheus.clone(),
                "prom/alertmanager" => alertmanager.clone(),
                _ => succeed(exporter().args([&command[0], "--help"])),
            };
            for argument in &command[1..] {
                let flag = argument.split('=').next().unwrap();
                let has =
                    help.split(|c: char| c.is_whitespace() || c == '=' || c == '[').any(|word| word == flag);
                assert!(has, "{name}: {flag} is no flag of {}:\n{help}", command[0]);
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "only {checked} flags were found");
}

#[test]
fn every_port_is_the_one_that_is_listened_on() {
    // The ports that the images of others listen on.
    let theirs = [("prom/prometheus", "9090"), ("prom/alertmanager", "9093"), ("grafana/grafana", "3000")];
    for (name, service) in services() {
        for port in texts(&service, "ports") {
            let port = port.rsplit(':').next().unwrap();
            match theirs.iter().find(|(theirs, _)| *theirs == image(&service)) {
                Some((_, listening)) => assert_eq!(&port, listening, "{name}"),
                None => {
                    let address = format!("--web.listen-address=0.0.0.0:{port}");
                    assert!(
                        texts(&service, "command").contains(&address),
                        "{name} does not listen on {port}"
                    );
                }
            }
        }
    }
}

/// Names and ports in the configuration files are those of the services.
#[test]
fn the_files_find_each_other_by_the_names_of_the_services() {
    let mut listening = BTreeMap::new();
    for service in services().values() {
        let aliases = service["networks"].as_object().into_iter().flatten();
        for alias in aliases.flat_map(|(_, network)| texts(network, "aliases")) {
            let port = texts(service, "ports")[0].rsplit(':').next().unwrap().to_owned();
            listening.insert(alias, port);
        }
    }
    let named = [
        ("alerts/prometheus.yml", "exporter"),
        ("alerts/prometheus.yml", "alertmanager"),
        ("alerts/alertmanager.yml", "notifications"),
        ("docker-compose.yml", "prometheus"),
        ("dashboards/provisioning/datasources/tiktok.yml", "prometheus"),
        ("dashboards/provisioning/datasources/tiktok.yml", "alertmanager"),
    ];
    for (file, service) in named {
        let address = format!("{service}:{}", listening[service]);
        assert!(read(file).contains(&address), "{file} does not name {address}");
    }
}
