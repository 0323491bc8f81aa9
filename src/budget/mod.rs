//! What may be sent, and how fast. Knows nothing of hashtags.

mod breaker;
mod limiter;

pub use breaker::{Admission, Breaker, Pass, Trip};
pub use limiter::Limiter;
