//! What the budget makes of how often a job is run.

use std::time::Duration;

/// Rhythms that differ by less than this part are taken for the same.
const RHYTHM_TOLERANCE: f64 = 0.05;

/// What the budget makes of a job's interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rhythm {
    /// This factor on the interval, with slots spread evenly: 1 as configured, 2 half as often. Below
    /// 1, infinite, and no number count as 1.
    Stretched(f64),
    /// That long after the last refresh, but no shorter than configured.
    After(Duration),
}

impl Rhythm {
    /// Nothing is changed.
    pub const AS_CONFIGURED: Rhythm = Rhythm::Stretched(1.0);
}

impl Rhythm {
    /// Out of bounds as little as possible.
    pub(super) fn sound(self) -> Self {
        match self {
            Self::Stretched(factor) if factor.is_finite() => Self::Stretched(factor.max(1.0)),
            Self::Stretched(_) => Self::AS_CONFIGURED,
            after @ Self::After(_) => after,
        }
    }

    /// Whether the difference is not worth new due times.
    pub(super) fn is_near(self, other: Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= b * RHYTHM_TOLERANCE;
        match (self, other) {
            (Self::Stretched(a), Self::Stretched(b)) => a == b || near(a, b) && (a > 1.0) == (b > 1.0),
            (Self::After(a), Self::After(b)) => near(a.as_secs_f64(), b.as_secs_f64()),
            _ => false,
        }
    }
}
