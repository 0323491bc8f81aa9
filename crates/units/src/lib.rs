#![doc = include_str!("../README.md")]

mod clock;
mod credits;
mod date;
pub mod duration;
pub mod human;
mod problem;
mod time;

pub use clock::{Clock, SharedClock, SystemClock, TimerClock};
pub use credits::Credits;
pub use date::{Date, InvalidDate};
pub use problem::{Problem, Problems};
pub use time::{DAY, HOUR, Timestamp, WEEK, per_day};
