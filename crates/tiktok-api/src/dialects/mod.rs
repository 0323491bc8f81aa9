//! One folder for each dialect; `family` holds the JSON that they share.

use crate::dialect::Language;

mod family;
#[cfg(test)]
mod second;
mod tiklive;

/// Every registered dialect, the default first. A new dialect is one more line here.
pub(crate) const ALL: &[&dyn Language] = &[&tiklive::TikLive];
