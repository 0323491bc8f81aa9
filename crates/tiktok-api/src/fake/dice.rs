//! Random numbers by name: the same seed and name always give the same number.

/// A source of numbers that depend only on a seed and the topics that were mixed in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Dice for a sub-question.
    pub(super) fn about(self, topic: u64) -> Self {
        Self(mix(self.0 ^ topic.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Dice for a sub-question with a name.
    pub(super) fn named(self, name: &str) -> Self {
        name.as_bytes().iter().fold(self.about(name.len() as u64), |dice, byte| dice.about(u64::from(*byte)))
    }

    /// 64 random bits.
    pub(super) fn bits(self) -> u64 {
        mix(self.0)
    }

    /// A number from 0 up to, but not including, 1.
    pub(super) fn unit(self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number between `low` and `high`.
    pub(super) fn between(self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `bound`, which is not zero.
    pub(super) fn below(self, bound: u64) -> u64 {
        self.bits() % bound.max(1)
    }

    /// Whether an event of this probability happens.
    pub(super) fn happens(self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A standard normal number.
    pub(super) fn normal(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.about(1).unit()).cos()
    }

    /// A Poisson number with mean `expected`; above 60 its normal approximation.
    pub(super) fn poisson(self, expected: f64) -> u64 {
        if expected <= 0.0 {
            return 0;
        }
        if expected > 60.0 {
            return (expected + expected.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        // Inversion: walk up the distribution until it exceeds the draw.
        let draw = self.unit();
        let mut probability = (-expected).exp();
        let mut cumulated = probability;
        let mut count = 0;
        while draw > cumulated && count < 400 {
            count += 1;
            probability *= expected / count as f64;
            cumulated += probability;
        }
        count
    }
}

/// The finalizer of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_counts_have_the_mean_and_the_variance_of_their_distribution() {
        for expected in [0.05, 1.0, 7.5, 59.0, 300.0] {
            let draws: Vec<f64> =
                (0..20_000).map(|n| Dice::new(7).about(n).poisson(expected) as f64).collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
            // Six standard errors of the mean, and of the variance of a Poisson count.
            let tolerance = 6.0 * (expected / 20_000.0_f64).sqrt();
            assert!((mean - expected).abs() < tolerance, "{expected}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.1 + tolerance, "{expected}: variance {variance}");
        }
    }
}
