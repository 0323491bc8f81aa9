//! The API's JSON, as loosely as it comes.
//!
//! Counts arrive as numbers, as strings, as null, or not at all; ids as strings or numbers; flags
//! as booleans or 0/1. Every field is therefore read as a [`Scalar`] and asked afterwards for what
//! it can be; what it cannot be is "not said", never zero.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A hashtag: the whole answer of a look-up, an item of a search.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Challenge {
    pub(super) id: Scalar,
    pub(super) cha_name: Scalar,
    pub(super) user_count: Scalar,
    pub(super) view_count: Scalar,
    pub(super) desc: Scalar,
    pub(super) is_commerce: Scalar,
    pub(super) is_challenge: Scalar,
    pub(super) is_pgcshow: Scalar,
    pub(super) is_strong_music: Scalar,
    status: Scalar,
    message: Scalar,
    msg: Scalar,
    code: Scalar,
}

/// A page of posts or of hashtags.
#[derive(Debug, serde::Deserialize)]
#[serde(default, bound = "T: serde::Deserialize<'de>")]
pub(super) struct Listing<T> {
    #[serde(rename = "videos", alias = "challenge_list")]
    pub(super) items: Option<Items<T>>,
    pub(super) cursor: Scalar,
    #[serde(rename = "hasMore")]
    pub(super) has_more: Scalar,
    status: Scalar,
    message: Scalar,
    msg: Scalar,
    code: Scalar,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        let [cursor, has_more, status, message, msg, code] = std::array::from_fn(|_| Scalar::Absent);
        Self { items: None, cursor, has_more, status, message, msg, code }
    }
}

/// An answer of which nothing but success or failure is of interest.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    status: Scalar,
    message: Scalar,
    msg: Scalar,
    code: Scalar,
}

/// What every answer can say of its own success.
pub(super) trait Envelope {
    /// The four outcome fields: status, message, msg, code.
    fn outcome(&self) -> [&Scalar; 4];

    /// Whether everything that a good answer needs is there.
    fn is_complete(&self) -> bool;

    /// Whether it says `"status": "error"`.
    fn admits_error(&self) -> bool {
        let [status, ..] = self.outcome();
        matches!(status, Scalar::Text(text) if text.trim().eq_ignore_ascii_case("error"))
    }

    /// Whether it carries a negative code.
    fn has_negative_code(&self) -> bool {
        let [.., code] = self.outcome();
        code.is_negative()
    }

    /// What it says in words.
    fn said(&self) -> Option<String> {
        let [_, message, msg, _] = self.outcome();
        message.text().or_else(|| msg.text())
    }
}

impl Envelope for Challenge {
    fn outcome(&self) -> [&Scalar; 4] {
        [&self.status, &self.message, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        self.id.text().is_some()
    }
}

impl<T> Envelope for Listing<T> {
    fn outcome(&self) -> [&Scalar; 4] {
        [&self.status, &self.message, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        self.items.is_some()
    }
}

impl Envelope for Outcome {
    fn outcome(&self) -> [&Scalar; 4] {
        [&self.status, &self.message, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        false
    }
}

/// A post.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Video {
    pub(super) video_id: Scalar,
    pub(super) aweme_id: Scalar,
    pub(super) id: Scalar,
    pub(super) author: Object<Author>,
    pub(super) title: Scalar,
    pub(super) region: Scalar,
    pub(super) create_time: Scalar,
    pub(super) play_count: Scalar,
    pub(super) digg_count: Scalar,
    pub(super) comment_count: Scalar,
    pub(super) share_count: Scalar,
    pub(super) collect_count: Scalar,
}

/// Who published a post.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Author {
    pub(super) unique_id: Scalar,
}

/// A single JSON value of whatever type.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Scalar {
    /// Missing, null, an array or an object.
    #[default]
    Absent,
    Bool(bool),
    Integer(u64),
    /// Negative, fractional, or beyond 64 bits.
    OtherNumber(f64),
    Text(String),
}

impl Scalar {
    /// A count: a whole number from 0, also as text.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Scalar::Integer(number) => Some(*number),
            // 2^53: beyond it a float no longer tells neighbours apart.
            Scalar::OtherNumber(number)
                if number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(number) =>
            {
                Some(*number as u64)
            }
            Scalar::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A text that is not blank; numbers are spelled out.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Scalar::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Scalar::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A yes or no.
    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Scalar::Bool(flag) => Some(*flag),
            Scalar::Integer(0) => Some(false),
            Scalar::Integer(1) => Some(true),
            Scalar::Text(text) if matches!(text.as_str(), "true" | "1") => Some(true),
            Scalar::Text(text) if matches!(text.as_str(), "false" | "0") => Some(false),
            _ => None,
        }
    }

    /// Whether it is a number below zero, also as text.
    pub(super) fn is_negative(&self) -> bool {
        match self {
            Scalar::OtherNumber(number) => *number < 0.0,
            Scalar::Text(text) => text.trim().parse::<i64>().is_ok_and(|number| number < 0),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(flag))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(u64::try_from(number).map_or(Scalar::OtherNumber(number as f64), Scalar::Integer))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::OtherNumber(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Absent)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Absent)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Absent)
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

/// The items of a page, of which few are asked for. A page that goes on and on is an error: an item
/// takes a hundred times the memory that its text took.
#[derive(Debug)]
pub(super) struct Items<T>(pub(super) Vec<Object<T>>);

/// No page has more.
const ITEMS_MAX: usize = 1_000;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Few<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {ITEMS_MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items<T>, A::Error> {
                let mut taken = Vec::new();
                while let Some(item) = items.next_element()? {
                    if taken.len() == ITEMS_MAX {
                        return Err(serde::de::Error::invalid_length(ITEMS_MAX + 1, &self));
                    }
                    taken.push(item);
                }
                Ok(Items(taken))
            }
        }

        deserializer.deserialize_seq(Few(std::marker::PhantomData))
    }
}

/// A `T` if the JSON value is an object, nothing if it is anything else.
///
/// Derived structs also accept arrays, field by position; here that would turn garbage into
/// numbers.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectOnly<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectOnly<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(entries)).map(|value| Object(Some(value)))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Object<T>, E> {
                Ok(Object(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Object<T>, E> {
                Ok(Object(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Object<T>, E> {
                Ok(Object(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Object<T>, E> {
                Ok(Object(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Object<T>, E> {
                Ok(Object(None))
            }

            fn visit_unit<E>(self) -> Result<Object<T>, E> {
                Ok(Object(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Object<T>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Object(None))
            }
        }

        deserializer.deserialize_any(ObjectOnly(std::marker::PhantomData))
    }
}
