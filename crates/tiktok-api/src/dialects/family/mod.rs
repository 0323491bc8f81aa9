//! The JSON objects that the known providers have in common: the same fields, in different wrappers.

mod read;
mod wire;
mod write;

pub(super) use read::{hashtag, hashtags, posts, region_codes};
pub(super) use wire::{Challenge, Listing, Video};
pub(super) use write::{FIELDS, content};
