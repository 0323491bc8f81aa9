//! Compact figures of samples.

use std::fmt;

use units::Timestamp;

use crate::model::SampleStats;

/// The figures of a sample, and when it was taken. Takes two thirds of the memory of [`SampleStats`], because
/// there is one for every pair of hashtag and region.
#[derive(Clone, PartialEq)]
pub struct Sampled {
    /// When the sample was taken.
    pub at: Timestamp,
    velocity: f64,
    /// Optional values; 0 if absent according to `present`.
    fractions: [f64; 4],
    sums: [u64; 5],
    posts: [u32; 3],
    pages: u32,
    saturated: bool,
    /// One bit per fraction, then one per sum.
    present: u16,
}

impl Sampled {
    /// The figures of a sample taken at `at`.
    pub fn new(at: Timestamp, stats: &SampleStats) -> Self {
        let fractions = [
            stats.engagement_weighted_velocity,
            stats.engagement_ratio,
            stats.oldest_post_age_seconds,
            stats.region_match_ratio,
        ];
        let sums = [stats.plays, stats.likes, stats.comments, stats.shares, stats.saves];
        let are_present = fractions.iter().map(Option::is_some).chain(sums.iter().map(Option::is_some));
        // A sample has a few hundred posts.
        let count = |posts: u64| u32::try_from(posts).unwrap_or(u32::MAX);
        Self {
            at,
            velocity: stats.velocity,
            fractions: fractions.map(Option::unwrap_or_default),
            sums: sums.map(Option::unwrap_or_default),
            posts: [stats.posts_24h, stats.posts_7d, stats.posts_all].map(count),
            pages: stats.pages,
            saturated: stats.saturated,
            present: are_present.zip(0..).map(|(is_present, bit)| u16::from(is_present) << bit).sum(),
        }
    }

    /// The figures.
    pub fn stats(&self) -> SampleStats {
        let is_present = |bit: usize| self.present & (1 << bit) != 0;
        let fraction = |index: usize| is_present(index).then_some(self.fractions[index]);
        let sum = |index: usize| is_present(self.fractions.len() + index).then_some(self.sums[index]);
        let [posts_24h, posts_7d, posts_all] = self.posts.map(u64::from);
        SampleStats {
            posts_24h,
            posts_7d,
            posts_all,
            velocity: self.velocity,
            engagement_weighted_velocity: fraction(0),
            plays: sum(0),
            likes: sum(1),
            comments: sum(2),
            shares: sum(3),
            saves: sum(4),
            engagement_ratio: fraction(1),
            saturated: self.saturated,
            oldest_post_age_seconds: fraction(2),
            pages: self.pages,
            region_match_ratio: fraction(3),
        }
    }
}

impl fmt::Debug for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled").field("at", &self.at).field("stats", &self.stats()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stats() -> impl Strategy<Value = SampleStats> {
        let fraction = || any::<Option<f64>>();
        let sum = || any::<Option<u64>>();
        let sums = (sum(), sum(), sum(), sum(), sum());
        let fractions = (any::<f64>(), fraction(), fraction(), fraction(), fraction());
        (any::<[u32; 4]>(), sums, fractions, any::<bool>()).prop_map(
            |(counts, sums, fractions, saturated)| {
                let [posts_24h, posts_7d, posts_all] = [counts[0], counts[1], counts[2]].map(u64::from);
                let (plays, likes, comments, shares, saves) = sums;
                let (velocity, weighted, engagement_ratio, oldest_post_age_seconds, region_match_ratio) =
                    fractions;
                SampleStats {
                    posts_24h,
                    posts_7d,
                    posts_all,
                    velocity,
                    engagement_weighted_velocity: weighted,
                    plays,
                    likes,
                    comments,
                    shares,
                    saves,
                    engagement_ratio,
                    saturated,
                    oldest_post_age_seconds,
                    pages: counts[3],
                    region_match_ratio,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn figures_come_out_as_they_went_in(stats in stats()) {
            let sampled = Sampled::new(Timestamp::default(), &stats);
            prop_assert_eq!(sampled.stats(), stats);
        }
    }

    #[test]
    fn a_sample_is_small() {
        assert!(size_of::<Option<Sampled>>() <= 112, "{} bytes", size_of::<Option<Sampled>>());
    }
}
