//! What may be spent, and how fast.

mod breaker;

pub use breaker::Trip;
