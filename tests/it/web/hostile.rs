//! Clients that dawdle, crowd, exaggerate or talk nonsense, each with real sockets and in real time.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tiktok_exporter::web::ReloadRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::{PATIENCE, Raw, exchange, filled_site, with_host};
use crate::support::site::Site;

/// What the server allows for the headers of a request, and for the first one altogether.
const REQUEST: Duration = Duration::from_secs(10);
/// For doing nothing between two requests.
const IDLE: Duration = Duration::from_secs(180);
/// All connections, and those from one address.
const CLIENTS: usize = 512;
const CLIENTS_OF_ONE: usize = 128;
/// All requests at the same time.
const REQUESTS: usize = 256;

/// Sends `beginning`, then `drop` three times a second, and returns what came until the server closed and
/// how long that took.
async fn dawdle(address: SocketAddr, beginning: &str, drop: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let drops = drop.to_owned();
    let dripping = tokio::spawn(async move {
        while !drops.is_empty() && writing.write_all(drops.as_bytes()).await.is_ok() {
            sleep(Duration::from_millis(333)).await;
        }
        // Held, so that it is the server who closes.
        writing
    });
    let mut answer = Vec::new();
    let ended = timeout(IDLE + PATIENCE, reading.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "{beginning:?} and then {drop:?} is waited for for ever");
    dripping.abort();
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

#[tokio::test]
async fn a_client_that_dawdles_is_given_up_and_keeps_nobody_else_waiting() {
    let site = filled_site().await;
    let post = "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n";
    let chunks = "POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let begun = Instant::now();
            assert_eq!(site.page("/-/healthy").await, "tiktok-exporter is healthy.\n");
            slowest = slowest.max(begun.elapsed());
            sleep(Duration::from_millis(100)).await;
        }
        slowest
    };
    let (silent, headers, line, body, chunked, others) = tokio::join!(
        dawdle(site.address, "", ""),
        dawdle(site.address, "GET /metrics HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n"),
        dawdle(site.address, "GET /", "a"),
        dawdle(site.address, post, "x"),
        dawdle(site.address, chunks, "1\r\nx\r\n"),
        others,
    );
    for (what, (answer, took)) in [("nothing", silent), ("headers", headers), ("a request line", line)] {
        assert!(took >= REQUEST && took < REQUEST + PATIENCE, "{what}: given up after {took:?}");
        assert_eq!(answer, "", "{what} is no request that could be answered");
    }
    // Nobody reads the body, so nobody waits for it either.
    for (what, (answer, took)) in [("a body", body), ("a body in chunks", chunked)] {
        assert!(answer.starts_with("HTTP/1.1 403 "), "{what}: {answer:?}");
        assert!(took < REQUEST + PATIENCE, "{what}: given up after {took:?}");
    }
    assert!(others < REQUEST, "somebody else waited {others:?}");
}

/// Three minutes of waiting; the same is tested under a paused clock beside the guard.
#[tokio::test]
#[ignore = "takes three minutes"]
async fn a_client_that_does_nothing_after_a_request_is_left_after_three_minutes() {
    let site = filled_site().await;
    let request = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
    let (answer, took) = dawdle(site.address, request, "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(took >= IDLE && took < IDLE + PATIENCE, "{took:?}");
}

#[tokio::test]
async fn a_body_that_nobody_needs_is_not_waited_for() {
    let site = filled_site().await;
    for length in ["65537", "10000000000", "9223372036854775807"] {
        let request = format!(
            "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(site.address, &request).await;
        assert!(answer.status.starts_with("HTTP/1.1 413 "), "{length}: {}", answer.status);
    }
    let page = site.page("/metrics").await;
    assert!(page.contains("tiktok_exporter_web_refused_total{reason=\"too_large\"} 3\n"), "{page}");
}

/// A connection from another address of this machine.
async fn connect_from(own: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(own.parse().unwrap(), 0)).unwrap();
    socket.connect(address).await.unwrap_or_else(|error| panic!("from {own}: {error}"))
}

/// Both ends of hundreds of connections are in this process.
fn raise_the_limit_of_open_files() {
    let pid = std::process::id().to_string();
    let raised =
        std::process::Command::new("prlimit").args(["--pid", &pid, "--nofile=4096:"]).status().unwrap();
    assert!(raised.success(), "the limit of open files cannot be raised");
}

async fn metrics(site: &Site) -> Raw {
    exchange(site.address, &with_host("GET", "/metrics", "localhost")).await
}

fn is_told_to_come_back(answer: &Raw) {
    assert!(answer.status.starts_with("HTTP/1.1 503 "), "{}", answer.status);
    assert_eq!(answer.headers["retry-after"], "5");
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string());
}

#[tokio::test]
async fn clients_too_many_are_told_to_come_back_and_one_alone_keeps_nobody_out() {
    let site = filled_site().await;
    raise_the_limit_of_open_files();
    let mut held = Vec::new();
    for stranger in 2..2 + CLIENTS / CLIENTS_OF_ONE {
        let own = format!("127.0.0.{stranger}");
        // The last place is the test's own.
        let before = metrics(&site).await;
        assert!(before.status.starts_with("HTTP/1.1 200 "), "before {own}: {}", before.status);
        for _ in 0..CLIENTS_OF_ONE {
            held.push(connect_from(&own, site.address).await);
        }
        let mut answer = String::new();
        let mut stream = connect_from(&own, site.address).await;
        stream.write_all(with_host("GET", "/metrics", "localhost").as_bytes()).await.unwrap();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "one more from {own}: {answer}");
    }
    is_told_to_come_back(&metrics(&site).await);
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = metrics(&site).await;
        if answer.status.starts_with("HTTP/1.1 200 ") {
            // One more from each stranger, and the one who found all places taken.
            let counted = "tiktok_exporter_web_refused_total{reason=\"too_many_clients\"} ";
            let count = answer.body.lines().find_map(|line| line.strip_prefix(counted)).unwrap();
            assert!(count.parse::<usize>().unwrap() > CLIENTS / CLIENTS_OF_ONE, "{count}");
            return;
        }
        assert!(Instant::now() < deadline, "no place gets free: {}", answer.status);
    }
}

#[tokio::test]
async fn requests_too_many_are_told_to_come_back_and_counted() {
    // Whoever reloads takes his time, so that requests stay under way.
    let (reload, wishes) = mpsc::channel::<ReloadRequest>(CLIENTS);
    let site = Site::start(Some(reload)).await;
    raise_the_limit_of_open_files();
    let mut held = Vec::new();
    for number in 0..REQUESTS {
        let own = format!("127.0.0.{}", 2 + number / CLIENTS_OF_ONE);
        let mut stream = connect_from(&own, site.address).await;
        stream.write_all(with_host("POST", "/-/reload", "localhost").as_bytes()).await.unwrap();
        held.push(stream);
    }
    let deadline = Instant::now() + PATIENCE;
    while wishes.len() < REQUESTS {
        assert!(Instant::now() < deadline, "{} requests are under way", wishes.len());
        sleep(Duration::from_millis(10)).await;
    }
    is_told_to_come_back(&metrics(&site).await);
    is_told_to_come_back(&exchange(site.address, &with_host("POST", "/-/reload", "localhost")).await);
    assert_eq!(wishes.len(), REQUESTS, "more than there are places for");
    drop(wishes);
    for mut stream in held {
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    let after = metrics(&site).await;
    assert!(after.body.contains("tiktok_exporter_web_refused_total{reason=\"too_many_requests\"} 2\n"));
}

/// A request for the metrics by a user with a password.
fn asked_by(user: &str, password: &str) -> String {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\
         Connection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn strangers_whose_passwords_are_being_checked_take_no_place_from_those_who_are_known() {
    // A check takes a good part of a second, and half of the processors do one each.
    const COST: u32 = 12;
    raise_the_limit_of_open_files();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("web.yml");
    let hash = bcrypt::hash("right", COST).unwrap();
    std::fs::write(&config, format!("basic_auth_users:\n  prometheus: {hash}\n")).unwrap();
    let site = Site::guarded(&config).await;
    let known = asked_by("prometheus", "right");
    assert!(exchange(site.address, &known).await.status.starts_with("HTTP/1.1 200 "));

    let mut strangers = Vec::new();
    for number in 0..3 * CLIENTS_OF_ONE {
        let own = format!("127.0.0.{}", 2 + number / CLIENTS_OF_ONE);
        let mut stream = connect_from(&own, site.address).await;
        stream.write_all(asked_by("prometheus", "wrong").as_bytes()).await.unwrap();
        strangers.push(stream);
    }
    // They were heard before, and wait: ten seconds for their turn, and most in vain.
    for _ in 0..3 {
        let answer = exchange(site.address, &known).await;
        assert!(answer.status.starts_with("HTTP/1.1 200 "), "{}", answer.status);
    }
}

#[tokio::test]
async fn nonsense_is_refused_and_the_server_lives_on() {
    let site = filled_site().await;
    let long = "x".repeat(1 << 20);
    let headers = (0..1_000).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    for request in [
        "\r\n\r\nnonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\n: no name\r\n\r\n",
        "POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &format!("GET / HTTP/1.1\r\n{headers}\r\n"),
        &format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", &long[..200_000]),
        &format!("GET /{long} HTTP/1.1\r\n\r\n"),
        &format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n"),
        &format!("{long}\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        // The server may hang up before all of it is sent, which is an answer too.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        let start: String = request.chars().take(70).collect();
        assert!(ended.is_ok(), "{start:?}: no end of the answer {answer:?}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{start:?}: {answer:?}");
    }
    // As many headers as an honest client may have.
    let honest = format!("GET /-/healthy HTTP/1.1\r\nX: {}\r\nConnection: close\r\n\r\n", &long[..30_000]);
    assert!(exchange(site.address, &honest).await.status.starts_with("HTTP/1.1 200 "));
}
