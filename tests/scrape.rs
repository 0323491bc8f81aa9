//! A scrape of `/metrics` as different clients make it, and while the results change.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/site.rs"]
mod site;
#[path = "support/snapshot.rs"]
mod snapshot;
#[path = "support/text_format.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod text_format;

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::bufread::GzDecoder;
use reqwest::{Method, StatusCode};
use site::Site;
use snapshot::{NOW, known, publish};
use text_format::Page;
use tiktok_exporter::state::HashtagState;
use tiktok_exporter::upstream::Endpoint;

/// Enough that the page goes over the wire in several pieces, compressed as well.
const HASHTAGS: u64 = 1_500;

fn hashtags(generation: u64) -> impl Iterator<Item = HashtagState> {
    (0..HASHTAGS).map(move |n| {
        // Names that a compressor cannot guess.
        let name = format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        known(&name, "default", &["DE", "GB", "US"], 100 * generation, NOW)
    })
}

async fn busy_site() -> Site {
    let site = Site::start(None).await;
    publish(&site.state, hashtags(1));
    site.prints(|page| page.contains("tiktok_hashtag_views{")).await;
    site
}

/// The text of a gzip member, and an error if anything follows it.
fn unpacked(body: &[u8]) -> String {
    let mut rest = body;
    let mut text = String::new();
    GzDecoder::new(&mut rest).read_to_string(&mut text).unwrap();
    assert_eq!(rest.len(), 0, "bytes after the gzip member, which not every client reads");
    text
}

/// What does not change from scrape to scrape.
fn results(page: &str) -> &str {
    &page[page.find("# HELP tiktok_hashtag_").unwrap()..]
}

async fn body(site: &Site, accept: &str) -> (StatusCode, Option<String>, Vec<u8>) {
    let response = site.send(Method::GET, "/metrics", &[("accept-encoding", accept)]).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.unwrap().to_vec();
    if status.is_success() {
        assert_eq!(headers["content-length"], body.len().to_string(), "{accept:?}");
        assert_eq!(headers["vary"], "Accept-Encoding", "{accept:?}");
    }
    (status, headers.get("content-encoding").map(|value| value.to_str().unwrap().to_owned()), body)
}

#[tokio::test]
async fn the_compressed_page_is_one_gzip_member_with_the_same_text() {
    let site = busy_site().await;
    let (_, encoding, plain) = body(&site, "identity").await;
    assert_eq!(encoding, None);
    let plain = String::from_utf8(plain).unwrap();
    let (_, encoding, compressed) = body(&site, "gzip, deflate, br").await;
    assert_eq!(encoding.as_deref(), Some("gzip"));
    let text = unpacked(&compressed);
    assert!(compressed.len() > 1 << 18, "{} bytes go over the wire in one piece", compressed.len());
    assert_eq!(results(&text), results(&plain));
    assert_eq!(Page::parse(&text).unwrap().samples().count(), Page::parse(&plain).unwrap().samples().count());

    let (status, _, reason) = body(&site, "*;q=0").await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE, "{}", String::from_utf8_lossy(&reason));
    for accept in ["gzip", "identity"] {
        let head = site.send(Method::HEAD, "/metrics", &[("accept-encoding", accept)]).await;
        let length: usize = head.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let about = if accept == "gzip" { compressed.len() } else { plain.len() };
        // The own figures differ from scrape to scrape.
        assert!(length.abs_diff(about) < 1_000, "{accept}: HEAD promises {length}, GET sends {about}");
    }
}

#[tokio::test]
async fn other_peoples_clients_read_the_whole_page() {
    let site = busy_site().await;
    let url = site.url("/metrics");
    let want = site.page("/metrics").await;
    let want = results(&want);
    let python = "import gzip, sys, urllib.request\n\
        request = urllib.request.Request(sys.argv[1], headers={'Accept-Encoding': 'gzip'})\n\
        sys.stdout.write(gzip.decompress(urllib.request.urlopen(request).read()).decode())";
    for (program, arguments) in [
        ("curl", &["--silent", "--show-error", "--compressed", "--noproxy", "*", &url] as &[&str]),
        ("python3", &["-c", python, &url]),
    ] {
        let mut client = Command::new(program);
        client.args(arguments);
        let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap();
        let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(results(&text) == want, "{program} reads another page of {} bytes", text.len());
    }
    let shown = browser::document(&url).await;
    let last = want.lines().last().unwrap().replace('"', "&quot;");
    assert!(
        shown.contains(&last) || shown.contains(want.lines().last().unwrap()),
        "the browser shows {} bytes without the last line {last}",
        shown.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_during_changes_is_whole_and_of_one_generation() {
    const FEW: usize = 200;
    let site = Site::start(None).await;
    publish(&site.state, hashtags(1).take(FEW));
    site.prints(|page| page.contains("tiktok_hashtag_views{")).await;
    let enough = Arc::new(AtomicBool::new(false));
    let publishing = {
        let (state, enough) = (site.state.clone(), enough.clone());
        std::thread::spawn(move || {
            let mut generation = 1;
            while !enough.load(Ordering::Relaxed) {
                generation += 1;
                publish(&state, hashtags(generation).take(FEW));
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let mut generations = BTreeSet::new();
    while generations.len() < 3 {
        let (_, _, compressed) = body(&site, "gzip").await;
        let page = Page::parse(&unpacked(&compressed)).unwrap();
        let views = page.starting_with("tiktok_hashtag_views{");
        assert_eq!(views.len(), FEW);
        let seen: BTreeSet<u64> = views.values().map(|views| *views as u64).collect();
        assert_eq!(seen.len(), 1, "generations {seen:?} on one page");
        generations.extend(seen);
    }
    enough.store(true, Ordering::Relaxed);
    publishing.join().unwrap();
}

#[tokio::test]
async fn the_exporters_own_figures_are_never_older_than_the_request() {
    let site = Site::start(None).await;
    let retries = "tiktok_exporter_upstream_retries_total{endpoint=\"challenge-posts\"}";
    for number in 0..20 {
        let page = site.page("/metrics").await;
        assert!(page.contains(&format!("{retries} {number}\n")), "after {number} retries: {page}");
        site.telemetry.request_retried(Endpoint::ChallengePosts);
    }
}
