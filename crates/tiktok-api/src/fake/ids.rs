//! Converts names to ids and back.
//!
//! The name must follow from the id, also after a restart and without storage: ids of the
//! catalogue are looked up, those of other short names encode the name as a number.
//! Only names that are too long for an id of 32 digits are remembered.

use std::collections::HashMap;
use std::sync::Mutex;

use super::catalog::CATALOG;
use super::dice::Dice;
use crate::{ChallengeId, Hashtag};

/// The letters of names that can be written as numbers; the digit of a letter is its index plus one.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
const BASE: u128 = LETTERS.len() as u128 + 1;
/// 38^19 and 256^12 have at most 31 digits, which leaves one digit for the kind of id.
const LETTERS_MAX: usize = 19;
const BYTES_MAX: usize = 12;
/// Maximum long names that are remembered.
const REMEMBERED_MAX: usize = 65_536;

/// The first digit is the encoding of the rest.
const OF_LETTERS: char = '1';
const OF_BYTES: char = '2';
const REMEMBERED: char = '3';
const OF_CATALOG: char = '7';

/// The ids of a world.
#[derive(Debug)]
pub(super) struct Ids {
    dice: Dice,
    remembered: Mutex<HashMap<ChallengeId, Hashtag>>,
}

impl Ids {
    pub(super) fn new(dice: Dice) -> Self {
        Self { dice: dice.named("ids"), remembered: Mutex::default() }
    }

    /// The id of a hashtag.
    pub(super) fn id(&self, hashtag: &Hashtag) -> ChallengeId {
        let name = hashtag.as_str();
        let number = if CATALOG.iter().any(|listed| listed.name == name) {
            format!("{OF_CATALOG}{}", self.hash(name))
        } else if let Some(number) = letters(name) {
            format!("{OF_LETTERS}{number}")
        } else if name.len() <= BYTES_MAX {
            format!("{OF_BYTES}{}", name.bytes().fold(0, |number, byte| number << 8 | u128::from(byte)))
        } else {
            format!("{REMEMBERED}{}", self.hash(name))
        };
        let id = ChallengeId::parse(&number).expect("at most 32 digits, of which the first is not 0");
        if number.starts_with(REMEMBERED) {
            let mut remembered = self.remembered();
            if remembered.len() >= REMEMBERED_MAX {
                remembered.clear();
            }
            remembered.insert(id.clone(), hashtag.clone());
        }
        id
    }

    /// The hashtag with an id, if the id is valid; the hashtag need not exist.
    pub(super) fn hashtag(&self, id: &ChallengeId) -> Option<Hashtag> {
        let (kind, rest) = id.as_str().split_at(1);
        let number: u128 = rest.parse().ok()?;
        let name = match kind.chars().next()? {
            OF_LETTERS => name_of_letters(number)?,
            OF_BYTES => name_of_bytes(number)?,
            REMEMBERED => return self.remembered().get(id).cloned(),
            OF_CATALOG => {
                let listed = CATALOG.iter().find(|listed| self.hash(listed.name) == rest)?;
                listed.name.to_owned()
            }
            _ => return None,
        };
        let hashtag = Hashtag::parse(&name).ok().filter(|hashtag| hashtag.as_str() == name)?;
        // A number can decode to a name whose id is a different one.
        (self.id(&hashtag) == *id).then_some(hashtag)
    }

    /// 18 digits.
    fn hash(&self, name: &str) -> String {
        format!("{:018}", self.dice.named(name).below(1_000_000_000_000_000_000))
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<ChallengeId, Hashtag>> {
        self.remembered.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn letters(name: &str) -> Option<u128> {
    if name.len() > LETTERS_MAX {
        return None;
    }
    name.bytes().try_fold(0, |number: u128, byte| {
        let place = LETTERS.iter().position(|letter| *letter == byte)?;
        Some(number * BASE + place as u128 + 1)
    })
}

fn name_of_letters(mut number: u128) -> Option<String> {
    let mut name = Vec::new();
    while number > 0 {
        let place = usize::try_from(number % BASE).ok()?.checked_sub(1)?;
        name.push(*LETTERS.get(place)?);
        number /= BASE;
    }
    name.reverse();
    String::from_utf8(name).ok()
}

fn name_of_bytes(number: u128) -> Option<String> {
    let bytes = number.to_be_bytes();
    let name: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(ids: &Ids, name: &str) -> Option<String> {
        ids.hashtag(&ids.id(&Hashtag::parse(name).unwrap())).map(|hashtag| hashtag.to_string())
    }

    #[test]
    fn every_id_leads_back_to_its_name_also_in_another_process() {
        let ids = Ids::new(Dice::new(1));
        let names =
            ["no", "2025", "日本", "smallbusinesscheck", "tag00017", "a", "exactly19characters", "ñandú"];
        for name in names {
            assert_eq!(round_trip(&ids, name).as_deref(), Some(name));
            let id = ids.id(&Hashtag::parse(name).unwrap());
            let elsewhere = Ids::new(Dice::new(1)).hashtag(&id);
            assert_eq!(elsewhere.map(|hashtag| hashtag.to_string()).as_deref(), Some(name), "{id}");
        }
        let long = "averyverylonghashtagthatnobodywouldtype";
        assert_eq!(round_trip(&ids, long).as_deref(), Some(long));
    }

    #[test]
    fn the_ids_of_names_up_to_eleven_letters_fit_into_64_bits() {
        let id = Ids::new(Dice::new(1)).id(&Hashtag::parse("___________").unwrap());
        assert!(id.as_str().parse::<i64>().is_ok(), "{id}");
    }

    proptest! {
        #[test]
        fn no_id_breaks_and_none_leads_to_a_hashtag_with_another_id(digits in "[1-9][0-9]{0,31}") {
            let ids = Ids::new(Dice::new(1));
            let id = ChallengeId::parse(&digits).unwrap();
            if let Some(hashtag) = ids.hashtag(&id) {
                prop_assert_eq!(ids.id(&hashtag), id);
            }
        }

        #[test]
        fn names_of_any_script_round_trip(name in "\\PC{1,40}") {
            if let Ok(hashtag) = Hashtag::parse(&name) {
                let ids = Ids::new(Dice::new(1));
                prop_assert_eq!(ids.hashtag(&ids.id(&hashtag)), Some(hashtag));
            }
        }
    }
}
