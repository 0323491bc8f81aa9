//! The constant properties of a hashtag, and its random events.

use units::Timestamp;

use super::catalog::{self, Kind};
use super::dice::Dice;
use super::rate::Rate;
use super::regions::Spread;

/// Hours after which a post has 63 % of all the plays it will have.
pub(super) const PLAYS_TAU: f64 = 36.0;

/// One hashtag of the world.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) kind: Kind,
    pub(super) rate: Rate,
    pub(super) spread: Spread,
    /// Posts before the world began.
    pub(super) posts_before: u64,
    /// Views before the world began.
    pub(super) views_before: f64,
    /// Mean plays of an ordinary post in total.
    pub(super) plays_per_post: f64,
    /// How many posts the API lists at most.
    pub(super) depth: usize,
    /// For other decisions about the hashtag.
    pub(super) dice: Dice,
    beginning: Timestamp,
    counts: Dice,
    posts: Dice,
}

impl Profile {
    /// The hashtag of this name in a world with this beginning; `None` if it does not exist.
    pub(super) fn new(name: &str, world: Dice, beginning: Timestamp) -> Option<Self> {
        let dice = world.named(name);
        let kind = catalog::kind(name, dice)?;
        let rate = Rate::new(name, kind, dice);
        let years_before = dice.named("years").between(0.5, 3.0);
        let posts_before = (rate.usual() * 24.0 * 365.0 * years_before).round();
        let plays_per_post = 800.0 * 25.0_f64.powf(dice.named("plays").unit());
        Some(Self {
            kind,
            rate,
            spread: Spread::new(dice.named("regions")),
            posts_before: posts_before as u64,
            views_before: (posts_before * plays_per_post).round(),
            plays_per_post,
            depth: 800 + dice.named("depth").below(4_200) as usize,
            dice,
            beginning,
            counts: dice.named("counts"),
            posts: dice.named("posts"),
        })
    }

    /// How many posts were published in an hour: a Poisson draw of the hour's rate.
    pub(super) fn posts_in(&self, hour: i64) -> u64 {
        self.counts.about(hour as u64).poisson(self.rate.posts_in(hour))
    }

    /// The dice of one of the posts of an hour.
    pub(super) fn post(&self, hour: i64, number: u64) -> Dice {
        self.posts.about(hour as u64).about(number)
    }

    /// The time of a second of the world.
    pub(super) fn time_of(&self, second: i64) -> Timestamp {
        Timestamp::from_secs(self.beginning.as_secs() + second)
    }

    /// Second of its hour in which a post was published, 0 to 3,599: uniform, as in a Poisson process.
    pub(super) fn second(post: Dice) -> u64 {
        post.about(1).below(3_600)
    }
}
