//! Numbers and times for people.

use std::time::Duration;

use crate::{DAY, HOUR, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);

/// A count with three significant digits: 999, 1.82 K, 45.7 M, 68.0 T.
pub fn short(count: u64) -> String {
    let mut scaled = count as f64;
    let mut unit = 0;
    // 999.5 is where three digits round up to a thousand.
    while scaled >= 999.5 && unit < UNITS.len() - 1 {
        scaled /= 1_000.0;
        unit += 1;
    }
    match (unit, scaled) {
        (0, _) => count.to_string(),
        (_, small) if small < 9.995 => format!("{small:.2} {}", UNITS[unit]),
        (_, small) if small < 99.95 => format!("{small:.1} {}", UNITS[unit]),
        (_, large) => format!("{large:.0} {}", UNITS[unit]),
    }
}

const UNITS: [&str; 6] = ["", "K", "M", "B", "T", "Qa"];

/// An exact count with commas between thousands.
pub fn exact(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: "no hashtags", "1 hashtag", "1,200 hashtags".
pub fn counted(count: usize, thing: &str) -> String {
    match count {
        0 => format!("no {thing}s"),
        1 => format!("1 {thing}"),
        _ => format!("{} {thing}s", exact(count as u64)),
    }
}

/// A time relative to `now`: "3 min ago", "in 2 h", "now".
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    let (ago, ahead) = (now.saturating_since(at), at.saturating_since(now));
    if ago.max(ahead) < Duration::from_secs(1) {
        "now".to_owned()
    } else if ahead > ago {
        format!("in {}", span(ahead))
    } else {
        format!("{} ago", span(ago))
    }
}

/// A duration in its largest unit, rounded down: 45 s, 3 min, 2 h, 9 d.
pub fn span(span: Duration) -> String {
    let whole = |unit: Duration| span.as_secs() / unit.as_secs();
    match span {
        span if span < MINUTE * 2 => format!("{} s", span.as_secs()),
        span if span < HOUR * 2 => format!("{} min", whole(MINUTE)),
        span if span < DAY * 2 => format!("{} h", whole(HOUR)),
        _ => format!("{} d", whole(DAY)),
    }
}

/// A timestamp in RFC 3339: `2026-01-31T06:00:00Z`. Empty outside the years 1970 to 9999.
pub fn utc(at: Timestamp) -> String {
    let seconds = u64::try_from(at.as_secs()).ok().filter(|seconds| *seconds < 253_402_300_800);
    seconds.map_or(String::new(), |seconds| {
        humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_three_digits() {
        for (count, want) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.00 K"),
            (1_824, "1.82 K"),
            (9_996, "10.0 K"),
            (45_678_901, "45.7 M"),
            (999_499, "999 K"),
            (999_500, "1.00 M"),
            (1_820_000_000, "1.82 B"),
            (68_000_000_000_000, "68.0 T"),
            (u64::MAX, "18447 Qa"),
        ] {
            assert_eq!(short(count), want, "{count}");
        }
        assert_eq!(exact(1_234_567), "1,234,567");
        assert_eq!(exact(12), "12");
        assert_eq!([0, 1, 1_200].map(|n| counted(n, "row")), ["no rows", "1 row", "1,200 rows"]);
    }

    #[test]
    fn times_are_relative_to_now() {
        let now = Timestamp::from_secs(1_700_000_000);
        for (seconds, want) in
            [(0, "now"), (-45, "45 s ago"), (-180, "3 min ago"), (7_200, "in 2 h"), (-86_400 * 9, "9 d ago")]
        {
            assert_eq!(relative(Timestamp::from_secs(1_700_000_000 + seconds), now), want);
        }
        assert_eq!(utc(now), "2023-11-14T22:13:20Z");
        assert_eq!(utc(Timestamp::from_secs(-5)), "");
        assert_eq!(utc(Timestamp::from_secs(i64::MAX)), "");
    }
}
