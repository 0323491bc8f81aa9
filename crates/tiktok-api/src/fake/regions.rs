//! The regions of the simulated world, and the share of posts from each.

use super::dice::Dice;
use crate::Region;

/// Code, name, and share of all posts in an ordinary hashtag (the shares add up to about 1).
pub(super) const REGIONS: [(&str, &str, f64); 24] = [
    ("US", "United States", 0.26),
    ("GB", "United Kingdom", 0.09),
    ("DE", "Germany", 0.07),
    ("BR", "Brazil", 0.07),
    ("MX", "Mexico", 0.06),
    ("ID", "Indonesia", 0.06),
    ("JP", "Japan", 0.05),
    ("FR", "France", 0.05),
    ("PH", "Philippines", 0.04),
    ("CA", "Canada", 0.03),
    ("ES", "Spain", 0.03),
    ("IT", "Italy", 0.03),
    ("VN", "Vietnam", 0.03),
    ("TH", "Thailand", 0.02),
    ("AU", "Australia", 0.02),
    ("PL", "Poland", 0.02),
    ("NL", "Netherlands", 0.01),
    ("TR", "Türkiye", 0.01),
    ("SE", "Sweden", 0.01),
    ("KR", "South Korea", 0.01),
    ("AR", "Argentina", 0.01),
    ("CO", "Colombia", 0.01),
    ("MY", "Malaysia", 0.01),
    ("ZA", "South Africa", 0.01),
];

/// The distribution of the posts of a hashtag over the regions.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    /// For each region, the share of posts in it and in those before it.
    cumulated: [f64; REGIONS.len()],
}

impl Spread {
    /// Every hashtag has its own distribution: the usual shares, each times 0.5 to 2.
    pub(super) fn new(dice: Dice) -> Self {
        let weight = |n: usize| REGIONS[n].2 * 2.0_f64.powf(dice.about(n as u64).between(-1.0, 1.0));
        let weights: [f64; REGIONS.len()] = std::array::from_fn(weight);
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulated = weights.map(|weight| {
            sum += weight / total;
            sum
        });
        Self { cumulated }
    }

    /// The region of a post.
    pub(super) fn draw(&self, dice: Dice) -> usize {
        let draw = dice.unit();
        self.cumulated.iter().position(|upper| draw < *upper).unwrap_or(0)
    }

    /// The share of posts in the region with this number.
    pub(super) fn share(&self, number: usize) -> f64 {
        let below = number.checked_sub(1).map_or(0.0, |before| self.cumulated[before]);
        self.cumulated[number] - below
    }
}

/// The number of a region in [`REGIONS`]; `None` for one without posts.
pub(super) fn number(region: Region) -> Option<usize> {
    REGIONS.iter().position(|(code, _, _)| *code == region.as_str())
}
