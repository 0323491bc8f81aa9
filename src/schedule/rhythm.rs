//! How the budget changes the interval of a job.

use std::time::Duration;

/// Relative difference below which two rhythms count as equal.
const TOLERANCE: f64 = 0.05;

/// How the budget changes the interval of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rhythm {
    /// The interval is multiplied by this factor, with slots spread evenly: 1 is as configured, 2 half as
    /// often. Values below 1, infinity and NaN count as 1.
    Stretched(f64),
    /// That long after the last refresh, but at least the configured interval.
    After(Duration),
}

impl Rhythm {
    /// The configured interval.
    pub const AS_CONFIGURED: Rhythm = Rhythm::Stretched(1.0);
}

impl Rhythm {
    /// With the factor in its valid range.
    pub(super) fn clamped(self) -> Self {
        match self {
            Self::Stretched(factor) if factor.is_finite() => Self::Stretched(factor.max(1.0)),
            Self::Stretched(_) => Self::AS_CONFIGURED,
            after @ Self::After(_) => after,
        }
    }

    /// Whether the difference is too small to change due times.
    pub(super) fn is_near(self, other: Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= b * TOLERANCE;
        match (self, other) {
            (Self::Stretched(a), Self::Stretched(b)) => a == b || near(a, b) && (a > 1.0) == (b > 1.0),
            (Self::After(a), Self::After(b)) => near(a.as_secs_f64(), b.as_secs_f64()),
            _ => false,
        }
    }
}
