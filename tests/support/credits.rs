//! Metrics about credits that rules and dashboards read, and that the exporter does not show yet.
//! Delete an entry once it does; [`credits`] insists on it.

use std::collections::{BTreeMap, BTreeSet};

/// Name, and a label with its values.
const TO_COME: [(&str, &str, &[&str]); 7] = [
    ("tiktok_exporter_credits_spent_total", "purpose", &["totals", "posts", "discovery", "ad_hoc"]),
    ("tiktok_exporter_budget_credits", "window", &["day", "month", "balance"]),
    ("tiktok_exporter_budget_remaining_credits", "window", &["day", "month", "balance"]),
    ("tiktok_exporter_budget_spent_credits", "window", &["day", "month", "balance"]),
    ("tiktok_exporter_spending_stopped", "reason", &["day", "month", "balance", "ledger", "clock"]),
    ("tiktok_exporter_stretch_factor", "purpose", &["totals", "posts", "discovery"]),
    ("tiktok_exporter_forecast_day_credits", "", &[]),
];

/// Metric → label → values.
pub type Page = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Adds to the exporter's page what it does not show yet.
pub fn credits(mut page: Page) -> Page {
    for (name, label, values) in TO_COME {
        let labels = (!label.is_empty())
            .then(|| (label.to_owned(), values.iter().map(|value| (*value).to_owned()).collect()));
        let before = page.insert(name.to_owned(), labels.into_iter().collect());
        assert!(before.is_none(), "the exporter shows {name} now: delete it from tests/support/credits.rs");
    }
    page
}
