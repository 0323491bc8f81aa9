//! What may be sent, and how fast: the breaker, the rate limiter, and the maths of the budgets.
//!
//! The budgets' maths is pure; what was spent is kept by [`crate::ledger`].

mod attention;
mod breaker;
mod denial;
mod limiter;
mod limits;
mod pace;
mod purpose;

pub use attention::{Candidate, intervals, is_scarce};
pub use breaker::{Admission, Breaker, Pass, Trip};
pub use denial::Denial;
pub use limiter::Limiter;
pub use limits::{Balance, Limits, Spent, Standing, Window};
pub use pace::{Need, Pace, Pacer, Share};
pub use purpose::{Expense, Purpose};
