//! Durations in the form of the configuration: `15s`, `6h`, `1d 12h`.

use std::time::Duration;

/// Reads a duration with units, as in `15s`, `6h` or `1d 12h`.
///
/// # Errors
///
/// On anything else. The message completes a sentence that starts with the text.
pub fn parse(text: &str) -> Result<Duration, String> {
    let has_unit = text.chars().any(char::is_alphabetic);
    match humantime::parse_duration(text) {
        Ok(duration) if has_unit => Ok(duration),
        _ if !has_unit && text.trim().parse::<f64>().is_ok() => {
            Err(format!("has no unit (add one, as in \"{}s\")", text.trim()))
        }
        Err(humantime::DurationError::NumberOverflow) => Err("is too long for any use".to_owned()),
        _ => Err("is not a duration (a number and a unit: s, m, h or d, as in \"15s\" or \"6h\")".to_owned()),
    }
}

/// Writes a duration in the largest units that represent it exactly. [`parse`] reads it back.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(duration.subsec_millis()), "ms"),
        (u64::from(duration.subsec_nanos() % 1_000_000), "ns"),
    ];
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for (duration, want) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(1_500), "1s 500ms"),
            (Duration::from_secs(15 * 60), "15m"),
            (Duration::from_secs(36 * 3_600), "1d 12h"),
            (Duration::from_secs(90 * 86_400), "90d"),
        ] {
            assert_eq!(show(duration), want);
            assert_eq!(parse(want), Ok(duration), "{want}");
        }
    }

    #[test]
    fn a_number_alone_is_told_to_add_a_unit() {
        for text in ["15", "0", " 15 ", "1.5"] {
            assert_eq!(parse(text), Err(format!("has no unit (add one, as in \"{}s\")", text.trim())));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", " ", "soon", "6 parsecs", "-5s", "h6", "six h", "1h,2m", "１５s"] {
            assert!(parse(text).is_err_and(|why| why.starts_with("is not a duration")), "{text:?}");
        }
        for text in ["99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse(text), Err("is too long for any use".to_owned()), "{text:?}");
        }
    }
}
