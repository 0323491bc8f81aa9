//! What the exporter answers over HTTP: statuses, headers, and what it does not let happen.

mod hostile;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use tiktok_exporter::web::ReloadRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::site::Site;
use crate::support::snapshot::{NOW, known, publish, unknown};

/// How long an answer may take that should come at once, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer as it came over the wire.
struct Raw {
    status: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Sends these bytes and reads until the server closes. For what no HTTP client would send, and
/// to see what it would not show: bytes after the headers of an answer to HEAD.
async fn exchange(address: SocketAddr, request: &str) -> Raw {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.unwrap_or_else(|_| panic!("no end of the answer to {request:?}: {answer:?}")).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no headers: {answer:?}"));
    let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
    let header =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Raw {
        status: status.to_owned(),
        headers: headers.lines().filter_map(header).collect(),
        body: body.to_owned(),
    }
}

fn with_host(method: &str, path: &str, host: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// The pages that answer GET once the first snapshot stands.
const PAGES: [&str; 11] = [
    "/",
    "/brief",
    "/brief.md",
    "/brief.json",
    "/brief.css",
    "/api/v1/trends",
    "/metrics",
    "/runbooks",
    "/runbooks/TikTokWatchdog",
    "/-/healthy",
    "/-/ready",
];

async fn filled_site() -> Site {
    let site = Site::start(None).await;
    publish(&site.state, [known("booktok", "books", &["GB", "US"], 12_345, NOW)]);
    site.prints(|page| page.contains("booktok")).await;
    site.readiness.set();
    site
}

#[tokio::test]
async fn every_page_says_of_which_type_it_is() {
    let site = filled_site().await;
    for (path, media_type, text) in [
        ("/", "text/html; charset=utf-8", "booktok"),
        (
            "/metrics",
            "text/plain; version=0.0.4; charset=utf-8",
            "\ntiktok_hashtag_views{hashtag=\"booktok\"} 12345\n",
        ),
        ("/metrics?name%5B%5D=up", "text/plain; version=0.0.4; charset=utf-8", "tiktok_hashtag_views"),
        ("/brief?group=books", "text/html; charset=utf-8", "booktok"),
        ("/brief.md", "text/markdown; charset=utf-8", "\n## 1. \\#booktok (GB)\n"),
        ("/brief.json?region=US", "application/json", "\"hashtag\":\"booktok\""),
        ("/brief.css", "text/css; charset=utf-8", "article{"),
        ("/api/v1/trends", "application/json", "\"signals\":[\"heating_up\"]"),
        ("/runbooks", "text/html; charset=utf-8", "href=\"/runbooks/TikTokWatchdog\""),
        ("/-/healthy", "text/plain; charset=utf-8", "tiktok-exporter is healthy.\n"),
        ("/-/ready", "text/plain; charset=utf-8", "tiktok-exporter is ready.\n"),
    ] {
        let response = site.request(Method::GET, path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], media_type, "{path}");
        let body = response.text().await.unwrap();
        assert!(body.contains(text), "{path} lacks {text:?}: {body}");
    }
}

#[tokio::test]
async fn every_runbook_is_a_page_under_its_name_and_that_of_its_file() {
    let site = filled_site().await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let list = site.request(Method::GET, "/runbooks").await.text().await.unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let alert = file.strip_suffix(".md").unwrap();
        assert!(list.contains(&format!("/runbooks/{alert}\"")), "the list lacks {alert}");
        for path in [format!("/runbooks/{alert}"), format!("/runbooks/{file}")] {
            let response = site.request(Method::GET, &path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{path}");
            let body = response.text().await.unwrap();
            for part in [&format!("<h1>{alert}</h1>"), "<h2>Meaning</h2>", "<h2>Mitigation</h2>"] {
                assert!(body.contains(part), "{path} lacks {part}: {body}");
            }
        }
    }
    for path in ["/runbooks/TikTok", "/runbooks/TikTokWatchdog.md.md", "/runbooks/..%2Frules.md"] {
        let response = site.request(Method::GET, path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.text().await.unwrap(), "There is no alert with this name; see /runbooks.\n");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let site = filled_site().await;
    for path in PAGES {
        let get = exchange(site.address, &with_host("GET", path, "localhost")).await;
        let head = exchange(site.address, &with_host("HEAD", path, "localhost")).await;
        assert_eq!(get.headers["content-length"], get.body.len().to_string(), "{path}");
        assert_ne!(get.body, "", "{path}");
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.status, get.status, "{path}");
        let lasting = |raw: &Raw| {
            let mut headers = raw.headers.clone();
            headers.remove("date");
            // Memory and processor time change, and with them the number of their digits.
            if path == "/metrics" {
                headers.insert("content-length".to_owned(), String::new());
            }
            headers
        };
        assert_eq!(lasting(&head), lasting(&get), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let site = filled_site().await;
    for path in [
        "/metrics/",
        "/metric",
        "/brief/",
        "/api/v1",
        "/api/v1/trend",
        "/METRICS",
        "//",
        "/-/",
        "/-/healthy/",
        "/-/quit",
        "/favicon.ico",
        "/%2e%2e/etc/passwd",
        "/../../etc/passwd",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        // As it stands: a client would tidy some of these up.
        let answer = exchange(site.address, &with_host("GET", path, "localhost")).await;
        assert!(answer.status.starts_with("HTTP/1.1 404 "), "{path}: {}", answer.status);
        assert_eq!(answer.body, "Not found. Try / or /metrics.\n", "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_page_does_not_know_is_refused_with_those_it_does() {
    // Nobody reloads, so that a request that gets through fails at once.
    let (reload, _) = mpsc::channel(1);
    let site = Site::start(Some(reload)).await;
    for (path, methods, allowed) in [
        ("/", ["POST", "PUT", "DELETE"], "GET,HEAD"),
        ("/metrics", ["POST", "PATCH", "DELETE"], "GET,HEAD"),
        ("/brief", ["POST", "PUT", "DELETE"], "GET,HEAD"),
        ("/api/v1/trends", ["POST", "PUT", "DELETE"], "GET,HEAD"),
        ("/-/healthy", ["POST", "PUT", "OPTIONS"], "GET,HEAD"),
        ("/-/ready", ["POST", "PUT", "DELETE"], "GET,HEAD"),
        ("/-/reload", ["GET", "HEAD", "DELETE"], "POST,PUT"),
    ] {
        for method in methods {
            let response = site.request(method.parse().unwrap(), path).await;
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_server_is_healthy_before_it_is_ready_and_ready_for_good() {
    let site = Site::start(None).await;
    let ready = async || {
        let response = site.request(Method::GET, "/-/ready").await;
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(site.page("/-/healthy").await, "tiktok-exporter is healthy.\n");
    assert_eq!(ready().await, (503, "tiktok-exporter is starting.\n".to_owned()));
    assert_eq!(ready().await.0, 503, "asking does not make it ready");
    site.readiness.set();
    assert_eq!(ready().await, (200, "tiktok-exporter is ready.\n".to_owned()));
    publish(&site.state, []);
    assert_eq!(ready().await.0, 200, "an empty snapshot is a snapshot");
}

#[tokio::test]
async fn reloading_over_http_is_off_unless_enabled() {
    let site = Site::start(None).await;
    for method in [Method::POST, Method::PUT] {
        let response = site.request(method.clone(), "/-/reload").await;
        assert_eq!(response.status(), 403, "{method}");
        let text = response.text().await.unwrap();
        assert!(text.contains("--web.enable-lifecycle"), "{method}: {text}");
    }
}

#[tokio::test]
async fn a_reload_is_answered_with_how_it_went() {
    let (reload, mut requests) = mpsc::channel::<ReloadRequest>(1);
    let site = Site::start(Some(reload)).await;
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(answer) = requests.recv().await {
            let results = [Ok(()), Err("watch: is <missing>\napi: is odd".to_owned()), Ok(())];
            answer.send(results[number].clone()).unwrap();
            number += 1;
        }
    });
    for (method, status, text) in [
        (Method::POST, 200, "Reloaded.\n"),
        (Method::PUT, 500, "The old configuration stays in force:\nwatch: is <missing>\napi: is odd\n"),
        (Method::PUT, 200, "Reloaded.\n"),
    ] {
        let response = site.request(method.clone(), "/-/reload").await;
        assert_eq!(response.status(), status, "{method}");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8", "{method}");
        assert_eq!(response.text().await.unwrap(), text, "{method}");
    }
}

#[tokio::test]
async fn a_reload_that_nobody_answers_any_more_is_a_failure() {
    let (reload, mut requests) = mpsc::channel::<ReloadRequest>(1);
    let site = Site::start(Some(reload)).await;
    let (response, ()) = tokio::join!(site.request(Method::POST, "/-/reload"), async {
        drop(requests.recv().await);
        drop(requests);
    });
    for (note, response) in
        [("dropped", response), ("nobody there", site.request(Method::POST, "/-/reload").await)]
    {
        assert_eq!(response.status(), 500, "{note}");
        let text = response.text().await.unwrap();
        assert!(text.contains("the program is stopping"), "{note}: {text}");
    }
}

#[tokio::test]
async fn the_name_by_which_the_server_is_called_changes_nothing() {
    let site = filled_site().await;
    for path in ["/", "/-/healthy", "/-/ready", "/nowhere"] {
        let want = exchange(site.address, &with_host("GET", path, &site.address.to_string())).await;
        let long = "x".repeat(5_000);
        for request in [
            with_host("GET", path, "evil.example"),
            with_host("GET", path, "\"><script>alert(1)</script>"),
            with_host("GET", path, &long),
            with_host("GET", path, "a\r\nHost: b\r\nX-Forwarded-Host: evil.example"),
            with_host("GET", &format!("http://evil.example{path}"), "localhost"),
            format!("GET {path} HTTP/1.0\r\n\r\n"),
        ] {
            let got = exchange(site.address, &request).await;
            assert_eq!(got.body, want.body, "{request:?}");
            assert_eq!(got.headers.get("location"), None, "{request:?}");
        }
    }
}

#[tokio::test]
async fn every_answer_forbids_what_nobody_needs() {
    let site = filled_site().await;
    let answers = PAGES.map(|path| ("GET", path)).into_iter();
    for (method, path) in answers.chain([("GET", "/nowhere"), ("DELETE", "/metrics"), ("POST", "/-/reload")])
    {
        let response = site.request(method.parse().unwrap(), path).await;
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{method} {path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{method} {path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{method} {path}: {policy}");
    }
}

#[tokio::test]
async fn a_web_page_cannot_make_anything_happen_by_whatever_name_it_comes() {
    let (reload, mut requests) = mpsc::channel::<ReloadRequest>(1);
    let site = Site::start(Some(reload)).await;
    let own = site.address.to_string();
    // The second is a page that made its own name lead here: to the browser it is the same site.
    for (host, headers) in [
        (own.as_str(), "Origin: https://evil.example"),
        ("evil.example", "Origin: http://evil.example"),
        (&own, &format!("Origin: http://{own}")),
        (&own, "Origin: null"),
        (&own, "Sec-Fetch-Site: cross-site"),
        (&own, "Sec-Fetch-Mode: no-cors"),
    ] {
        for method in ["POST", "PUT"] {
            let request = format!(
                "{method} /-/reload HTTP/1.1\r\nHost: {host}\r\n{headers}\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            let answer = exchange(site.address, &request).await;
            assert!(answer.status.starts_with("HTTP/1.1 403 "), "{request}: {}", answer.status);
        }
    }
    assert!(requests.try_recv().is_err(), "something was reloaded");
    let page = site.page("/metrics").await;
    assert!(page.contains("tiktok_exporter_web_refused_total{reason=\"cross_site\"} 12\n"), "{page}");
    // Reading is free to everybody.
    let read = site.send(Method::GET, "/-/healthy", &[("origin", "https://evil.example")]).await;
    assert_eq!(read.status(), 200);
    assert_eq!(read.headers().get("access-control-allow-origin"), None, "but not to other sites' scripts");
}

#[tokio::test]
async fn a_removed_hashtag_leaves_both_pages_with_the_next_snapshot() {
    let site = filled_site().await;
    publish(&site.state, [unknown("catsof", "cats", &["US"])]);
    let metrics = site.prints(|page| page.contains("catsof")).await;
    for page in [site.page("/").await, metrics] {
        assert!(page.contains("catsof") && !page.contains("booktok"), "{page}");
    }
}

#[tokio::test]
async fn stopping_waits_for_no_idle_or_half_hearted_client() {
    let site = filled_site().await;
    site.page("/-/healthy").await; // The client keeps its connection.
    let mut held = Vec::new();
    for beginning in ["", "G", "GET /-/healthy HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        held.push(stream);
    }
    // Connections are accepted in their order: once this one is served, the others are in.
    exchange(site.address, &with_host("GET", "/-/healthy", "localhost")).await;
    site.stopping.cancel();
    let ended = timeout(PATIENCE, site.serving).await;
    assert!(matches!(ended, Ok(Ok(()))), "the server still waits for its clients: {ended:?}");
}

#[tokio::test]
async fn stopping_lets_a_request_under_way_end() {
    let (reload, mut requests) = mpsc::channel::<ReloadRequest>(1);
    let site = Site::start(Some(reload)).await;
    let (response, ()) = tokio::join!(site.request(Method::POST, "/-/reload"), async {
        let answer = requests.recv().await.unwrap();
        site.stopping.cancel();
        // The server has every chance to end too early.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!site.serving.is_finished(), "the server ended with a request under way");
        answer.send(Ok(())).unwrap();
    });
    assert_eq!(response.text().await.unwrap(), "Reloaded.\n");
    assert!(matches!(site.serving.await, Ok(())));
    assert!(TcpStream::connect(site.address).await.is_err(), "the server still listens");
}
