//! The Dockerfile, as far as it can be judged without building it.

use super::file::{services, texts};
use super::{exporter, read, succeed};

/// The instructions of the Dockerfile, continued lines joined.
fn instructions() -> Vec<String> {
    let text = read("Dockerfile").replace("\\\n", " ");
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The instructions of one stage.
fn stage(name: &str) -> Vec<String> {
    let suffix = format!(" AS {name}");
    let all = instructions();
    let start = all.iter().position(|line| line.starts_with("FROM ") && line.ends_with(&suffix));
    let start = start.unwrap_or_else(|| panic!("no stage {name}"));
    let rest = &all[start + 1..];
    let end = rest.iter().position(|line| line.starts_with("FROM ")).unwrap_or(rest.len());
    all[start..=start + end].to_vec()
}

#[test]
fn the_image_is_the_program_alone_and_runs_as_nobody() {
    let exporter_stage = stage("exporter");
    assert_eq!(exporter_stage[0], "FROM scratch AS exporter");
    assert!(exporter_stage.iter().any(|line| line == "USER 65532:65532"), "{exporter_stage:?}");
    assert!(exporter_stage.iter().all(|line| !line.starts_with("RUN ")), "there is no shell in it");
    let health = exporter_stage.iter().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    assert!(health.ends_with(r#"CMD ["/tiktok-exporter", "health"]"#), "{health}");
    // Without a target the last one is built.
    assert_eq!(instructions().iter().rfind(|line| line.starts_with("FROM ")), Some(&exporter_stage[0]));
}

#[test]
fn what_compose_says_of_an_image_fits_what_is_built() {
    for (name, service) in services() {
        let Some(target) = service["build"]["target"].as_str() else { continue };
        let user = format!("USER {}", service["user"].as_str().unwrap());
        assert!(stage(target).contains(&user), "{name}: the image of {target} runs as another user");
    }
    // The history is made by the version of Prometheus that reads it.
    let image = services()["demo-prometheus"]["image"].as_str().unwrap().to_owned();
    assert_eq!(stage("history")[0], format!("FROM {image} AS history"));
    assert_eq!(texts(&services()["demo-history"], "entrypoint"), ["/bin/sh", "/history.sh"]);
}

#[test]
fn dependencies_have_a_layer_of_their_own_and_nothing_private_is_sent() {
    let build = stage("build");
    let at = |start: &str| build.iter().position(|line| line.starts_with(start)).unwrap();
    let first_build = build.iter().position(|line| line.contains("cargo build")).unwrap();
    assert!(at("COPY Cargo.toml Cargo.lock") < first_build && first_build < at("COPY src src"));
    assert!(build.iter().filter(|line| line.contains("cargo build")).all(|line| line.contains("--locked")));
    // The Rust that Cargo.toml asks for, or a later one.
    let asked = read("Cargo.toml");
    let asked = asked.lines().find_map(|line| line.strip_prefix("rust-version = \"1.")).unwrap();
    let asked: u32 = asked.trim_end_matches('"').parse().unwrap();
    let used: u32 =
        build[0].strip_prefix("FROM rust:1.").unwrap().split('-').next().unwrap().parse().unwrap();
    assert!(used >= asked, "{} is older than the Rust that Cargo.toml asks for", build[0]);

    let lines: Vec<String> = read(".dockerignore").lines().map(str::to_owned).collect();
    let rules: Vec<&String> = lines.iter().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(rules, ["*", "!.cargo", "!Cargo.toml", "!Cargo.lock", "!src", "!crates", "!docs/runbooks"]);
    assert!(at("COPY docs/runbooks docs/runbooks") < at("COPY src src"), "{build:?}");
    assert!(at("COPY crates crates") < first_build, "{build:?}");
    // Nothing outside of src and crates is compiled in, but for the runbooks.
    let outside = std::process::Command::new("grep")
        .args([
            "-rnE",
            r#"include_(str|bytes)!\((concat!\()?"(\.\./)+(alerts|dashboards|docs|deploy|tests|README|tiktok)"#,
        ])
        .args([super::project().join("src"), super::project().join("crates")])
        .output()
        .unwrap();
    let outside = String::from_utf8(outside.stdout).unwrap();
    // The README of a crate is in its folder.
    let is_sent = |line: &&str| line.contains("/docs/runbooks/\"") || line.contains("src/lib.rs:1:");
    let missing: Vec<&str> = outside.lines().filter(|line| !is_sent(line)).collect();
    assert_eq!(missing, [""; 0], "the image is built without these");
}

/// Cargo refuses a manifest that names a target whose file is not there, and not all files are sent.
#[test]
fn what_is_sent_is_all_that_cargo_asks_for() {
    let context = tempfile::tempdir().unwrap();
    for file in ["Cargo.toml", "Cargo.lock"] {
        std::fs::copy(super::project().join(file), context.path().join(file)).unwrap();
    }
    succeed(
        std::process::Command::new("cp").arg("-r").arg(super::project().join("crates")).arg(context.path()),
    );
    let build = stage("build");
    let prepare = build.iter().find(|line| line.contains("src/main.rs")).unwrap();
    let prepare = prepare.strip_prefix("RUN ").unwrap().split("&& cargo build").next().unwrap();
    succeed(std::process::Command::new("sh").arg("-euc").arg(prepare).current_dir(context.path()));
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = std::process::Command::new(std::env::var("CARGO").unwrap_or("cargo".to_owned()));
    succeed(cargo.args(["fetch", "--locked", "--offline", "--target", &target]).current_dir(context.path()));
}

#[test]
fn the_health_check_tells_well_from_ill() {
    let running =
        crate::support::process::Process::start(&["notifications", "--web.listen-address", "127.0.0.1:0"]);
    let ask = |url: &str| {
        let output = exporter().args(["health", "--timeout", "20s", "--url", url]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let healthy = format!("{}/-/healthy", running.url());
    assert_eq!(ask(&healthy), (Some(0), String::new()));
    let missing = format!("{}/-/nothing/here", running.url());
    assert_eq!(ask(&missing), (Some(1), format!("{missing}: responded with status 404 Not Found\n")));
    running.kill();
    let (code, reason) = ask(&healthy);
    assert_eq!(code, Some(1));
    assert!(reason.starts_with(&format!("{healthy}: Connection refused")), "{reason}");
    assert_eq!(ask("file:///etc/passwd").0, Some(64));
    // The address that it asks unless told otherwise is the one that is listened on.
    for (command, address) in [("health", "http://127.0.0.1:10110/"), ("notifications", "127.0.0.1:10112]")] {
        let help = succeed(exporter().args([command, "--help"]));
        assert!(help.contains(&format!("[default: {address}")), "{command} has another default:\n{help}");
    }
}
