//! JSON lists and objects whose type is not certain.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::scalar::Json;

/// The items of a page. More than [`ITEMS_MAX`] are an error: an item takes a hundred times the memory of its text,
/// and no requested page has that many.
#[derive(Debug)]
pub(crate) struct Items<T>(pub(crate) Vec<Object<T>>);

const ITEMS_MAX: usize = 1_000;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UpToMax<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for UpToMax<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {ITEMS_MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items<T>, A::Error> {
                let mut taken = Vec::new();
                while let Some(item) = items.next_element()? {
                    if taken.len() == ITEMS_MAX {
                        return Err(A::Error::invalid_length(ITEMS_MAX + 1, &self));
                    }
                    taken.push(item);
                }
                Ok(Items(taken))
            }
        }

        deserializer.deserialize_seq(UpToMax(PhantomData))
    }
}

/// A `T` if the JSON value is an object, `None` if it is anything else.
///
/// Derived structs also accept arrays, field by position; here that would turn garbage into numbers.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Json::deserialize(deserializer)? {
            Json::Object(value) => Self(Some(value)),
            Json::Other(_) => Self(None),
        })
    }
}
