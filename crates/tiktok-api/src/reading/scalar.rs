//! A JSON value whose type is not known in advance.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A single JSON value of any type.
///
/// Counts arrive as numbers, as strings, as null, or not at all; ids as strings or numbers; flags as booleans or
/// 0/1. Every field is therefore read as a `Scalar` and then converted into a count, a text or a flag. A value that
/// cannot be converted is missing, never zero.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Scalar {
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
    /// A count: a whole number from 0 up, also as text.
    pub(crate) fn count(&self) -> Option<u64> {
        match self {
            Scalar::Integer(number) => Some(*number),
            // 2^53: beyond it a float cannot represent every whole number.
            Scalar::OtherNumber(number)
                if number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(number) =>
            {
                Some(*number as u64)
            }
            Scalar::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A text that is not blank, trimmed; whole numbers from 0 up are written out.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Scalar::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Scalar::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A boolean, also as 0 or 1 and as text.
    pub(crate) fn flag(&self) -> Option<bool> {
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
    pub(crate) fn is_negative(&self) -> bool {
        match self {
            Scalar::OtherNumber(number) => *number < 0.0,
            Scalar::Text(text) => text.trim().parse::<i64>().is_ok_and(|number| number < 0),
            _ => false,
        }
    }
}

/// A JSON value of any type.
pub(super) enum Json<T> {
    /// An object, read as a `T`.
    Object(T),
    /// Anything else. Of an array, nothing is kept.
    Other(Scalar),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Json::<IgnoredAny>::deserialize(deserializer)? {
            Json::Object(_) => Scalar::Absent,
            Json::Other(scalar) => scalar,
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyValue<T> {
            type Value = Json<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Json<T>, E> {
                Ok(Json::Other(Scalar::Bool(flag)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Json<T>, E> {
                Ok(Json::Other(Scalar::Integer(number)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Json<T>, E> {
                let scalar =
                    u64::try_from(number).map_or(Scalar::OtherNumber(number as f64), Scalar::Integer);
                Ok(Json::Other(scalar))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Json<T>, E> {
                Ok(Json::Other(Scalar::OtherNumber(number)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json<T>, E> {
                Ok(Json::Other(Scalar::Text(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Json<T>, E> {
                Ok(Json::Other(Scalar::Absent))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<T>, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Json::Other(Scalar::Absent))
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Json<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(entries)).map(Json::Object)
            }
        }

        deserializer.deserialize_any(AnyValue(PhantomData))
    }
}
