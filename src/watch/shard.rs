//! Shards: several exporters that share one watchlist. Pure.

use tiktok_api::Hashtag;

use crate::watch::Watchlist;

/// One of several exporters that share a watchlist, an account and its rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// A single exporter with the whole watchlist and all credits.
    pub const WHOLE: Shard = Shard { index: 0, of: 1 };

    /// Shard `index` of `of`, counted from 0. `None` unless `index < of`.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of).then_some(Self { index, of })
    }

    /// The number of this shard, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// The number of shards, at least 1.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether this shard watches `hashtag`. Exactly one shard does: the one with the highest hash for it
    /// (rendezvous hashing). With an n-th shard, one hashtag in n moves to it and all others stay where they
    /// are.
    pub fn holds(self, hashtag: &Hashtag) -> bool {
        self.holds_text(hashtag.as_str())
    }

    /// The same for a followed keyword.
    pub fn holds_text(self, text: &str) -> bool {
        let hash = |number: u32| (mixed(fingerprint(text) ^ mixed(u64::from(number) + 1)), number);
        (0..self.of).map(hash).max() == Some(hash(self.index))
    }

    /// The part of a watchlist that this shard watches.
    pub fn part_of(self, whole: Watchlist) -> Watchlist {
        let mut part = whole;
        part.entries.retain(|entry| self.holds(&entry.hashtag));
        part
    }

    /// Its share of a number. The shares of all shards add up to the number.
    pub fn share(self, whole: u64) -> u64 {
        let (index, of) = (u64::from(self.index), u64::from(self.of));
        whole / of + u64::from(index < whole % of)
    }
}

/// FNV-1a. It must never change, or hashtags would move to other shards with a new version.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The last step of SplitMix64: every bit of the result depends on every bit of the number.
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
        fn every_hashtag_has_exactly_one_shard(name in "[a-z0-9日本é]{1,20}", of in 1_u32..40) {
            let Ok(hashtag) = Hashtag::parse(&name) else { return Ok(()) };
            prop_assert_eq!(holders(&hashtag, of).len(), 1);
        }

        #[test]
        fn another_shard_takes_hashtags_and_moves_no_others(
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
    fn a_new_shard_takes_a_fair_share() {
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
    fn assignments_never_change() {
        let places: Vec<u32> = ["booktok", "日本", "café", "2025", "fyp", "skincare"]
            .iter()
            .flat_map(|name| holders(&Hashtag::parse(name).unwrap(), 5))
            .collect();
        assert_eq!(places, PLACES_OF_VERSION_0_1);
    }

    const PLACES_OF_VERSION_0_1: [u32; 6] = [0, 0, 1, 2, 1, 1];
}
