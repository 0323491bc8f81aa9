//! The expected and the actual cost.

use serde::Serialize;

use super::args::{Common, Format};
use super::connect::Connection;
use super::{Replies, Stop};
use crate::cli::text::{count, table};
use crate::lookups::{Left, Question};

/// The expected cost of all questions, in credits.
#[derive(Debug, Serialize)]
pub(super) struct Estimate {
    /// If nothing fails and every hashtag resolves by its name.
    #[serde(rename = "credits_likely")]
    pub(super) likely: u64,
    /// If names do not resolve, and with all retries.
    #[serde(rename = "credits_most")]
    most: u64,
    /// The credits left for look-ups, before these.
    left: Left,
    /// Why it would be refused, if so.
    pub(super) denied: Option<String>,
}

pub(super) async fn estimate(
    connection: &Connection,
    common: &Common,
    questions: &[Question],
) -> Result<Estimate, Stop> {
    let mut sum = Estimate { likely: 0, most: 0, left: Left::default(), denied: None };
    for question in questions {
        let quote = connection.quote(question, common.max_age()).await?;
        sum.likely += quote.price.likely;
        sum.most += quote.price.most;
        sum.left = quote.left;
        sum.denied = sum.denied.or(quote.denied);
    }
    let left = [sum.left.day, sum.left.month, sum.left.balance].into_iter().flatten().min();
    if sum.denied.is_none() && left.is_some_and(|left| left < sum.likely) {
        sum.denied = Some(format!("it costs {}, more than are left", count_credits(sum.likely)));
    }
    Ok(sum)
}

impl Estimate {
    pub(super) fn shown(&self, format: Format) -> Result<String, Stop> {
        let windows =
            [("today", self.left.day), ("this month", self.left.month), ("balance", self.left.balance)];
        let number = |number: Option<u64>| number.map_or("no limit".to_owned(), |number| number.to_string());
        match format {
            Format::Json => {
                serde_json::to_string_pretty(self).map_err(|error| Stop::new(1, error.to_string()))
            }
            Format::Csv => {
                let number =
                    |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
                let left = windows.map(|(_, left)| number(left)).join(",");
                Ok(format!(
                    "credits_likely,credits_most,left_day,left_month,left_balance\n{},{},{left}",
                    self.likely, self.most
                ))
            }
            Format::Table => {
                let mut rows = vec![
                    vec!["expected cost, credits".to_owned(), self.likely.to_string()],
                    vec!["at most, with retries".to_owned(), self.most.to_string()],
                ];
                rows.extend(
                    windows.map(|(window, left)| vec![format!("left for look-ups, {window}"), number(left)]),
                );
                Ok(table(&rows, 1))
            }
        }
    }
}

/// The actual cost.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    credits: u64,
    left: Left,
    simulated: bool,
}

impl Cost {
    pub(super) fn of(replies: &Replies) -> Self {
        // The last reply has the least credits left.
        let least = |of: fn(&Left) -> Option<u64>| replies.iter().filter_map(|reply| of(&reply.left)).min();
        Self {
            credits: replies.iter().map(|reply| reply.credits).sum(),
            left: Left {
                day: least(|left| left.day),
                month: least(|left| left.month),
                balance: least(|left| left.balance),
            },
            simulated: replies.iter().any(|reply| reply.simulated),
        }
    }

    /// One line for terminals.
    pub(super) fn line(&self) -> String {
        let spent = match self.credits {
            0 => "no credit spent".to_owned(),
            credits => format!("{} spent", count_credits(credits)),
        };
        let left = [
            ("today", self.left.day),
            ("this month", self.left.month),
            ("on the account", self.left.balance),
        ];
        let left: Vec<String> =
            left.into_iter().filter_map(|(when, left)| Some(format!("{} {when}", left?))).collect();
        let left = if left.is_empty() { String::new() } else { format!("; left: {}", left.join(", ")) };
        let simulated = if self.simulated { " (simulated: no data is real)" } else { "" };
        format!("{spent}{left}{simulated}")
    }
}

fn count_credits(credits: u64) -> String {
    count(usize::try_from(credits).unwrap_or(usize::MAX), "credit")
}
