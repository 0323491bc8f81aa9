//! Which part of one watchlist an exporter watches, when several share it. Pure.

use tiktok_api::Hashtag;

use crate::watch::Watchlist;

/// One exporter among several that share a watchlist, an account and its rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// Alone: it watches everything and has all credits.
    pub const WHOLE: Shard = Shard { index: 0, of: 1 };

    /// The one numbered `index`, from 0, among `of`; none if there is no such one.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of).then_some(Self { index, of })
    }

    /// Its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are, at least 1.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether this one watches `hashtag`. Exactly one of all does: the one that draws the highest
    /// number for it. Who draws highest changes for one hashtag in n when an n-th exporter is added,
    /// and those move to the new one; all others stay where they are.
    pub fn holds(self, hashtag: &Hashtag) -> bool {
        self.holds_text(hashtag.as_str())
    }

    /// The same for a keyword that is followed.
    pub fn holds_text(self, text: &str) -> bool {
        let draw = |number: u32| (mixed(fingerprint(text) ^ mixed(u64::from(number) + 1)), number);
        (0..self.of).map(draw).max() == Some(draw(self.index))
    }

    /// What this one watches of a watchlist.
    pub fn part_of(self, whole: Watchlist) -> Watchlist {
        let mut part = whole;
        part.entries.retain(|entry| self.holds(&entry.hashtag));
        part
    }

    /// Its share of a number; the shares of all add up to the number.
    pub fn share(self, whole: u64) -> u64 {
        let (index, of) = (u64::from(self.index), u64::from(self.of));
        whole / of + u64::from(index < whole % of)
    }
}

/// FNV-1a, which never changes: another version of this program must find every hashtag where this
/// one left it.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// SplitMix64's last step: every bit of the result depends on every bit of the number.
fn mixed(number: u64) -> u64 {
    let once = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hashtags(count: usize) -> Vec<Hashtag> {
        (0..count).map(|number| Hashtag::parse(&format!("tag{number}")).unwrap()).collect()
    }

    /// Which of `of` shards hold a hashtag.
    fn holders(hashtag: &Hashtag, of: u32) -> Vec<u32> {
        (0..of).filter(|index| Shard::new(*index, of).unwrap().holds(hashtag)).collect()
    }

    proptest! {
        #[test]
        fn every_hashtag_has_exactly_one_place(name in "[a-z0-9日本é]{1,20}", of in 1_u32..40) {
            let Ok(hashtag) = Hashtag::parse(&name) else { return Ok(()) };
            prop_assert_eq!(holders(&hashtag, of).len(), 1);
        }

        #[test]
        fn one_more_shard_takes_from_the_others_and_moves_nothing_else(
            name in "[a-z0-9]{1,20}", of in 1_u32..40,
        ) {
            let hashtag = Hashtag::parse(&name).unwrap();
            let (before, after) = (holders(&hashtag, of), holders(&hashtag, of + 1));
            prop_assert!(after == before || after == [of], "{before:?} {after:?}");
        }

        #[test]
        fn shares_add_up(whole in 0_u64..1_000_000_000_000, of in 1_u32..100) {
            let shares = (0..of).map(|index| Shard::new(index, of).unwrap().share(whole));
            prop_assert_eq!(shares.sum::<u64>(), whole);
        }
    }

    #[test]
    fn a_new_shard_takes_its_share_and_no_more() {
        let all = hashtags(10_000);
        for of in [1, 2, 3, 7, 15] {
            let new = Shard::new(of, of + 1).unwrap();
            let moved = all.iter().filter(|hashtag| new.holds(hashtag)).count() as f64;
            let fair = 10_000.0 / f64::from(of + 1);
            // Five standard deviations.
            assert!((moved - fair).abs() < 5.0 * fair.sqrt(), "{moved} of 10000 move to number {of}");
        }
    }

    #[test]
    fn places_never_change() {
        let places: Vec<u32> = ["booktok", "日本", "café", "2025", "fyp", "skincare"]
            .iter()
            .flat_map(|name| holders(&Hashtag::parse(name).unwrap(), 5))
            .collect();
        assert_eq!(places, PLACES_OF_VERSION_0_1);
    }

    const PLACES_OF_VERSION_0_1: [u32; 6] = [0, 0, 1, 2, 1, 1];
}
