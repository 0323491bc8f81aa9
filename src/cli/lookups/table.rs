//! Results as tables for terminals.

use units::{
    Clock, Credits, SystemClock, Timestamp,
    human::{relative, span},
};

use crate::cli::text::table;
use crate::gateway::refresh::Route;
use crate::lookups::{Candidates, Finding, Looked, Sample, Videos};
use crate::model::PublicPost;

/// Groups are at most this long.
const GROUP_CHARS: usize = 64;

/// The findings as tables.
pub(super) fn shown(findings: &[Finding]) -> String {
    let looked: Vec<&Looked> = findings
        .iter()
        .filter_map(|finding| if let Finding::Hashtag(looked) = finding { Some(looked) } else { None })
        .collect();
    if !looked.is_empty() {
        return hashtags(&looked);
    }
    let shown = findings.iter().map(|finding| match finding {
        Finding::Hashtag(looked) => hashtags(&[looked]),
        Finding::Sample(found) => sample(found),
        Finding::Candidates(found) => candidates(found),
        Finding::Videos(found) => videos(found),
        Finding::Regions(codes) => regions(codes),
    });
    shown.collect::<Vec<_>>().join("\n\n")
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn number(count: Option<u64>) -> String {
    count.map_or("-".to_owned(), |count| Credits::new(count).to_string())
}

fn age(seconds: Option<i64>) -> String {
    seconds.map_or("-".to_owned(), |seconds| relative(Timestamp::from_secs(seconds), SystemClock.now()))
}

fn hashtags(looked: &[&Looked]) -> String {
    let mut rows = vec![cells(["hashtag", "id", "flags", "found by", "as of", "posts", "views"])];
    rows.extend(looked.iter().map(|looked| {
        vec![
            format!("#{}", looked.hashtag),
            looked.challenge_id.clone(),
            flags(looked),
            route(looked.route).to_owned(),
            age(Some(looked.answered_timestamp_seconds)),
            number(looked.posts),
            number(looked.views),
        ]
    }));
    table(&rows, 5)
}

/// The flags that are set; `-` for none, `?` if the API provided none.
fn flags(looked: &Looked) -> String {
    let flags = [
        ("commerce", looked.commerce),
        ("challenge", looked.challenge),
        ("pgc show", looked.pgc_show),
        ("strong music", looked.strong_music),
    ];
    if flags.iter().all(|(_, flag)| flag.is_none()) {
        return "?".to_owned();
    }
    let set: Vec<&str> =
        flags.into_iter().filter(|(_, flag)| *flag == Some(true)).map(|(name, _)| name).collect();
    if set.is_empty() { "-".to_owned() } else { set.join(", ") }
}

fn route(route: Route) -> &'static str {
    match route {
        Route::Id => "id",
        Route::Name => "name",
        Route::NameThenId => "id, not by name",
        Route::SearchThenId => "search, then id",
    }
}

fn sample(sample: &Sample) -> String {
    let figures = &sample.figures;
    let velocity = match sample.counter_velocity {
        Some(velocity) => format!("{velocity:.2}"),
        None => "-".to_owned(),
    };
    let oldest = figures.oldest_post_age_seconds.map(std::time::Duration::from_secs_f64);
    let ratio = |ratio: Option<f64>| ratio.map_or("-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
    let facts = [
        ("hashtag", format!("#{}", sample.hashtag)),
        ("region", sample.region.clone()),
        ("as of", age(Some(sample.answered_timestamp_seconds))),
        ("sample velocity", format!("{:.2}", figures.velocity)),
        ("counter velocity", velocity),
        ("posts of 24 h, 7 d", format!("{}, {}", figures.posts_24h, figures.posts_7d)),
        ("posts seen, unique", format!("{}, {}", sample.posts_seen, sample.posts_unique)),
        ("oldest post", oldest.map_or("-".to_owned(), span)),
        ("pages", figures.pages.to_string()),
        ("saturated", if figures.saturated { "yes" } else { "no" }.to_owned()),
        ("from the region", ratio(figures.region_match_ratio)),
        ("engagement ratio", ratio(figures.engagement_ratio)),
    ];
    let facts = facts.map(|(name, fact)| format!("{name:<20}{fact}")).join("\n");
    format!("{facts}\n\n{}", posts(&sample.posts))
}

fn posts(posts: &[PublicPost]) -> String {
    let mut rows = vec![cells([
        "plays",
        "likes",
        "comments",
        "shares",
        "saves",
        "age",
        "region",
        "author",
        "title, link",
    ])];
    rows.extend(posts.iter().map(|post| {
        let words =
            [post.title.clone(), post.url.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let published = post.created_timestamp_seconds.map(Timestamp::from_secs);
        vec![
            number(post.plays),
            number(post.likes),
            number(post.comments),
            number(post.shares),
            number(post.saves),
            published.map_or("-".to_owned(), |at| span(SystemClock.now().saturating_since(at))),
            post.region.clone().unwrap_or_else(|| "-".to_owned()),
            post.author.clone().unwrap_or_else(|| "-".to_owned()),
            words,
        ]
    }));
    let right = rows.iter().map(|row| row[..6].to_vec()).collect::<Vec<_>>();
    let left = rows.iter().map(|row| row[6..].to_vec()).collect::<Vec<_>>();
    let (right, left) = (table(&right, 0), table(&left, 3));
    right
        .lines()
        .zip(left.lines())
        .map(|(right, left)| format!("{right}  {left}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn candidates(found: &Candidates) -> String {
    let mut rows = vec![cells(["hashtag", "id", "commerce", "posts", "views"])];
    rows.extend(found.hashtags.iter().map(|candidate| {
        let commerce = match candidate.commerce {
            Some(true) => "yes",
            Some(false) => "no",
            None => "?",
        };
        vec![
            format!("#{}", candidate.hashtag),
            candidate.challenge_id.clone(),
            commerce.to_owned(),
            number(candidate.posts),
            number(candidate.views),
        ]
    }));
    table(&rows, 3)
}

fn videos(found: &Videos) -> String {
    let facts = [
        ("keyword", found.keyword.clone()),
        ("region", found.region.clone()),
        ("as of", age(Some(found.answered_timestamp_seconds))),
        ("posts", found.posts.len().to_string()),
        ("of 24 h, 7 d", format!("{}, {}", found.posts_24h, found.posts_7d)),
        ("plays", number(found.plays)),
    ];
    let facts = facts.map(|(name, fact)| format!("{name:<20}{fact}")).join("\n");
    format!("{facts}\n\n{}", posts(&found.posts))
}

fn regions(codes: &[String]) -> String {
    let lines: Vec<String> = codes.chunks(20).map(|codes| codes.join(" ")).collect();
    lines.join("\n")
}

/// The hashtags as a block for the configuration, with their totals beside them.
pub(super) fn watch_block(found: &Candidates) -> String {
    // A JSON string is a TOML string.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let group: String = found.keyword.chars().take(GROUP_CHARS).collect();
    let lines = found.hashtags.iter().map(|candidate| {
        let name = format!("{},", quoted(&candidate.hashtag));
        format!("    {name:<32}  # {} posts, {} views", number(candidate.posts), number(candidate.views))
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("[[watch]]\ngroup = {}\nhashtags = [\n{lines}\n]", quoted(&group))
}
