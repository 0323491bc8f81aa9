//! A thousand hashtags in three regions, as the rules would have recorded them for thirty days at
//! their interval of 4 minutes: to measure queries, not to look at.
//!
//! Whole histories have what panels read over days for all hashtags at once, whatever is not about
//! hashtags, and one hashtag altogether. Of everything else there is the last hour.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::json;

use crate::support::history::{BLOCK, DAY, DAYS, HOUR, NOW, metrics_in};
use crate::support::prometheus::Prometheus;
use crate::support::promtool::{promtool, succeed};

const HASHTAGS: usize = 1_000;
const STEP: i64 = 240;
/// Files are as long as blocks, and begin where they do: each is read once.
const FILE: i64 = 162 * HOUR;

/// What panels read over days for all hashtags, and for how many days.
const WHOLE: [(&str, i64); 5] = [
    ("hashtag:tiktok_hashtag_posts:velocity", DAYS),
    ("hashtag:tiktok_hashtag_views:reference_delta1d_zscore14d", DAYS),
    ("hashtag:tiktok_hashtag_posts:posting_advice", DAYS),
    ("hashtag:tiktok_hashtag_posts:posting_window", DAYS),
    ("hashtag_hour:tiktok_hashtag_views:gain1h_ratio", 8),
];

/// A value by the seed of a series and the time.
type Wave = fn(i64, i64) -> f64;

struct Line {
    /// Name and labels.
    series: String,
    since: i64,
    hour: Option<i64>,
    value: Wave,
    seed: i64,
}

/// A Prometheus that holds them.
pub fn prometheus(folder: &Path) -> Prometheus {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let lines = lines();
    let begin = NOW - DAYS * DAY;
    let mut samples = 0_u64;
    for start in (begin - begin.rem_euclid(FILE)..=NOW).step_by(FILE as usize) {
        let file = folder.join("part.om");
        let mut out = BufWriter::new(std::fs::File::create(&file).unwrap());
        for line in &lines {
            let from = (start - start.rem_euclid(STEP)).max(line.since - line.since.rem_euclid(STEP));
            for time in
                (from..(start + FILE).min(NOW + 1)).step_by(STEP as usize).filter(|time| *time >= start)
            {
                if line.hour.is_none_or(|hour| (time - 1_800).rem_euclid(DAY) / HOUR == hour) {
                    writeln!(out, "{} {:.3} {time}", line.series, (line.value)(line.seed, time)).unwrap();
                    samples += 1;
                }
            }
        }
        writeln!(out, "# EOF").unwrap();
        out.into_inner().unwrap().sync_all().unwrap();
        succeed(
            promtool()
                .args(["tsdb", "create-blocks-from", BLOCK, "openmetrics", "--quiet"])
                .arg(&file)
                .arg(&data),
        );
        std::fs::remove_file(file).unwrap();
    }
    println!("{samples} samples of {} series", lines.len());
    Prometheus::looking_back("5m", &data, &json!({}))
}

fn lines() -> Vec<Line> {
    let metrics: BTreeSet<String> =
        super::expressions().into_iter().flat_map(|(_, expr)| metrics_in(&super::parseable(&expr))).collect();
    let mut lines = Vec::new();
    for metric in metrics {
        let whole = WHOLE.iter().find(|(name, _)| *name == metric).map(|(_, days)| NOW - days * DAY);
        if !metric.contains("tiktok_hashtag") && metric != "ALERTS" {
            lines.extend(others(&metric));
            continue;
        }
        for index in 0..HASHTAGS {
            let since = whole.unwrap_or(if index == 0 { NOW - DAYS * DAY } else { NOW - HOUR });
            let hashtag = format!("hashtag=\"tag{index:04}\"");
            let group = format!("group=\"group{}\"", index % 10);
            let mut put = |labels: &str, hour: Option<i64>| {
                let series = format!("{metric}{{{hashtag}{labels}}}");
                lines.push(Line { series, since, hour, value: value_of(&metric), seed: index as i64 });
            };
            if metric == "ALERTS" {
                for alert in
                    ["TikTokHashtagTrending", "TikTokHashtagTrendCandidate", "TikTokPostingWindowOpen"]
                {
                    if index < 100 {
                        let labels = ",alertstate=\"firing\",severity=\"warning\",topic=\"trend\"";
                        put(&format!(",{group},alertname=\"{alert}\"{labels}"), None);
                    }
                }
            } else if metric.starts_with("hashtag_group:") {
                put(&format!(",{group}"), None);
            } else if metric.starts_with("hashtag_hour:") {
                for hour in 0..24 {
                    put(&format!(",hour=\"{hour:02}\""), Some(hour));
                }
            } else if metric.starts_with("hashtag_region:")
                || metric.starts_with("tiktok_hashtag_sample_")
                || metric == "tiktok_hashtag_engagement_weighted_velocity"
            {
                for region in ["US", "GB", "DE"] {
                    if metric == "tiktok_hashtag_sample_posts" {
                        for window in ["24h", "7d"] {
                            put(&format!(",region=\"{region}\",window=\"{window}\""), None);
                        }
                    } else {
                        put(&format!(",region=\"{region}\""), None);
                    }
                }
            } else {
                put("", None);
            }
        }
    }
    lines
}

/// Series that are not about hashtags: a few of each.
fn others(metric: &str) -> Vec<Line> {
    let label = match metric.split_once(':') {
        Some((label @ ("endpoint" | "outcome" | "purpose" | "reason" | "window"), _)) => label,
        Some(_) => "",
        None if metric.starts_with("prometheus_rule_") => "rule_group",
        None => "instance",
    };
    let values = match label {
        "rule_group" => vec!["a.rules.yml;tiktok-velocity", "a.rules.yml;tiktok-spike"],
        "window" => vec!["day", "month", "balance"],
        "" => vec![""],
        _ => vec!["a", "b", "c"],
    };
    let labels = match (metric, label) {
        ("global:tiktok_links:info", _) => ",exporter=\"http://localhost:10110\"",
        (_, "instance") => ",job=\"tiktok\"",
        _ => "",
    };
    let line = |value: &str| Line {
        series: format!("{metric}{{{}=\"{value}\"{labels}}}", if label.is_empty() { "job" } else { label }),
        since: NOW - DAYS * DAY,
        hour: None,
        value: value_of(metric),
        seed: 1,
    };
    values.into_iter().map(line).collect()
}

/// The kind of value a metric has; what it is does not matter.
fn value_of(metric: &str) -> Wave {
    // A wave of 0 to 4 with a period and phase of each hashtag's own, and some noise.
    fn wave(seed: i64, time: i64) -> f64 {
        let angle =
            (time as f64 / (DAY * (3 + seed % 7)) as f64 + seed as f64 / 17.0) * std::f64::consts::TAU;
        2.0 + 1.9 * angle.sin() + (time / STEP * (seed + 7) % 97) as f64 / 1_000.0
    }
    let whole: [(&str, Wave); 7] = [
        ("posting_advice", |seed, time| wave(seed, time).min(2.0).floor()),
        ("posting_window", |seed, time| f64::from(u8::from(wave(seed, time) >= 2.0))),
        ("saturated", |seed, time| f64::from(u8::from(wave(seed, time) >= 3.0))),
        ("sample_posts", |seed, time| (wave(seed, time) * 10.0).floor()),
        ("hashtag_info", |_, _| 1.0),
        (":fresh", |_, _| 1.0),
        ("ALERTS", |_, _| 1.0),
    ];
    whole.into_iter().find(|(part, _)| metric.contains(part)).map_or(wave, |(_, value)| value)
}
