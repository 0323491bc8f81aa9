//! Credits, the unit in which the API charges.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// A whole number of credits. A request costs one.
///
/// Sums saturate: an absurdly large budget never wraps around to a small one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Credits(u64);

impl Credits {
    /// No credits.
    pub const ZERO: Credits = Credits(0);
    /// The price of one request.
    pub const ONE: Credits = Credits(1);

    /// That many credits.
    pub const fn new(credits: u64) -> Self {
        Self(credits)
    }

    /// An estimate rounded up to whole credits. A millionth above a whole number, the rounding error of a
    /// sum, is ignored. Negative numbers and NaN become zero.
    pub fn estimated(credits: f64) -> Self {
        Self((credits - 1e-6).ceil() as u64)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number for a gauge; exact up to 2^53.
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn less(self, other: Credits) -> Credits {
        Credits(self.0.saturating_sub(other.0))
    }
}

impl Add for Credits {
    type Output = Credits;

    fn add(self, other: Credits) -> Credits {
        Credits(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Credits {
    fn add_assign(&mut self, other: Credits) {
        *self = *self + other;
    }
}

impl Sum for Credits {
    fn sum<I: Iterator<Item = Credits>>(credits: I) -> Credits {
        credits.fold(Credits::ZERO, Add::add)
    }
}

/// With commas between thousands; respects width and alignment.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_rounded_up_and_numbers_grouped() {
        for (estimate, want) in [
            (0.0, "0"),
            (-3.0, "0"),
            (f64::NAN, "0"),
            (0.1, "1"),
            (999.0, "999"),
            (1_000.000_000_1, "1,000"),
            (1_234_567.5, "1,234,568"),
            (f64::INFINITY, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(Credits::estimated(estimate).to_string(), want);
        }
        assert_eq!(format!("{:>6}", Credits::new(1_000)), " 1,000");
    }

    #[test]
    fn sums_saturate() {
        let most = Credits::new(u64::MAX);
        assert_eq!([most, Credits::ONE].into_iter().sum::<Credits>(), most);
        assert_eq!(Credits::ONE.less(most), Credits::ZERO);
    }
}
