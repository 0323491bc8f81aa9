//! The rounding step of a public count.

/// Distinct values to keep.
const KEPT: usize = 8;

/// The last distinct values of one count, newest first.
///
/// The platform rounds large counts: 1,820,000,000 is followed by 1,830,000,000. It does not say the step, so
/// the step is inferred from the values: the largest power of ten that divides them all. A single exact count
/// can end in zeros by chance; eight distinct ones hardly do.
///
/// The step grows by 1,000 when a count passes a million or a billion. Once the two latest values end in that
/// many more zeros than the older ones, the older ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentValues(Box<[u64]>);

impl RecentValues {
    /// From stored values, newest first. Duplicates and values beyond the eighth are dropped.
    pub fn from_newest_first(values: impl IntoIterator<Item = u64>) -> Self {
        let mut kept = Vec::new();
        for value in values {
            if kept.len() < KEPT && !kept.contains(&value) {
                kept.push(value);
            }
        }
        Self(kept.into())
    }

    /// At most eight distinct values, newest first.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }

    /// The newest value.
    pub fn latest(&self) -> Option<u64> {
        self.0.first().copied()
    }

    /// Adds the newest value.
    pub fn push(&mut self, value: u64) {
        *self = Self::from_newest_first(std::iter::once(value).chain(self.0.iter().copied()));
    }

    /// The rounding step, a power of ten: 1 if the values are exact or all zero. `None` without values.
    pub fn resolution(&self) -> Option<u64> {
        if self.0.is_empty() {
            return None;
        }
        let steps: Vec<u64> =
            self.0.iter().filter(|value| **value != 0).map(|value| step_shown_by(*value)).collect();
        let latest = steps.iter().take(2).copied().min().filter(|step| steps.len() > 1 && *step >= ROUNDED);
        let least = latest.map_or(0, |step| step / STEP_GROWTH);
        Some(steps.into_iter().take_while(|step| *step > least).min().unwrap_or(1))
    }
}

/// A multiple of this is rounded on purpose. One below a multiple counts as well: "4.1 B", converted in
/// floating point, is sometimes 4,099,999,999.
const ROUNDED: u64 = 100_000;
/// The factor by which the platform's step grows.
const STEP_GROWTH: u64 = 1_000;

/// The step that a single value suggests; `value` is not zero.
fn step_shown_by(value: u64) -> u64 {
    let above = value.checked_add(1).map_or(1, power_of_ten_in);
    if above >= ROUNDED { above } else { power_of_ten_in(value) }
}

/// The largest power of ten that divides `value`; `value` is not zero.
fn power_of_ten_in(mut value: u64) -> u64 {
    let mut power = 1;
    while value.is_multiple_of(10) {
        value /= 10;
        power *= 10;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_the_largest_power_of_ten_in_all_values() {
        for (values, want) in [
            (vec![], None),
            (vec![0], Some(1)),
            (vec![0, 0], Some(1)),
            (vec![1_820_000_000], Some(10_000_000)),
            (vec![1_820_000_000, 1_830_000_000, 1_900_000_000], Some(10_000_000)),
            (vec![1_820_000_000, 1_825_300_000], Some(100_000)),
            (vec![11_045_675, 11_045_671], Some(1)),
            (vec![0, 4_200], Some(100)),
            (vec![999_700, 999_900, 1_000_000], Some(100)),
            (vec![999_900, 1_000_000, 1_100_000], Some(100_000)),
            (vec![999_900_000, 1_000_000_000, 1_100_000_000], Some(100_000_000)),
            (vec![1_200_000, 1_234_567], Some(1)),
            (vec![1_780_000_000, 1_800_000_000, 1_900_000_000], Some(10_000_000)),
            (vec![4_099_999_999, 4_000_000_000], Some(100_000_000)),
            (vec![4_099_999_999, 4_012_345_678], Some(1)),
            (vec![29_999], Some(1)),
            (vec![u64::MAX], Some(1)),
            (vec![10_000_000_000_000_000_000], Some(10_000_000_000_000_000_000)),
        ] {
            let mut recent = RecentValues::default();
            values.iter().for_each(|value| recent.push(*value));
            assert_eq!(recent.resolution(), want, "{values:?}");
        }
    }

    #[test]
    fn an_old_exact_value_is_dropped_after_eight_others() {
        let mut recent = RecentValues::default();
        recent.push(9_999);
        for step in 1..=8 {
            assert_eq!(recent.resolution(), Some(1), "after {} rounded values", step - 1);
            recent.push(10_000 + step * 100);
        }
        assert_eq!(recent.resolution(), Some(100));
    }

    #[test]
    fn a_value_seen_again_is_kept_once_and_counts_as_newest() {
        let mut recent = RecentValues::default();
        [5, 6, 5].into_iter().for_each(|value| recent.push(value));
        assert_eq!(recent.as_slice(), [5, 6]);
        assert_eq!(RecentValues::from_newest_first([5, 6, 5]), recent);
    }
}
