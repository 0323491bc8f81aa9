//! The landing page and the brief in a real browser, at the width of a phone and of a laptop: nothing
//! is wider than the screen, nothing is complained of, and nobody else is asked.

use tiktok_exporter::state::HashtagState;
use tiktok_exporter::store::Store;
use units::HOUR;

use crate::support::posts::{HOSTILE, hostile_posts};
use crate::support::site::Site;
use crate::support::snapshot::{NOW, known, publish, restate};
use crate::support::webdriver::Browser;

/// Hashtags whose names, groups and posts are long or try to be something else.
fn watchlist(store: &Store) -> Vec<HashtagState> {
    let mut booktok = known("booktok", "books", &["DE", "US"], 297_345_678_901, NOW - HOUR);
    booktok.commerce = Some(true);
    let mut longest = known(&"w".repeat(150), &"G".repeat(64), &["US", "any"], u64::MAX, NOW - HOUR);
    restate(&mut longest.regions[1], |stats| stats.saturated = true);
    let mut watchlist = vec![booktok, longest];
    for (number, posts) in hostile_posts().chunks(3).enumerate() {
        let state = known(&format!("wild{number}"), "<b>wild</b>", &["US"], 7, NOW);
        store.save_sample(&state.hashtag, &state.regions[0], Some(posts)).unwrap();
        watchlist.push(state);
    }
    watchlist
}

#[tokio::test]
async fn pages_fit_the_screen_complain_of_nothing_and_ask_nobody_else() {
    let site = Site::start(None).await;
    publish(&site.state, watchlist(&site.store));
    site.state.api().set_simulated();
    for width in [375, 1_366] {
        let browser = Browser::start(width).await;
        for (path, rows, of) in [
            ("/", 8, "tbody tr"),
            ("/brief?limit=50", 6, "article"),
            ("/brief?hashtag=booktok", 1, "article"),
        ] {
            browser.open(&site.url(path)).await;
            let place = format!("{path} at {width} px");
            let count = browser.evaluate(&format!("document.querySelectorAll('{of}').length")).await;
            assert_eq!(count, rows, "{place}: {of}");
            let [inner, content] = ["innerWidth", "document.documentElement.scrollWidth"];
            assert_eq!(browser.evaluate(inner).await, width, "{place}: the screen");
            assert_eq!(browser.evaluate(content).await, width, "{place}: the content is wider");
            // The style sheet is there: without it nothing would be wide, either.
            let font = browser.evaluate("getComputedStyle(document.body).maxWidth").await;
            assert_eq!(font, "1216px", "{place}: no style");
            assert_eq!(browser.complaints().await, [""; 0], "{place}");
            let requests = browser.requests().await;
            assert!(requests.contains(&site.url(path)), "{place}: {requests:?}");
            let outside: Vec<_> = requests.iter().filter(|url| !url.starts_with(&site.url("/"))).collect();
            assert!(outside.is_empty(), "{place} asks {outside:?}");
        }
        browser.quit().await;
    }
}

#[tokio::test]
async fn what_posts_say_is_shown_as_they_say_it_and_links_lead_to_the_platform_alone() {
    let site = Site::start(None).await;
    publish(&site.state, watchlist(&site.store));
    let browser = Browser::start(1_366).await;
    browser.open(&site.url("/brief?limit=50")).await;
    let shown = browser.evaluate("document.querySelector('main').innerText").await;
    let shown = shown.as_str().unwrap();
    for post in HOSTILE {
        let title = post.title.unwrap_or("(no title)");
        assert!(shown.contains(title), "{title:?} is not shown: {shown}");
    }
    let links = browser.evaluate("[...document.querySelectorAll('article a')].map(a => a.href)").await;
    let mut links: Vec<&str> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap()).collect();
    links.sort_unstable();
    let mut want: Vec<&str> = HOSTILE.iter().filter_map(|post| post.link).collect();
    want.sort_unstable();
    assert_eq!(links, want);
    assert_eq!(browser.evaluate("document.querySelectorAll('script,img,b,iframe').length").await, 0);
    assert_eq!(browser.evaluate("String(window.hacked)").await, "undefined");
    browser.quit().await;
}
