//! A brief for a terminal and for a spreadsheet.

use serde::Serialize;
use units::human::short;

use crate::brief::{Report, Trend, checks, counts};
use crate::cli::text;
use crate::model::PublicPost;

/// An overview, then the details of each hashtag.
pub(super) fn table(report: &Report) -> String {
    let mut lines = vec![format!("{}, ranked by {}", report.title(), report.ranking.by.words())];
    if report.simulated {
        lines.push("SIMULATED DATA. No hashtag, count or trend in this brief is real.".to_owned());
    }
    lines.extend(report.ranking.notes.iter().map(|note| format!("note: {note}")));
    if report.trends.is_empty() {
        lines.push("\nNothing to report yet.".to_owned());
        return plain(&lines.join("\n"));
    }
    lines.push(format!("\n{}", overview(report)));
    report.trends.iter().for_each(|trend| details(trend, &mut lines));
    plain(&lines.join("\n"))
}

fn overview(report: &Report) -> String {
    let heading = ["#", "hashtag", "region", "signals", "window", "sure", "velocity", "posts", "views"];
    let count = |count: Option<u64>| count.map_or("-".to_owned(), short);
    let row = |trend: &Trend| {
        vec![
            trend.rank.to_string(),
            format!("#{}", trend.hashtag),
            trend.region.clone(),
            trend.signal_words(),
            name(&trend.posting_window.state),
            name(&trend.certainty.level),
            trend.score.map_or("-".to_owned(), |score| format!("{score:.2}")),
            count(trend.totals.posts),
            count(trend.totals.views),
        ]
    };
    let rows: Vec<_> =
        std::iter::once(heading.map(str::to_owned).to_vec()).chain(report.trends.iter().map(row)).collect();
    text::table(&rows, 6)
}

fn details(trend: &Trend, lines: &mut Vec<String>) {
    lines.push(format!("\n{}. #{} in {}", trend.rank, trend.hashtag, trend.region));
    lines.extend(trend.facts().iter().map(|(name, said)| format!("   {name}: {said}")));
    lines.extend(
        checks(trend).iter().map(|(met, check)| format!("   {} {check}", if *met { "yes" } else { "no " })),
    );
    for (post, number) in trend.posts.iter().zip('a'..) {
        let title = post.title.as_deref().unwrap_or("(no title)");
        let author = post.author.as_deref().unwrap_or("unknown author");
        lines.push(format!("   {number}) {title} by {author}: {}", counts(post)));
        lines.extend(post.safe_url().iter().map(|url| format!("      {url}")));
    }
}

/// One row per post; a hashtag without posts has one row all the same. No rows, no more than the heading.
pub(super) fn csv(report: &Report) -> Result<String, csv::Error> {
    let none = PublicPost::default();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells(report, &Trend::default(), &none).map(|(name, _)| name))?;
    for trend in &report.trends {
        let posts = if trend.posts.is_empty() { std::slice::from_ref(&none) } else { &trend.posts[..] };
        for post in posts {
            writer.write_record(cells(report, trend, post).map(|(_, cell)| text::harmless(&plain(&cell))))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The cells of a row with the names of their columns.
fn cells(report: &Report, trend: &Trend, post: &PublicPost) -> [(&'static str, String); 24] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    [
        ("rank", trend.rank.to_string()),
        ("hashtag", trend.hashtag.clone()),
        ("group", trend.group.clone()),
        ("region", trend.region.clone()),
        ("score", trend.score.map(|score| score.to_string()).unwrap_or_default()),
        ("score_is", trend.score_is.map(|measure| name(&measure)).unwrap_or_default()),
        ("signals", trend.signals.iter().map(name).collect::<Vec<_>>().join(" ")),
        ("commerce", trend.commerce.map(|flag| flag.to_string()).unwrap_or_default()),
        ("total_posts", count(trend.totals.posts)),
        ("total_views", count(trend.totals.views)),
        ("posting_window", name(&trend.posting_window.state)),
        ("certainty", name(&trend.certainty.level)),
        ("doubts", trend.certainty.doubts.join("; ")),
        ("simulated", report.simulated.to_string()),
        ("post_id", post.id.clone()),
        ("author", text(&post.author)),
        ("title", text(&post.title)),
        ("plays", count(post.plays)),
        ("likes", count(post.likes)),
        ("comments", count(post.comments)),
        ("shares", count(post.shares)),
        ("saves", count(post.saves)),
        ("published_at", text(&post.published_at)),
        ("url", post.safe_url().unwrap_or_default().to_owned()),
    ]
}

/// Its name in the JSON.
fn name(word: &impl Serialize) -> String {
    let value = serde_json::to_value(word).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Without control characters, which a terminal would execute: the server at `--url` may be any.
fn plain(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brief::{Asked, Measure, Ranking};

    #[test]
    fn cells_stay_cells() {
        for (title, want) in [
            ("plain text", "plain text"),
            ("a, \"b\"", "\"a, \"\"b\"\"\""),
            ("=HYPERLINK(\"http://evil.example\")", "\"'=HYPERLINK(\"\"http://evil.example\"\")\""),
            ("-1+1", "'-1+1"),
            ("\u{1b}[31mred", "[31mred"),
        ] {
            let post = PublicPost { title: Some(title.to_owned()), ..PublicPost::default() };
            let trends = vec![Trend { posts: vec![post], ..Trend::default() }];
            let text = csv(&Report { trends, ..empty() }).unwrap();
            assert!(text.lines().nth(1).unwrap().contains(&format!(",{want},")), "{text}");
        }
        assert!(csv(&empty()).unwrap().starts_with("rank,hashtag,"));
    }

    /// A report without trends.
    fn empty() -> Report {
        Report {
            version: 1,
            generated_at: String::new(),
            simulated: false,
            asked: Asked { group: None, region: None, hashtag: None, limit: 1, since_seconds: None },
            ranking: Ranking { by: Measure::SampleVelocity, notes: Vec::new() },
            trends: Vec::new(),
        }
    }
}
