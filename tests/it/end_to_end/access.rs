//! TLS, passwords and client certificates, with the clients that people have: curl and Prometheus.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use units::{Clock, SystemClock};

use crate::support::certificates::{Authority, write_secret};
use crate::support::process::{Metrics, Process};
use crate::support::prometheus::Prometheus;

const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct horse battery";
const WRONG: &str = "incorrect zebra";

/// An answer to curl.
#[derive(Debug)]
struct Answer {
    /// 0 without one.
    status: u32,
    version: String,
    /// Headers in lower case, then the body.
    text: String,
}

/// Runs curl in `directory`, which has the files that the options name.
fn curl(directory: &Path, options: &[&str], url: &str) -> Answer {
    let output = Command::new("curl")
        .current_dir(directory)
        .args(["--silent", "--include", "--noproxy", "*", "--max-time", "60", "--write-out"])
        .arg("\n%{http_code} %{http_version}")
        .args(options)
        .arg(url)
        .output()
        .unwrap_or_else(|error| panic!("cannot run curl: {error}; ./tests/run installs what is missing"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, end) = text.rsplit_once('\n').unwrap();
    let (status, version) = end.split_once(' ').unwrap();
    Answer { status: status.parse().unwrap(), version: version.to_owned(), text: text.to_owned() }
}

/// The demo with the web configuration `web.yml` of `directory`.
fn demo(directory: &Path, flags: &[&str]) -> Process {
    let config = directory.join("web.yml").display().to_string();
    let demo = ["demo", "--web.listen-address", "127.0.0.1:0", "--web.config.file", &config];
    Process::start(&[&["--log.level", "trace"], &demo[..], flags].concat())
}

fn hash(password: &str) -> String {
    bcrypt::hash(password, 5).unwrap()
}

/// How often somebody was refused for this reason.
fn refused(metrics: &str, reason: &str) -> f64 {
    Metrics::parse(metrics).value(&format!("tiktok_exporter_web_refused_total{{reason=\"{reason}\"}}"))
}

/// The part of an answer after its headers.
fn body(answer: &Answer) -> &str {
    answer.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn without_the_password_nothing_is_to_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let authority = Authority::new();
    authority.write(&directory.join("ca.pem"));
    authority.server(directory, "server");
    let hash = hash(PASSWORD);
    let config = format!(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n\
         http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=600\n    X-Frame-Options: deny\n\
         basic_auth_users:\n  prometheus: {hash}\n"
    );
    write_secret(&directory.join("web.yml"), &config);
    let exporter = demo(directory, &["--web.enable-lifecycle"]);
    let url = exporter.url().to_owned();
    assert!(url.starts_with("https://"), "{url}");
    let right = format!("prometheus:{PASSWORD}");
    let wrong = format!("prometheus:{WRONG}");
    let stranger = format!("mallory:{PASSWORD}");
    let trusting = ["--cacert", "ca.pem"];
    let ask = |options: &[&str], path: &str| {
        curl(directory, &[&trusting, options].concat(), &format!("{url}{path}"))
    };

    let before = ask(&["--user", &right], "/metrics");
    assert_eq!((before.status, before.version.as_str()), (200, "2"), "{}", before.text);
    let old = ask(&["--user", &right, "--http1.1", "--tls-max", "1.2"], "/metrics");
    assert_eq!((old.status, old.version.as_str()), (200, "1.1"));
    for header in
        ["strict-transport-security: max-age=600", "x-frame-options: deny", "x-content-type-options: nosniff"]
    {
        assert!(before.text.contains(header), "{header} is missing: {}", before.text);
    }

    for (options, path, status, reason) in [
        (&[][..], "/metrics", 401, "no_credentials"),
        (&[], "/", 401, "no_credentials"),
        (&[], "/-/healthy", 401, "no_credentials"),
        (&[], "/nowhere", 401, "no_credentials"),
        (&["--request", "POST"], "/-/reload", 401, "no_credentials"),
        (&["--user", &wrong], "/metrics", 401, "wrong_credentials"),
        (&["--user", &wrong, "--http1.1"], "/metrics", 401, "wrong_credentials"),
        (&["--user", &stranger], "/metrics", 401, "wrong_credentials"),
        (&["--user", "prometheus:"], "/metrics", 401, "wrong_credentials"),
        (&["--header", "Authorization: Bearer abc"], "/metrics", 401, "wrong_credentials"),
        (&["--user", &wrong, "--request", "PUT"], "/-/reload", 401, "wrong_credentials"),
        (
            &["--user", &right, "--request", "POST", "--header", "Origin: https://evil.example"],
            "/-/reload",
            403,
            "cross_site",
        ),
    ] {
        let count = || refused(body(&ask(&["--user", &right], "/metrics")), reason);
        let so_far = count();
        let answer = ask(options, path);
        assert_eq!(answer.status, status, "{options:?} {path}: {}", answer.text);
        assert_eq!(count(), so_far + 1.0, "{options:?} {path} is not counted as {reason}");
        if status == 401 {
            assert_eq!(body(&answer), "Unauthorized\n", "{options:?} {path}");
            assert!(answer.text.to_lowercase().contains("www-authenticate: basic"), "{}", answer.text);
        }
    }
    assert_eq!(ask(&["--user", &right, "--request", "POST"], "/-/reload").status, 200);

    // Who does not speak TLS, or not with us.
    let plain = curl(directory, &[], &url.replace("https://", "http://"));
    assert_eq!(plain.status, 400);
    assert_eq!(body(&plain), "This port speaks HTTPS, not HTTP.\n");
    let distrusting = curl(directory, &["--user", &right], &url);
    assert_eq!(distrusting.status, 0, "curl trusts anybody: {distrusting:?}");
    let after = ask(&["--user", &right], "/metrics");
    for reason in ["plain_http", "tls_handshake"] {
        assert_eq!(refused(body(&after), reason), 1.0, "{reason}");
    }

    let (_, log) = exporter.terminate();
    assert!(log.contains("DEBUG"), "the log is not as detailed as it can be");
    let key = fs::read_to_string(directory.join("server.key")).unwrap();
    let encoded =
        Command::new("sh").args(["-c", &format!("printf '%s' '{right}' | base64")]).output().unwrap();
    let encoded = String::from_utf8(encoded.stdout).unwrap();
    for secret in [PASSWORD, WRONG, &hash, key.lines().nth(1).unwrap(), encoded.trim()] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
}

#[test]
fn only_clients_of_the_authority_come_in_and_only_in_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let (authority, foreign) = (Authority::new(), Authority::new());
    authority.write(&directory.join("ca.pem"));
    authority.server(directory, "server");
    authority.client(directory, "good", "prometheus.example");
    authority.client_with_uri(directory, "uri", "spiffe://example/prometheus");
    authority.client(directory, "other", "other.example");
    authority.expired_client(directory, "expired", "prometheus.example");
    foreign.client(directory, "foreign", "prometheus.example");
    let config = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n\
        \x20 client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n\
        \x20 client_allowed_sans: [prometheus.example, 'spiffe://example/prometheus']\n";
    write_secret(&directory.join("web.yml"), config);
    let exporter = demo(directory, &[]);
    let url = format!("{}/metrics", exporter.url());
    let ask = |name: &str, version: &str| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        let own = ["--cert", &certificate, "--key", &key];
        let own = if name.is_empty() { &[][..] } else { &own };
        curl(directory, &[&["--cacert", "ca.pem", "--tls-max", version], own].concat(), &url)
    };
    for version in ["1.2", "1.3"] {
        for name in ["good", "uri"] {
            let answer = ask(name, version);
            assert_eq!(answer.status, 200, "{name}, TLS {version}: {answer:?}");
            assert!(answer.text.contains("tiktok_exporter_build_info"));
        }
        for name in ["", "expired", "foreign", "other"] {
            let count = || refused(body(&ask("good", "1.3")), "client_certificate");
            let before = count();
            let answer = ask(name, version);
            assert_eq!((answer.status, answer.text.as_str()), (0, ""), "{name}, TLS {version}");
            let started = Instant::now();
            // Counted when the server has noticed, which may be after the client has given up.
            while count() != before + 1.0 {
                assert!(started.elapsed() < PATIENCE, "{name}, TLS {version}, is not counted");
            }
        }
    }
}

#[test]
fn prometheus_scrapes_over_tls_with_its_password_and_not_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let authority = Authority::new();
    authority.write(&directory.join("ca.pem"));
    authority.server(directory, "server");
    authority.client(directory, "client", "prometheus.example");
    let config = format!(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  min_version: TLS13\n\
         \x20 client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n\
         basic_auth_users:\n  prometheus: {}\n",
        hash(PASSWORD)
    );
    write_secret(&directory.join("web.yml"), &config);
    let exporter = demo(directory, &[]);
    let target = exporter.url().trim_start_matches("https://").to_owned();
    let file = |name: &str| directory.join(name).display().to_string();
    let job = |name: &str, password: &str, certificate: bool| {
        let mut tls = json!({"ca_file": file("ca.pem")});
        if certificate {
            tls["cert_file"] = json!(file("client.pem"));
            tls["key_file"] = json!(file("client.key"));
        }
        json!({
            "job_name": name, "scheme": "https", "scrape_interval": "1s", "tls_config": tls,
            "basic_auth": {"username": "prometheus", "password": password},
            "static_configs": [{"targets": [target]}],
        })
    };
    let jobs = [job("right", PASSWORD, true), job("wrong", WRONG, true), job("uncertified", PASSWORD, false)];
    let data = directory.join("data");
    fs::create_dir(&data).unwrap();
    let prometheus = Prometheus::start(&data, &json!({"scrape_configs": jobs}));
    let up = |job: &str| {
        let now = SystemClock.now().as_secs();
        let series = prometheus.instant(&format!("up{{job=\"{job}\"}}"), now).unwrap();
        series.first().map(|series| series.points[0].1)
    };
    let started = Instant::now();
    let want = [Some(1.0), Some(0.0), Some(0.0)];
    while ["right", "wrong", "uncertified"].map(up) != want {
        let got = ["right", "wrong", "uncertified"].map(up);
        assert!(started.elapsed() < PATIENCE, "up is {got:?}\n{}", exporter.output());
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_changed_file_holds_at_once_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    let (first, second) = (Authority::new(), Authority::new());
    first.write(&directory.join("first.pem"));
    second.write(&directory.join("second.pem"));
    first.server(directory, "server");
    let tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    let with_user = |user: &str| {
        let config = format!("{tls}basic_auth_users:\n  {user}: {}\n", hash(PASSWORD));
        write_secret(&directory.join("web.yml"), &config);
    };
    with_user("alice");
    let exporter = demo(directory, &[]);
    let url = format!("{}/metrics", exporter.url());
    let status = |authority: &str, user: &str| {
        curl(directory, &["--cacert", authority, "--user", &format!("{user}:{PASSWORD}")], &url).status
    };
    let becomes = |what: &str, condition: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !condition() {
            assert!(started.elapsed() < PATIENCE, "never: {what}\n{}", exporter.output());
            thread::sleep(Duration::from_millis(100));
        }
    };
    let in_force = || {
        let page = curl(directory, &["--cacert", "first.pem", "--user", &format!("bob:{PASSWORD}")], &url);
        Metrics::parse(body(&page)).value("tiktok_exporter_web_config_last_reload_successful")
    };
    assert_eq!((status("first.pem", "alice"), status("first.pem", "bob")), (200, 401));
    with_user("bob");
    becomes("another user", &|| status("first.pem", "bob") == 200);
    assert_eq!(status("first.pem", "alice"), 401, "the old user still comes in");

    let secret = "hunter2-in-clear";
    let broken = format!("{tls}basic_auth_users:\n  bob: {secret}\n");
    write_secret(&directory.join("web.yml"), &broken);
    becomes("the broken file is noticed", &|| in_force() == 0.0);
    exporter.wait_for_output("basic_auth_users.bob: is not a bcrypt hash");
    assert!(!exporter.output().contains(secret), "the log shows what is in the file");
    assert_eq!(status("first.pem", "bob"), 200, "what was in force is no longer");
    with_user("bob");
    becomes("the mended file is noticed", &|| in_force() == 1.0);
    // A file that is just being written.
    for half in ["", tls] {
        write_secret(&directory.join("web.yml"), half);
        becomes("half a file is noticed", &|| in_force() == 0.0);
        assert_eq!(
            (status("first.pem", "bob"), status("first.pem", "alice")),
            (200, 401),
            "{half:?} opens the door"
        );
        with_user("bob");
        becomes("the whole file is noticed", &|| in_force() == 1.0);
    }

    second.server(directory, "server");
    becomes("another certificate", &|| status("second.pem", "bob") == 200);
    assert_eq!(status("first.pem", "bob"), 0, "the old certificate is still shown");
}

#[test]
fn what_is_wrong_with_the_file_is_said_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    Authority::new().server(directory, "server");
    let web = directory.join("web.yml");
    let toml = directory.join("exporter.toml");
    fs::write(&toml, "[[watch]]\nhashtags = [\"booktok\"]\n").unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
            .args(args)
            .args(["--web.config.file", &web.display().to_string()])
            .env("TIKLIVE_API_KEY", "abc")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let check = ["check", "--config.file", &toml.display().to_string()];
    write_secret(
        &web,
        "tls_server_config:\n  cert_file: server.pem\n  key: x\nbasic_auth_users:\n  bob: hunter2\n",
    );
    for args in [&check[..], &["demo", "--web.listen-address", "127.0.0.1:0"]] {
        let (code, _, err) = run(args);
        assert_eq!(code, Some(78), "{args:?}: {err}");
        for line in
            ["basic_auth_users.bob: is not a bcrypt hash", "tls_server_config.key_file: holds no private key"]
        {
            assert!(err.contains(line), "{args:?} does not say {line}: {err}");
        }
        assert!(!err.contains("hunter2"), "{err}");
    }
    write_secret(
        &web,
        &format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\nbasic_auth_users:\n  bob: {}\n",
            hash("x")
        ),
    );
    let (code, out, err) = run(&check);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let fact =
        format!("access               TLS 1.3 and 1.2, for one user with a password ({})", web.display());
    assert!(out.contains(&fact), "{out}");
}
