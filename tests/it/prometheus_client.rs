//! Asking a Prometheus: a real one, and everything that may stand in its place.

use std::time::Duration;

use serde_json::json;
use tiktok_exporter::prometheus::{Client, QueryError};
use url::Url;

use crate::support::impostor::{Behaviour, Impostor};
use crate::support::prometheus as server;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn client(url: &str, timeout: Duration) -> Client {
    Client::new(Url::parse(&format!("{url}/")).unwrap(), timeout).unwrap()
}

#[tokio::test]
async fn a_real_one_answers_and_says_what_is_wrong_with_a_query() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = tokio::task::spawn_blocking(move || server::Prometheus::start(&data, &json!({})));
    let server = server.await.unwrap();
    let client = client(&server.url, PATIENCE);
    let query = r#"label_replace(vector(1.5), "hashtag", "日本 & \"café\"", "", "") or vector(7)"#;
    let answer = client.instant(query).await.unwrap();
    let said: Vec<_> = answer.iter().map(|sample| (sample.label("hashtag"), sample.value)).collect();
    assert_eq!(said, [("日本 & \"café\"", 1.5), ("", 7.0)]);
    assert_eq!(client.instant("scalar(vector(2))").await.unwrap()[0].value, 2.0);
    assert_eq!(client.instant("nothing_has_this_name").await.unwrap(), []);
    let error = client.instant("1 +").await.unwrap_err();
    assert!(
        matches!(&error, QueryError::Refused(why) if why.starts_with("HTTP 400, ") && why.contains("parse error")),
        "{error:?}"
    );
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    let error = client.instant("vector(1)").await.unwrap_err();
    assert!(matches!(error, QueryError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_in_its_place_is_told_apart() {
    let megabyte: &str = " ".repeat(1 << 20).leak();
    let short = Duration::from_millis(300);
    for (behaviour, timeout, want) in [
        (Behaviour::Hang, short, "Prometheus did not answer within 300ms"),
        // An answer that begins and never ends is no answer either.
        (
            Behaviour::Say("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"status\":"),
            short,
            "Prometheus did not answer within 300ms",
        ),
        (Behaviour::HangUp, PATIENCE, "Prometheus cannot be reached: "),
        (
            Behaviour::Say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
            PATIENCE,
            "not a Prometheus: HTTP 200 with \"<html>\"",
        ),
        // A redirect is not followed.
        (
            Behaviour::Say(
                "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
            ),
            PATIENCE,
            "not a Prometheus: HTTP 302 with \"\"",
        ),
        (Behaviour::GoOn(megabyte), PATIENCE, "the response of Prometheus is larger than 16777216 bytes"),
    ] {
        let error = client(&Impostor::start(behaviour).await.url, timeout)
            .instant("up")
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(want), "{error:?} instead of {want:?}");
        assert!(!error.contains("127.0.0.1"), "the address is the operator's business: {error:?}");
    }
}
