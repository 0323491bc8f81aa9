//! The rate of posts of a hashtag at any hour.

use super::catalog::{Kind, burst_phase, entry};
use super::dice::Dice;

/// Hours in a day, a week.
const DAY: f64 = 24.0;
const WEEK: f64 = 168.0;

/// The rates of one hashtag. Times are hours since the beginning of the simulated world.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    kind: Kind,
    /// Posts an hour on an ordinary day.
    base: f64,
    /// The hour of the day with the most posts.
    peak_hour: f64,
    bursts: Bursts,
}

/// When and how a bursting hashtag bursts: once in every period.
#[derive(Debug, Clone, Copy)]
struct Bursts {
    dice: Dice,
    period: f64,
    phase: f64,
}

/// One burst.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Burst {
    onset: f64,
    height: f64,
    rise: f64,
    decay: f64,
}

impl Rate {
    pub(super) fn new(name: &str, kind: Kind, dice: Dice) -> Self {
        let size = dice.named("size");
        let drawn = match kind {
            Kind::Huge => size.between(4_000.0, 12_000.0),
            Kind::Dead => size.between(0.001, 0.004),
            // Between one post in two hours and 60 an hour, small ones more often.
            _ => 0.5 * 120.0_f64.powf(size.unit()),
        };
        let base = entry(name).map_or(drawn, |listed| listed.posts_per_hour);
        let dice_of_bursts = dice.named("bursts");
        let phase = burst_phase(name).unwrap_or_else(|| dice_of_bursts.named("phase").unit());
        let period = match burst_phase(name) {
            Some(_) => 14.0 * DAY,
            None => dice_of_bursts.named("period").between(14.0, 40.0) * DAY,
        };
        Self {
            kind,
            base,
            peak_hour: dice.named("peak").between(0.0, DAY),
            bursts: Bursts { dice: dice_of_bursts, period, phase: phase * period },
        }
    }

    /// Posts an hour on an ordinary day.
    pub(super) fn usual(&self) -> f64 {
        self.base
    }

    /// Posts expected in the hour that begins at `hour`.
    pub(super) fn posts_in(&self, hour: i64) -> f64 {
        let middle = hour as f64 + 0.5;
        let time_of_day = 1.0 + 0.4 * ((middle - self.peak_hour) / DAY * std::f64::consts::TAU).cos();
        self.base * time_of_day * self.level(middle)
    }

    /// Plays of a post of this hour relative to an ordinary post.
    pub(super) fn attention(&self, hour: i64) -> f64 {
        1.0 + (self.level(hour as f64 + 0.5) - 1.0).max(0.0)
            * if self.kind == Kind::Burst { 0.05 } else { 0.0 }
    }

    /// The rate divided by the ordinary rate, without the effect of the time of day.
    pub(super) fn level(&self, at: f64) -> f64 {
        match self.kind {
            // Bounded, so that no future moment overflows.
            Kind::Growing => (0.0015 * (at / DAY).clamp(0.0, 3_000.0)).exp(),
            // The world begins on a Saturday.
            Kind::Weekly => {
                if at.rem_euclid(WEEK) < 2.0 * DAY {
                    1.6
                } else {
                    0.8
                }
            }
            Kind::Ramp => ramp((at / DAY + self.bursts.phase / DAY).rem_euclid(60.0)),
            Kind::Burst => 1.0 + self.bursts.around(at).map(|burst| burst.excess(at)).sum::<f64>(),
            _ => 1.0,
        }
    }

    /// The onsets of bursts in `from..to`.
    pub(super) fn onsets(&self, from: f64, to: f64) -> Vec<f64> {
        if self.kind != Kind::Burst || to <= from {
            return Vec::new();
        }
        let first = self.bursts.number(from) - 1;
        let numbers = first..=self.bursts.number(to);
        numbers.map(|n| self.bursts.get(n).onset).filter(|onset| (from..to).contains(onset)).collect()
    }
}

/// A cycle of 60 days: three weeks up, nine days at the top, ten days down, three weeks at rest.
fn ramp(day: f64) -> f64 {
    match day {
        day if day < 21.0 => 1.0 + 4.0 * day / 21.0,
        day if day < 30.0 => 5.0,
        day if day < 40.0 => 5.0 - 4.0 * (day - 30.0) / 10.0,
        _ => 1.0,
    }
}

impl Bursts {
    /// The number of the period of a moment.
    fn number(self, at: f64) -> i64 {
        ((at - self.phase) / self.period).floor() as i64
    }

    fn get(self, number: i64) -> Burst {
        let dice = self.dice.about(number as u64);
        Burst {
            // Within the first fifth of the period, so that bursts neither coincide nor repeat exactly.
            onset: self.phase + (number as f64 + dice.named("onset").between(0.0, 0.2)) * self.period,
            height: dice.named("height").between(7.0, 29.0),
            rise: dice.named("rise").between(4.0, 14.0),
            decay: dice.named("decay").between(1.5, 3.5) * DAY,
        }
    }

    /// The bursts that affect a moment.
    fn around(self, at: f64) -> impl Iterator<Item = Burst> {
        let number = self.number(at);
        [number - 1, number].into_iter().map(move |number| self.get(number))
    }
}

impl Burst {
    /// What the burst adds to the ordinary rate.
    fn excess(self, at: f64) -> f64 {
        let age = at - self.onset;
        if age < 0.0 {
            0.0
        } else if age < self.rise {
            self.height * age / self.rise
        } else {
            self.height * (-(age - self.rise) / self.decay).exp()
        }
    }
}
