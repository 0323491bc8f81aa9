//! A report as Markdown, to be mailed or pasted.

use std::fmt::Write;

use super::{Report, Trend, checks, counts};

/// The report as a document of CommonMark. Text from outside cannot become a heading, a link
/// or HTML.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("# {}\n\n", escape(&report.title()));
    if report.simulated {
        text.push_str("**SIMULATED DATA. No hashtag, count or trend in this brief is real.**\n\n");
    }
    let _ = writeln!(text, "As of {}, ranked by {}.\n", report.generated_at, report.ranking.by.words());
    for note in &report.ranking.notes {
        let _ = writeln!(text, "> {}\n", escape(note));
    }
    if report.trends.is_empty() {
        text.push_str("Nothing to report yet.\n");
    }
    report.trends.iter().for_each(|trend| section(&mut text, trend));
    text
}

fn section(text: &mut String, trend: &Trend) {
    let _ = writeln!(text, "## {}. \\#{} ({})\n", trend.rank, escape(&trend.hashtag), escape(&trend.region));
    for (name, said) in trend.facts() {
        let _ = writeln!(text, "- **{name}:** {}", escape(&said));
    }
    if !trend.why.is_empty() {
        text.push_str("- **Why:**\n");
    }
    for (met, check) in checks(trend) {
        let _ = writeln!(text, "  - {} {}", if met { "yes:" } else { "no:" }, escape(&check));
    }
    text.push_str(if trend.posts.is_empty() { "\nNo posts are known.\n\n" } else { "\n" });
    for (post, number) in trend.posts.iter().zip(1..) {
        let title = escape(post.title.as_deref().unwrap_or("(no title)"));
        let title = match post.safe_url() {
            Some(url) => format!("[{title}]({url})"),
            None => title,
        };
        let author = escape(post.author.as_deref().unwrap_or("unknown author"));
        let _ = writeln!(text, "{number}. {title} by {author}: {}", escape(&counts(post)));
    }
    if !trend.posts.is_empty() {
        text.push('\n');
    }
}

/// Escapes Markdown. The text is never at the start of a line, so characters that are special only there stay
/// as they are.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // Many renderers turn URLs into links.
        let is_address = match c {
            ':' => chars.peek() == Some(&'/'),
            '.' => escaped.to_ascii_lowercase().ends_with("www"),
            _ => false,
        };
        if is_address || "\\`*_{}[]<>#&|~@!$^".contains(c) {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { ' ' } else { c });
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        for (text, want) in [
            ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
            ("](javascript:alert(1))", r"\](javascript:alert(1))"),
            ("a *b* _c_ `d` & e | f", r"a \*b\* \_c\_ \`d\` \& e \| f"),
            ("https://evil.example WWW.evil.example", r"https\://evil.example WWW\.evil.example"),
            ("me@evil.example", r"me\@evil.example"),
            ("two\nlines", "two lines"),
            ("日本 😭", "日本 😭"),
        ] {
            assert_eq!(escape(text), want);
        }
    }
}
