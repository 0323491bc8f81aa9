//! A scrape of `/metrics` as different clients make it, and while the results change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::bufread::GzDecoder;
use reqwest::{Method, StatusCode};
use tiktok_api::Operation;
use tiktok_exporter::state::HashtagState;
use units::{Clock, SystemClock};

use crate::support::browser;
use crate::support::prometheus::Prometheus;
use crate::support::site::Site;
use crate::support::snapshot::{NOW, known, publish, restate};
use crate::support::text_format::Page;

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

/// What could end a label early, or the page, if somebody took it for more than text.
const WILD: [&str; 12] = [
    r#"quo"ted"#,
    r"back\slash",
    r"ends\",
    r"\n",
    "two\nlines",
    "carriage\rreturn",
    "nul\0byte",
    "tab\t{x=\"y\"} 5",
    "# TYPE x counter",
    "# EOF",
    "🔥👩‍👩‍👧 日本 مرحبا",
    " ",
];

/// What the compressed page says is what Prometheus' own parser reads, wild labels and numbers included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_reads_the_whole_compressed_page() {
    const NUMBERS: [f64; 6] = [0.1 + 0.2, 5e-324, 1e300, f64::MAX, f64::INFINITY, 1.0];
    let site = Site::start(None).await;
    let mut states: Vec<HashtagState> = hashtags(7).collect();
    for ((state, group), number) in states.iter_mut().zip(WILD).zip(NUMBERS.into_iter().cycle()) {
        state.group = group.into();
        restate(&mut state.regions[0], |stats| stats.velocity = number);
    }
    let wild: BTreeMap<(String, String), f64> = states[..WILD.len()]
        .iter()
        .zip(NUMBERS.into_iter().cycle())
        .map(|(state, number)| ((state.hashtag.to_string(), state.group.to_string()), number))
        .collect();
    publish(&site.state, states);
    site.prints(|page| page.contains("tiktok_hashtag_views{")).await;
    let want: BTreeMap<String, f64> =
        Page::parse(&site.page("/metrics").await).unwrap().starting_with("tiktok_hashtag_");

    let target = site.address.to_string();
    let read = tokio::task::spawn_blocking(move || {
        let data = tempfile::tempdir().unwrap();
        let config = serde_json::json!({
            "global": {"scrape_interval": "5s", "scrape_timeout": "5s"},
            "scrape_configs": [{"job_name": "tiktok", "static_configs": [{"targets": [target]}]}],
        });
        let prometheus = Prometheus::looking_back("5m", &data.path().join("data"), &config);
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let now = SystemClock.now().as_secs();
            let found = prometheus.instant(r#"{__name__=~"tiktok_hashtag_.+"}"#, now).unwrap();
            if !found.is_empty() {
                return found;
            }
            let up = prometheus.instant("up", now).unwrap();
            assert!(Instant::now() < deadline, "nothing is scraped: {up:?}");
        }
    });
    let read = read.await.unwrap();
    assert_eq!(read.len(), want.len(), "series");
    let value = |name: &str, hashtag: &str, region: Option<&str>| {
        read.iter().find(|series| {
            series.labels["__name__"] == name
                && series.labels["hashtag"] == hashtag
                && series.labels.get("region").map(String::as_str) == region
        })
    };
    for ((hashtag, group), number) in wild {
        let info = value("tiktok_hashtag_info", &hashtag, None).unwrap();
        // A label without a text is the same as none.
        assert_eq!(info.labels.get("group"), Some(&group));
        let velocity = value("tiktok_hashtag_sample_velocity", &hashtag, Some("DE")).unwrap();
        assert_eq!(velocity.points[0].1, number, "{group:?}");
    }
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
        site.telemetry.request_retried(Operation::Posts);
    }
}
