//! Credits: what requests cost, what may be spent, and what was spent.
//!
//! | file | what it holds |
//! |---|---|
//! | `cost` | the one formula: credits per job, and per day |
//! | `limits` | budgets per day, per month and of the balance, and what is left of them |
//! | `pace` | distributes a short budget: totals before posts before discovery |
//! | `attention` | weights the intervals of totals when there is less than one refresh per hashtag per day |
//! | `pacing` | keeps the loop within the budget |
//! | `ledger` | reserve, send, settle; on disk before the request is sent |
//! | `denial` | why a request is not sent |
//! | `plan` | estimates the cost of a configuration |

mod attention;
pub mod cost;
mod denial;
mod ledger;
mod limits;
mod pace;
mod pacing;
mod plan;

pub use attention::{Weight, is_scarce, weighted_intervals};
pub use denial::Denial;
pub use ledger::{ByKind, KINDS, Ledger, Reservation, Settlement, Statement, standing};
pub use limits::{Balance, Limits, Standing, Window};
pub use pace::{Need, Pace, Pacer, Share};
pub use pacing::Pacing;
pub use plan::{BudgetEffect, Cost, Effect, Estimate, JobCost, Lever, MONTH_DAYS, Workload};
