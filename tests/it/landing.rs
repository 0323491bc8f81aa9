//! The landing page: what a person reads on it, that nothing from outside can take it over, and
//! that it fits on a phone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use tiktok_api::Hashtag;
use tiktok_exporter::discovery::{Candidate, Candidates, PostCounts, Trial};
use tiktok_exporter::model::Keyword;
use tiktok_exporter::model::Trip;
use tiktok_exporter::state::{HashtagState, KeywordState, Outcome, Refresh, RegionState, Snapshot};
use tokio::net::TcpListener;
use units::HOUR;

use crate::support::browser;
use crate::support::landing::{Row, rows, text};
use crate::support::site::Site;
use crate::support::snapshot::{MAX_AGE, NOW, known, publish, reading, restate, unknown};

/// The page over these results.
async fn page(hashtags: impl IntoIterator<Item = HashtagState>) -> String {
    let site = Site::start(None).await;
    publish(&site.state, hashtags);
    site.page("/").await
}

fn last(region: &mut RegionState, outcome: Outcome) {
    region.refresh.last = Some((NOW, outcome));
}

/// A short watchlist in which every case of the page occurs, sorted by name as snapshots are.
fn watchlist() -> Vec<HashtagState> {
    let known = |name, group, regions, views| known(name, group, regions, views, NOW - HOUR);
    let mut booktok = known("booktok", "books", &["DE", "US"], 297_345_678_901);
    let stats = |region: &mut RegionState, velocity, saturated| {
        restate(region, |stats| (stats.velocity, stats.saturated) = (velocity, saturated));
    };
    stats(&mut booktok.regions[0], 6.416, false);
    stats(&mut booktok.regions[1], 7.0, true);
    let mut cats = known("cats", "animals", &["any"], 0);
    stats(&mut cats.regions[0], 0.0, false);
    last(&mut cats.regions[0], Outcome::Failed);
    let new = unknown("new", "books", &["US"]);
    vec![booktok, cats, new, known("日本", "animals", &["JP"], 999)]
}

#[tokio::test]
async fn every_pair_is_a_row_sorted_by_group_and_says_what_is_known() {
    let row = |group: &str, hashtag: &str, cells: [&str; 7]| {
        let [views, posts, region, velocity, state, refreshed, next] = cells.map(str::to_owned);
        let (group, hashtag) = (group.to_owned(), hashtag.to_owned());
        Row { group, hashtag, views, posts, region, velocity, state, refreshed, next }
    };
    // Totals and posts were refreshed an hour ago; totals, which come first, are due 6 hours later.
    let (ago, next) = ("60 min ago", "in 5 h");
    let want = [
        row("animals", "#cats", ["0", "0", "any", "0.00", "failing", ago, next]),
        row("animals", "#日本", ["999", "9", "JP", "1.50", "ok", ago, next]),
        row("books", "#booktok", ["297 B", "2.97 B", "DE", "6.42", "ok", ago, next]),
        row("books", "#booktok", ["297 B", "2.97 B", "US", "7.00 saturated", "ok", ago, next]),
        row("books", "#new", ["–", "–", "US", "–", "waiting", "–", "–"]),
    ];
    assert_eq!(rows(&page(watchlist()).await), want);
}

#[tokio::test]
async fn the_first_line_says_how_much_is_watched_moves_and_is_in_trouble() {
    for (hashtags, want) in [
        (vec![], "Nothing is watched.as of 2027-01-15T08:00:00Z"),
        (
            vec![unknown("new", "default", &["US"])],
            "1 hashtag in 1 region0 heating up0 in troubleas of 2027-01-15T08:00:00Z",
        ),
        // #booktok in DE and #日本 heat up: a saturated 7.00 says nothing. #cats fails.
        (watchlist(), "4 hashtags in 4 regions2 heating up1 in troubleas of 2027-01-15T08:00:00Z"),
    ] {
        let page = page(hashtags).await;
        let summary = page.split_once("<p class=\"summary\">").unwrap().1.split_once("</p>").unwrap().0;
        assert_eq!(text(summary), want);
    }
}

#[tokio::test]
async fn a_row_says_the_worst_that_is_known() {
    let old = NOW - MAX_AGE - Duration::from_millis(1);
    let with = |at, totals: Option<Outcome>, posts: Option<Outcome>| {
        let mut state = known("x", "default", &["US"], 5_000, at);
        state.refresh.last = totals.map(|outcome| (NOW, outcome));
        state.found = Some(totals != Some(Outcome::NotFound));
        state.regions[0].refresh.last = posts.map(|outcome| (NOW, outcome));
        state
    };
    let [success, not_found, failed] = [Outcome::Success, Outcome::NotFound, Outcome::Failed].map(Some);
    let fresh = NOW - MAX_AGE;
    for (state, words, numbers) in [
        (with(fresh, success, success), "ok", ["5.00 K", "50", "1.50"]),
        (with(fresh, success, None), "waiting", ["5.00 K", "50", "1.50"]),
        (with(fresh, success, not_found), "no posts found", ["5.00 K", "50", "1.50"]),
        (with(fresh, failed, not_found), "failing", ["5.00 K", "50", "1.50"]),
        (with(fresh, success, failed), "failing", ["5.00 K", "50", "1.50"]),
        (with(old, failed, success), "stale", ["–", "–", "–"]),
        (with(old, success, success), "stale", ["–", "–", "–"]),
        (with(old, not_found, failed), "not found", ["–", "–", "–"]),
        (with(fresh, not_found, success), "not found", ["5.00 K", "50", "1.50"]),
    ] {
        let shown = rows(&page([state]).await);
        let got = [&shown[0].views, &shown[0].posts, &shown[0].velocity];
        assert_eq!(
            (shown[0].state.as_str(), got),
            (words, numbers.map(str::to_owned).each_ref()),
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn a_time_that_has_passed_is_next_now() {
    let mut late = unknown("late", "default", &["US"]);
    late.refresh.next_due = Some(NOW - HOUR);
    assert_eq!(rows(&page([late]).await)[0].next, "now");
}

#[tokio::test]
async fn numbers_cut_short_are_in_their_titles_in_full() {
    let mut state = known("x", "default", &["US"], 0, NOW);
    state.views = Some(reading(NOW, &[68_000_000_000_001]));
    let page = page([state]).await;
    assert!(page.contains(r#"<span title="68,000,000,000,001">68.0 T</span>"#), "{page}");
}

#[tokio::test]
async fn banners_stand_while_their_reason_does() {
    let site = Site::start(None).await;
    let banners = async || {
        let page = site.page("/").await;
        let banner = |part: &str| text(part.split_once('>').unwrap().1.split_once("</p>").unwrap().0);
        page.split("<p class=\"banner").skip(1).map(banner).collect::<Vec<_>>()
    };
    let simulated = "SIMULATED DATA. No hashtag, count or trend on this page is real.";
    let auth = "All requests are stopped: the API rejects the key. Check TIKLIVE_API_KEY or api.key_file, then reload.";
    let credits =
        "All requests are stopped: the account has no credits left. Buy credits, then reload or wait.";
    assert_eq!(banners().await, Vec::<String>::new());
    site.state.api().set_stopped(Some(Trip::Auth));
    assert_eq!(banners().await, [auth]);
    site.state.api().set_stopped(Some(Trip::CreditsExhausted));
    assert_eq!(banners().await, [credits]);
    site.state.api().set_simulated();
    assert_eq!(banners().await, [simulated, credits]);
    site.state.api().set_stopped(None);
    assert_eq!(banners().await, [simulated]);
}

/// Names that try to be something else. Those that no hashtag can have are groups only.
const WILD: [&str; 14] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title></h2><img/src=x/onerror=alert(1)>",
    r#""onmouseover="alert(1)"#,
    "'onmouseover='alert(1)",
    "<!--",
    "&lt;b&gt;&amp;",
    "مرحبا",
    "\u{202E}gnirts",
    "two words",
    "🔥👩‍👩‍👧",
    "javascript:alert(1)",
    "http://evil.example/x.js",
];

fn wild_watchlist() -> Vec<HashtagState> {
    let state = |(number, name): (usize, &&str)| {
        let name_or = |other: String| if Hashtag::parse(name).is_ok() { (*name).to_owned() } else { other };
        known(&name_or(format!("plain{number}")), name, &["US"], 7, NOW)
    };
    WILD.iter().enumerate().map(state).collect()
}

#[tokio::test]
async fn names_from_outside_are_text_and_nothing_else() {
    let page = page(wild_watchlist()).await;
    let groups: BTreeSet<String> = rows(&page).into_iter().map(|row| row.group).collect();
    assert_eq!(groups, WILD.map(str::to_owned).into());
    let hashtags: BTreeSet<String> = rows(&page).into_iter().map(|row| row.hashtag).collect();
    let want = wild_watchlist().iter().map(|state| format!("#{}", state.hashtag)).collect();
    assert_eq!(hashtags, want);

    let ours = [
        "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "nav", "a",
        "main", "h2", "bdi", "span", "table", "thead", "tbody", "tr", "th", "td", "time", "footer",
    ];
    for tag in page.split('<').skip(1).map(|part| part.split_once('>').map_or(part, |(tag, _)| tag)) {
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
        assert!(ours.contains(&name), "the page does not write <{tag}>");
        assert!(!tag.contains("alert"), "a name got into <{tag}>");
    }
    // Text of any direction is kept from turning what stands beside it.
    for name in ["مرحبا", "\u{202E}gnirts"] {
        assert!(page.contains(&format!("<bdi>{name}</bdi>")), "{name:?} is not isolated");
    }
}

#[tokio::test]
async fn the_page_brings_all_it_needs_and_forbids_the_rest() {
    let site = Site::start(None).await;
    publish(&site.state, watchlist());
    let response = site.request(Method::GET, "/").await;
    let headers = response.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|given| given == rule), "{rule} is not in {policy}");
    }
    assert!(!policy.contains("script-src"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let page = response.text().await.unwrap();
    for outside in ["http://", "https://", "src=", "url(", "@import", "<link", "<script", "href=\"//"] {
        assert!(!page.contains(outside), "{outside} is on the page");
    }
}

#[tokio::test]
async fn a_long_watchlist_is_cut_and_says_so() {
    let regions = ["DE", "GB", "US"];
    let watch = |pairs: usize| {
        let (whole, rest) = (pairs / 3, pairs % 3);
        let last = (rest > 0).then(|| unknown("t9999", "default", &regions[..rest]));
        (0..whole).map(move |n| unknown(&format!("t{n:04}"), "default", &regions)).chain(last)
    };
    for (pairs, note) in [(500, None), (501, Some("1 more ")), (10_000, Some("9,500 more "))] {
        let page = page(watch(pairs)).await;
        assert_eq!(rows(&page).len(), 500, "of {pairs} pairs");
        let mut paragraphs = page.split("<p>").skip(1).map(|part| text(part.split_once("</p>").unwrap().0));
        let rest = paragraphs.find(|paragraph| paragraph.contains("more"));
        assert_eq!(rest.is_some(), note.is_some(), "of {pairs} pairs: {rest:?}");
        if let (Some(rest), Some(note)) = (rest, note) {
            assert!(rest.starts_with(note) && rest.ends_with("all of them are on /metrics."), "{rest:?}");
        }
    }
}

/// A watchlist that is hard to lay out: no name can be broken at a space, every text is long.
fn wide_watchlist() -> Vec<HashtagState> {
    let mut watchlist = watchlist();
    let mut longest = known(&"w".repeat(150), &"G".repeat(64), &["US", "any"], u64::MAX, NOW - HOUR);
    last(&mut longest.regions[0], Outcome::NotFound);
    restate(&mut longest.regions[1], |stats| stats.saturated = true);
    watchlist.push(longest);
    watchlist
}

#[tokio::test]
async fn a_browser_shows_the_rows_that_were_sent() {
    let site = Site::start(None).await;
    publish(&site.state, watchlist().into_iter().chain(wild_watchlist()));
    let sent = rows(&site.page("/").await);
    assert_eq!(sent.len(), 5 + WILD.len());
    assert_eq!(rows(&browser::document(&site.url("/")).await), sent);
}

/// Lays the page out in frames of these widths and says how wide its content is in each, and how
/// many rows it has there.
async fn laid_out(page: &str, widths: [u32; 5]) -> String {
    let srcdoc = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = |width| format!(r#"<iframe style="width:{width}px;border:0" srcdoc="{srcdoc}"></iframe>"#);
    let frames = widths.map(frame).concat();
    let measure = "onload = () => document.body.textContent = 'measured:' + \
        [...document.querySelectorAll('iframe')].map(frame => frame.contentDocument).map(page => \
            page.documentElement.scrollWidth + ' px ' + page.querySelectorAll('tbody tr').length + ' rows') + ';'";
    let html =
        format!("<!DOCTYPE html><body style=\"width:3000px\">{frames}<script>{measure}</script></body>");
    // Over HTTP and without the page's own policy, which forbids frames.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = axum::response::Html(html);
    let router = axum::Router::new().route("/", axum::routing::get(move || async { answer }));
    tokio::spawn(axum::serve(listener, router).into_future());
    let document = browser::document(&url).await;
    let measured = document.split_once("measured:").and_then(|(_, rest)| rest.split_once(';'));
    measured.unwrap_or_else(|| panic!("nothing was measured: {document}")).0.to_owned()
}

/// A keyword that is hard to lay out and to escape, with one candidate on trial and one that says little.
fn followed() -> KeywordState {
    let keyword = Keyword::parse(&format!("<script>alert(1)</script> {}", "k".repeat(70))).unwrap();
    let candidate = |name: &str, posts, views| Candidate {
        hashtag: Hashtag::parse(name).unwrap(),
        posts,
        views,
        growth: None,
    };
    let candidates =
        vec![candidate(&"w".repeat(150), Some(u64::MAX), Some(12_345)), candidate("<b>bold</b>", None, None)];
    let trial = Trial {
        keyword: keyword.clone(),
        hashtag: candidates[1].hashtag.clone(),
        since: NOW - HOUR,
        refreshed_at: None,
        active_at: None,
        post_counts: PostCounts::default(),
    };
    KeywordState {
        keyword,
        max_age: MAX_AGE,
        found: Some(Candidates { at: NOW - HOUR, all: candidates.clone() }),
        candidates,
        refresh: Refresh::default(),
        regions: Vec::new(),
        trials: vec![(trial, NOW + HOUR * 3)],
    }
}

async fn page_with(keywords: Vec<KeywordState>) -> String {
    let site = Site::start(None).await;
    let keywords = keywords.into_iter().map(Arc::new).collect();
    site.state.publish(Snapshot { keywords, ..Snapshot::default() });
    site.page("/").await
}

/// The text of the candidates' part of the page, or of nothing.
fn candidates(page: &str) -> String {
    page.split("<section class=\"candidates\">").skip(1).map(text).collect()
}

#[tokio::test]
async fn candidates_are_listed_by_keyword_and_harmless() {
    let page = page_with(vec![followed()]).await;
    let got = candidates(&page);
    for want in [
        "Candidates by keyword <script>alert(1)</script> kkk",
        &format!("#{}", "w".repeat(150)),
        "12.3 K views",
        "#<b>bold</b>",
        "on trial; removed in 3 h unless it takes off",
        "Found 60 min ago",
    ] {
        assert!(got.contains(want), "{want:?} is not in {got:?}");
    }
    assert!(!page.contains("<script>") && !page.contains("<b>bold"), "escaped");

    let old = KeywordState { max_age: HOUR / 2, ..followed() };
    let nothing = KeywordState { candidates: Vec::new(), ..followed() };
    for (state, want) in [(old, "No recent search."), (nothing, "No hashtag that is large enough")] {
        let got = candidates(&page_with(vec![state]).await);
        assert!(got.contains(want) && !got.contains("#www"), "{got:?}");
    }
    assert_eq!(candidates(&page_with(vec![]).await), "");
    let got = laid_out(&page, [320, 375, 820, 1_100, 1_366]).await;
    assert_eq!(got, "320 px 0 rows,375 px 0 rows,820 px 0 rows,1100 px 0 rows,1366 px 0 rows");
}

#[tokio::test]
async fn the_page_is_never_wider_than_the_screen() {
    let got = laid_out(&page(wide_watchlist()).await, [320, 375, 820, 1_100, 1_366]).await;
    assert_eq!(got, "320 px 7 rows,375 px 7 rows,820 px 7 rows,1100 px 7 rows,1366 px 7 rows");
}
