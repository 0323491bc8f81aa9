//! The kinds of hashtags, and the kind of each name.
//!
//! Every valid hashtag exists in the simulated world, with a kind that depends on its name, except those that
//! start with [`NEVER`]. The names below have a fixed kind, for demos and tests.

use super::dice::Dice;

/// Hashtags that start with this do not exist: look-ups and searches answer "not found".
pub const NEVER: &str = "nosuch";

/// How a hashtag behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Posts at a constant rate.
    Steady,
    /// The rate grows by about 0.15 % a day.
    Growing,
    /// Weekends bring twice as many posts as weekdays.
    Weekly,
    /// From time to time the rate jumps 8- to 30-fold within hours and decays over days.
    Burst,
    /// The rate climbs five-fold over three weeks, stays, and falls back.
    Ramp,
    /// So large that its totals are rounded to three digits.
    Huge,
    /// One post every few weeks.
    Dead,
    /// Steady, but unknown to the API for some hours from time to time.
    Vanishing,
    /// Steady, but its totals are shown lower for ten minutes from time to time, as from a stale cache.
    Dipping,
    /// Steady, but a look-up by name does not find it; a search and a look-up by id do.
    IdOnly,
}

/// A hashtag with a fixed kind.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Posts an hour on an ordinary day, worldwide.
    pub posts_per_hour: f64,
}

const fn listed(name: &'static str, kind: Kind, posts_per_hour: f64) -> Listed {
    Listed { name, kind, posts_per_hour }
}

/// The hashtags with a fixed kind.
pub const CATALOG: [Listed; 24] = [
    listed("booktok", Kind::Burst, 30.0),
    listed("bookhaul", Kind::Steady, 1.2),
    listed("romantasy", Kind::Burst, 2.0),
    listed("cozyfantasy", Kind::Ramp, 1.5),
    listed("日本", Kind::Weekly, 6.0),
    listed("cleantok", Kind::Burst, 1.6),
    listed("moneytok", Kind::Growing, 3.0),
    listed("smallbusinesscheck", Kind::Dipping, 0.8),
    listed("café", Kind::Steady, 0.6),
    listed("thriftflip", Kind::Burst, 0.9),
    listed("skincareroutine", Kind::Weekly, 5.0),
    listed("fyp", Kind::Huge, 9_000.0),
    listed("viral", Kind::Huge, 6_000.0),
    listed("glowup", Kind::Burst, 1.0),
    listed("hairtok", Kind::Ramp, 1.8),
    listed("slugging", Kind::Burst, 0.5),
    listed("indiebeauty", Kind::IdOnly, 0.7),
    listed("mewing2019", Kind::Dead, 0.002),
    listed("fidgetspinner", Kind::Dead, 0.003),
    listed("restocktok", Kind::Vanishing, 1.1),
    listed("plantparent", Kind::Growing, 2.2),
    listed("deskmakeover", Kind::Steady, 0.9),
    listed("2025", Kind::Weekly, 12.0),
    listed("no", Kind::Steady, 4.0),
];

/// The entry of a hashtag in the catalogue.
pub(super) fn entry(name: &str) -> Option<&'static Listed> {
    CATALOG.iter().find(|listed| listed.name == name)
}

/// The kind of a hashtag; `None` for one that does not exist. `dice` is the hashtag's own.
pub(super) fn kind(name: &str, dice: Dice) -> Option<Kind> {
    if name.starts_with(NEVER) {
        return None;
    }
    Some(entry(name).map(|listed| listed.kind).unwrap_or_else(|| match dice.named("kind").below(100) {
        0..30 => Kind::Steady,
        30..45 => Kind::Growing,
        45..57 => Kind::Weekly,
        57..72 => Kind::Burst,
        72..80 => Kind::Ramp,
        80..82 => Kind::Huge,
        82..90 => Kind::Dead,
        90..93 => Kind::Vanishing,
        93..97 => Kind::Dipping,
        _ => Kind::IdOnly,
    }))
}

/// The phase of the cycle of a bursting hashtag of the catalogue, 0 to 1: evenly spread, so that one of
/// them is always rising. `None` for other names.
pub(super) fn burst_phase(name: &str) -> Option<f64> {
    let bursting = || CATALOG.iter().filter(|listed| listed.kind == Kind::Burst);
    let rank = bursting().position(|listed| listed.name == name)?;
    Some(rank as f64 / bursting().count() as f64)
}
