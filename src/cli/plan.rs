//! `plan`: the cost of a configuration, before anything is spent.

use std::path::PathBuf;
use std::process::ExitCode;

use units::{Clock, Credits, SystemClock};

use super::text::{print, table};
use super::{EXIT_CONFIG, Format};
use crate::app::{Source, Startup};
use crate::config::Config;
use crate::credits::{self, Effect, Estimate};
use crate::store::StoreReader;

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file (TOML)
    #[arg(long = "config.file", value_name = "FILE", default_value = "tiktok-exporter.toml")]
    config_file: PathBuf,
    /// Output format
    #[arg(long = "format", value_enum, default_value = "text")]
    report_format: Format,
    /// Price of 100,000 credits in US dollars [default: the provider's list price, when last seen]
    #[arg(long, value_name = "USD", value_parser = price)]
    price: Option<f64>,
}

fn price(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(price) if price.is_finite() && price >= 0.0 => Ok(price),
        _ => Err("is not a price (a number such as 9.90)".to_owned()),
    }
}

/// Exits with 0 and the plan on standard output, or with 78 and every problem on standard error.
pub(super) fn run(args: &Args) -> ExitCode {
    let now = SystemClock.now();
    let config = match Startup::load(&Source::File(args.config_file.clone()), now) {
        Ok(startup) => startup.config,
        Err(problems) => {
            print(std::io::stderr(), &problems.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    // Past spending matters to the balance alone. Without a ledger the balance is as configured.
    let standing = StoreReader::open(&config.store.path)
        .and_then(|store| store.read_ledger(|tx| credits::standing(tx, config.budget, now)));
    let price = args.price.unwrap_or(config.api.provider().usd_per_100_000);
    let estimate = Estimate::new(&config.workload(), standing.ok().as_ref(), price);
    let text = match args.report_format {
        Format::Text => text(&config, &estimate, price),
        Format::Json => match serde_json::to_string_pretty(&estimate) {
            Ok(json) => json,
            Err(error) => {
                print(std::io::stderr(), &format!("cannot write the plan: {error}"));
                return ExitCode::FAILURE;
            }
        },
    };
    print(std::io::stdout(), &text);
    ExitCode::SUCCESS
}

fn text(config: &Config, estimate: &Estimate, price: f64) -> String {
    let facts = [
        ("first refresh of everything", format!("{} credits, once", rounded(estimate.first_look_credits))),
        (
            "rate limit",
            format!(
                "{:.2} % of {} requests per minute",
                estimate.rate_limit_share * 100.0,
                config.api.rate_limit_per_minute
            ),
        ),
        ("budget for the loop", budget(estimate)),
        ("totals", effect(&estimate.budget.totals)),
        ("posts", effect(&estimate.budget.posts)),
        ("discovery", discovery(config, &estimate.budget.discovery)),
        ("balance", balance(estimate)),
    ];
    let facts = facts.map(|(name, fact)| format!("{name:<24}  {fact}")).join("\n");
    let levers = estimate
        .levers
        .iter()
        .map(|lever| {
            vec![lever.change.clone(), format!("-{} credits a day", rounded(lever.saves_credits_per_day))]
        })
        .collect::<Vec<_>>();
    format!(
        "The most it can cost, at {price:.2} USD per 100,000 credits and without retries:\n\n{}\n\n{facts}\n\n\
         {}:\n\n{}",
        costs(estimate),
        if estimate.is_short() { "What would ease the budget most" } else { "What would save most" },
        table(&levers, 1)
    )
}

fn costs(estimate: &Estimate) -> String {
    let heading =
        ["group", "kind", "every", "jobs", "credits/hour", "credits/day", "credits/30 days", "USD/30 days"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let figures = |cost: &crate::credits::Cost| {
        [
            rounded(cost.credits_per_hour),
            rounded(cost.credits_per_day),
            rounded(cost.credits_per_month),
            format!("{:.2}", cost.usd_per_month),
        ]
    };
    for job in &estimate.jobs {
        let head =
            [job.group.to_string(), job.kind.to_owned(), job.intervals.join(", "), job.jobs.to_string()];
        rows.push(head.into_iter().chain(figures(&job.cost)).collect());
    }
    let head = ["all", "", "", ""].map(str::to_owned);
    rows.push(head.into_iter().chain(figures(&estimate.all)).collect());
    table(&rows, 3)
}

fn budget(estimate: &Estimate) -> String {
    match estimate.budget.credits_per_day {
        None => "no limit (set budget.per_day or budget.per_month)".to_owned(),
        Some(credits) => {
            let verdict = if estimate.is_short() { "too little" } else { "enough" };
            format!("{} credits a day: {verdict}", rounded(credits))
        }
    }
}

fn discovery(config: &Config, discovery: &Effect) -> String {
    if config.following.is_empty() {
        return "none (add a [[discover]] block)".to_owned();
    }
    effect(discovery)
}

fn effect(effect: &Effect) -> String {
    let vanishing = match effect.hashtags_that_vanish {
        0 => String::new(),
        count => format!("; values of {count} hashtags expire between refreshes (see max_age)"),
    };
    match effect.stretch {
        None => format!("paused by the budget: nothing is spent on them{vanishing}"),
        Some(1.0) => "as configured".to_owned(),
        Some(factor) => {
            format!("stretched {factor:.2} times, to every {}{vanishing}", effect.intervals.join(", "))
        }
    }
}

fn balance(estimate: &Estimate) -> String {
    match (estimate.budget.balance_left, estimate.budget.balance_days) {
        (None, _) => "not set (set budget.balance)".to_owned(),
        (Some(left), None) => format!("{} credits", Credits::new(left)),
        (Some(left), Some(days)) => format!("{} credits, which last {days:.1} days", Credits::new(left)),
    }
}

/// Credits: whole numbers, with a decimal below 10.
fn rounded(credits: f64) -> String {
    if credits.fract() != 0.0 && credits < 10.0 {
        format!("{credits:.1}")
    } else {
        Credits::estimated(credits).to_string()
    }
}
