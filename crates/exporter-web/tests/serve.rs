//! A server over real sockets: TCP and Unix.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Router, routing::get, routing::post};
use exporter_web::{Access, Listener, Observer, PrivateSocket, Refusal, Server, bind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The hash of `secret`.
const USERS: &str = "basic_auth_users:\n  prometheus: $2b$04$HASH\nhttp_server_config:\n  headers:\n    X-Frame-Options: deny\n";

/// Remembers what it was told.
#[derive(Default)]
struct Recorder {
    refusals: Mutex<Vec<Refusal>>,
    reloads: Mutex<Vec<bool>>,
}

impl Observer for Recorder {
    fn refused(&self, reason: Refusal) {
        self.refusals.lock().unwrap().push(reason);
    }

    fn config_reloaded(&self, valid: bool) {
        self.reloads.lock().unwrap().push(valid);
    }
}

fn users() -> String {
    let hash = bcrypt::hash("secret", 4).unwrap();
    USERS.replace("$2b$04$HASH", &hash)
}

fn router() -> Router {
    Router::new().route("/", get(|| async { "hello\n" })).route("/", post(|body: String| async { body }))
}

/// Sends a request with these headers and returns the whole response.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    headers: &str,
) -> io::Result<String> {
    let request = format!("{method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    timeout(TIMEOUT, stream.read_to_string(&mut response)).await??;
    Ok(response)
}

#[tokio::test]
async fn one_server_serves_several_addresses_and_a_unix_socket_behind_one_password() {
    let folder = tempfile::tempdir().unwrap();
    let (config, socket) = (folder.path().join("web.yml"), folder.path().join("a.sock"));
    fs::write(&config, users()).unwrap();
    let recorder = Arc::new(Recorder::default());
    let access = Access::from_file(Some(config), recorder.clone()).unwrap();
    let tcp = bind(&["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()]).await.unwrap();
    let addresses: Vec<_> = tcp.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let mut listeners: Vec<Listener> = tcp.into_iter().map(Listener::from).collect();
    listeners.push(PrivateSocket::bind(&socket).unwrap().into());
    let stopping = CancellationToken::new();
    let server = Server::new(router(), access).realm("a test");
    let serving = tokio::spawn(server.serve(listeners, stopping.clone().cancelled_owned()));

    let password = "Authorization: Basic cHJvbWV0aGV1czpzZWNyZXQ=\r\n";
    for address in addresses {
        let connect = || async { TcpStream::connect(address).await.unwrap() };
        let refused = exchange(connect().await, "GET", "").await.unwrap();
        assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
        assert!(
            refused.contains("www-authenticate: Basic realm=\"a test\", charset=\"UTF-8\"\r\n"),
            "{refused}"
        );
        let response = exchange(connect().await, "GET", password).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("\r\n\r\nhello\n"), "{response}");
        assert!(response.contains("x-frame-options: deny\r\n"), "{response}");
    }
    let connect = || async { UnixStream::connect(&socket).await.unwrap() };
    let refused = exchange(connect().await, "GET", "").await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let response = exchange(connect().await, "GET", password).await.unwrap();
    assert!(response.ends_with("\r\n\r\nhello\n"), "{response}");
    let headers = format!("{password}Origin: http://evil.example\r\nContent-Length: 0\r\n");
    let refused = exchange(connect().await, "POST", &headers).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    let mut expected = vec![Refusal::NoCredentials; 3];
    expected.push(Refusal::CrossSite);
    assert_eq!(*recorder.refusals.lock().unwrap(), expected);

    stopping.cancel();
    timeout(TIMEOUT, serving).await.unwrap().unwrap();
    assert!(!socket.exists(), "the socket is left over");
}

#[tokio::test]
async fn the_limit_of_the_body_can_be_changed() {
    for (limit, status) in [(None, "413"), (Some(100_000), "200")] {
        let tcp = bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = tcp[0].local_addr().unwrap();
        let mut server = Server::new(router(), Access::unrestricted(Arc::new(())));
        if let Some(limit) = limit {
            server = server.max_body_bytes(limit);
        }
        tokio::spawn(server.serve(tcp, std::future::pending()));
        let body = format!("Content-Length: 70000\r\n\r\n{}", "x".repeat(69_998));
        let response = exchange(TcpStream::connect(address).await.unwrap(), "POST", &body).await.unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{limit:?}: {response}");
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(TIMEOUT, waiting).await.is_ok(), "never: {what}");
}

#[tokio::test]
async fn a_changed_file_takes_effect_and_an_invalid_one_or_one_that_removes_a_protection_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("web.yml");
    let write = |text: &str| {
        // Renamed into place, so that no half of it is read.
        let new = folder.path().join("new.yml");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &config).unwrap();
    };
    write(&users());
    let recorder = Arc::new(Recorder::default());
    let access = Access::from_file(Some(config.clone()), recorder.clone()).unwrap();
    let stopping = CancellationToken::new();
    let server = Server::new(router(), access.clone());
    let serving = tokio::spawn(server.serve(Vec::<Listener>::new(), stopping.clone().cancelled_owned()));
    let last = || recorder.reloads.lock().unwrap().last().copied();

    write(&format!("{}rate_limit: {{interval: 1s, burst: 5}}\n", users()));
    eventually("the change", || last() == Some(true)).await;
    for (text, problem) in [
        ("basic_auth_users:\n  prometheus: secret\n", "basic_auth_users.prometheus: is not a bcrypt hash"),
        ("", "basic_auth_users: is gone"),
    ] {
        write(text);
        eventually("the problem", || last() == Some(false)).await;
        let error = access.reload().await.unwrap_err().to_string();
        assert!(error.starts_with(problem), "{error}");
        assert!(!access.current().is_open());
        write(&users());
        eventually("the end of the problem", || last() == Some(true)).await;
    }
    stopping.cancel();
    timeout(TIMEOUT, serving).await.unwrap().unwrap();
}

#[test]
fn the_readme_has_the_example() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (example, readme) = (read("examples/hello.rs"), read("README.md"));
    let code = example.split_once("\n\n").unwrap().1;
    assert!(readme.contains(code), "README.md lacks examples/hello.rs:\n{code}");
}
