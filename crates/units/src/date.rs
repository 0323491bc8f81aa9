//! Calendar days and months, in UTC.

use std::fmt;
use std::time::Duration;

use super::time::{DAY, Timestamp};

/// A UTC day in the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// Not a calendar day. The message completes a sentence that starts with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a date (year, month and day, as in 2026-01-31)")]
pub struct InvalidDate;

impl Date {
    /// The day of a timestamp. Clamped to the range of the calendar, some three million years before and
    /// after 1970.
    pub fn of(at: Timestamp) -> Self {
        let days = at.as_secs().div_euclid(86_400);
        Self(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN / 2 } else { i32::MAX / 2 }))
    }

    /// `days` after 1970-01-01; before it if negative.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// Reads `YYYY-MM-DD`, as in `2026-01-31`.
    ///
    /// # Errors
    ///
    /// On any other form, and on a day that does not exist.
    pub fn parse(text: &str) -> Result<Self, InvalidDate> {
        let mut parts = text.split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits);
            part.filter(|part| part.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|part| part.parse().ok())
                .ok_or(InvalidDate)
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let date = Self(days_from_civil(year, month, day));
        // A day that does not exist, such as 30 February, converts back to a different one.
        let is_real = parts.next().is_none() && date.civil() == (year, month, day);
        is_real.then_some(date).ok_or(InvalidDate)
    }

    /// Midnight at the start of the day.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_secs(self.0 as i64 * 86_400)
    }

    /// Midnight at the end of the day.
    pub const fn end(self) -> Timestamp {
        self.plus(1).start()
    }

    /// The day `days` later; earlier if negative.
    #[must_use]
    pub const fn plus(self, days: i32) -> Date {
        Date(self.0.saturating_add(days))
    }

    /// The first day of the same month.
    #[must_use]
    pub fn month_start(self) -> Date {
        let (year, month, _) = self.civil();
        Date(days_from_civil(year, month, 1))
    }

    /// The first day of the next month.
    #[must_use]
    pub fn next_month_start(self) -> Date {
        self.month_start().plus(31).month_start()
    }

    /// The length of the month.
    pub fn month_length(self) -> Duration {
        DAY * (self.next_month_start().0 - self.month_start().0).unsigned_abs()
    }

    /// Year, month (1 to 12) and day (1 to 31).
    fn civil(self) -> (i32, i32, i32) {
        // Years are counted from the 1st of March, so that the leap day comes last; see "chrono-
        // Compatible Low-Level Date Algorithms" by Howard Hinnant.
        let shifted = i64::from(self.0) + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        // An `i32` of days covers some twelve million years.
        (year as i32, month as i32, day as i32)
    }
}

/// Days from 1970-01-01 to a calendar day.
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// In ISO 8601: `2026-01-31`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        f.pad(&format!("{year:04}-{month:02}-{day:02}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days_are_where_they_belong() {
        for (text, days, next_month) in [
            ("1970-01-01", 0, "1970-02-01"),
            ("1969-12-31", -1, "1970-01-01"),
            ("2000-02-29", 11_016, "2000-03-01"),
            ("2024-12-31", 20_088, "2025-01-01"),
            ("2026-02-28", 20_512, "2026-03-01"),
        ] {
            let date = Date::parse(text).unwrap();
            assert_eq!((date.days(), date.to_string()), (days, text.to_owned()));
            assert_eq!(date.next_month_start().to_string(), next_month);
            assert_eq!(Date::of(date.start()), date);
            assert_eq!(Date::of(date.end() - Duration::from_millis(1)), date);
        }
        assert_eq!(Date::parse("2024-02-10").unwrap().month_length(), DAY * 29);
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-1",
            "26-01-01",
            "2026-01-01-",
            "+026-01-01",
        ] {
            assert_eq!(Date::parse(text), Err(InvalidDate), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_day_reads_back(days in -700_000..2_900_000_i32) {
            let date = Date::from_days(days);
            if (0..=9999).contains(&date.civil().0) {
                prop_assert_eq!(Date::parse(&date.to_string()), Ok(date));
            }
            prop_assert!(date.month_start() <= date && date < date.next_month_start());
        }

        #[test]
        fn no_moment_makes_it_panic(millis in any::<i64>()) {
            let date = Date::of(Timestamp::from_millis(millis));
            prop_assert!(!date.to_string().is_empty() && date.start() < date.end());
        }
    }
}
