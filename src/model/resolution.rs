//! The step in which a public count is seen to move.

/// How many distinct values the verdict looks at.
const KEPT: usize = 8;

/// The last distinct values of one count, newest first.
///
/// The platform rounds large counts for display: 1,820,000,000 next moves to 1,830,000,000. The
/// step is not announced, so it is read off the values: the largest power of ten that divides them
/// all. One value of an exact count can end in zeros by chance; eight distinct ones hardly do.
///
/// The step grows a thousandfold where a count passes a million or a billion. So once the two latest
/// values end in that many more zeros than the ones before, those count no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentValues(Box<[u64]>);

impl RecentValues {
    /// From stored values, newest first; superfluous ones are dropped.
    pub fn from_newest_first(values: impl IntoIterator<Item = u64>) -> Self {
        let mut kept = Vec::new();
        for value in values {
            if kept.len() < KEPT && !kept.contains(&value) {
                kept.push(value);
            }
        }
        Self(kept.into())
    }

    /// The values, newest first, at most eight, all different.
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }

    /// The newest value.
    pub fn latest(&self) -> Option<u64> {
        self.0.first().copied()
    }

    /// Puts `value` in front.
    pub fn push(&mut self, value: u64) {
        *self = Self::from_newest_first(std::iter::once(value).chain(self.0.iter().copied()));
    }

    /// The largest power of ten that divides all the values; 1 when they are exact, or all zero.
    /// `None` before the first value.
    pub fn resolution(&self) -> Option<u64> {
        if self.0.is_empty() {
            return None;
        }
        let steps: Vec<u64> =
            self.0.iter().filter(|value| **value != 0).map(|value| step_shown_by(*value)).collect();
        let latest = steps.iter().take(2).copied().min().filter(|step| steps.len() > 1 && *step >= NO_CHANCE);
        let least = latest.map_or(0, |step| step / GROWTH);
        Some(steps.into_iter().take_while(|step| *step > least).min().unwrap_or(1))
    }
}

/// A multiple of this is round on purpose, and one below it was meant to be: whoever made a number of
/// "4.1 B" by floating-point arithmetic gets 4,099,999,999 now and then.
const NO_CHANCE: u64 = 100_000;
/// How much the platform's step grows at once.
const GROWTH: u64 = 1_000;

/// The step that `value`, which is not zero, shows by itself.
fn step_shown_by(value: u64) -> u64 {
    let above = value.checked_add(1).map_or(1, power_of_ten_in);
    if above >= NO_CHANCE { above } else { power_of_ten_in(value) }
}

/// The largest power of ten that divides `value`, which is not zero.
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
    fn an_old_exact_value_leaves_after_eight_others() {
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
