//! Money. What work costs, what may be spent, and what was spent.
//!
//! | file | what it holds |
//! |---|---|
//! | `cost` | the one formula: credits per job, and per day |
//! | `limits` | budgets per day, month and balance, and what is left of them |
//! | `pace` | how a short budget is shared: totals before posts before discovery |
//! | `attention` | which hashtags come first when totals get less than one refresh a day |
//! | `pacing` | keeps the loop within its budget |
//! | `ledger` | reserve, send, settle; on disk before the request leaves |
//! | `denial` | why a credit is not granted |
//! | `plan` | what a configuration costs before anything is spent |

mod attention;
pub mod cost;
mod denial;
mod ledger;
mod limits;
mod pace;
mod pacing;
mod plan;

pub use attention::{Candidate, intervals, is_scarce};
pub use denial::Denial;
pub use ledger::{ByKind, KINDS, Ledger, Reservation, Settlement, Statement, standing};
pub use limits::{Balance, Limits, Standing, Window};
pub use pace::{Need, Pace, Pacer, Share};
pub use pacing::{Pacing, purpose};
pub use plan::{BudgetEffect, Cost, Effect, Estimate, JobCost, Lever, MONTH_DAYS, Workload};
