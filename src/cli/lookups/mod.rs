//! `lookup`, `posts`, `search` and `regions`: interactive look-ups.
//!
//! Results go to standard output; cost and errors to standard error. Nothing is sent unless the expected cost is
//! within the budget.

mod args;
mod connect;
mod cost;
mod csv;
mod progress;
mod table;

use std::io::{stderr, stdout};
use std::process::ExitCode;

use serde::Serialize;

use args::{Common, Format};
pub(super) use args::{LookupArgs, PostsArgs, RegionsArgs, SearchArgs};
use connect::Connection;

use super::text::print;
use super::{EXIT_CONFIG, EXIT_CREDITS, EXIT_HASHTAG, EXIT_KEY, EXIT_REGION, EXIT_UNAVAILABLE};
use crate::lookups::{Finding, Question, Reason, Refusal, Reply};

/// Why a command ends without a result.
struct Stop {
    code: u8,
    reason: String,
}

impl Stop {
    fn new(code: u8, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    fn print(&self) -> ExitCode {
        print(stderr(), &self.reason);
        ExitCode::from(self.code)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.kind {
            Reason::NotFound => EXIT_HASHTAG,
            Reason::Region => EXIT_REGION,
            Reason::Key => EXIT_KEY,
            Reason::Credits => EXIT_CREDITS,
            Reason::Ledger => 1,
            Reason::Unavailable | Reason::Malformed => EXIT_UNAVAILABLE,
            Reason::Settings => EXIT_CONFIG,
        };
        Self { code, reason: refusal.reason }
    }
}

pub(super) async fn run_lookup(args: LookupArgs) -> ExitCode {
    let questions = args.hashtags.into_iter().map(|hashtag| Question::Lookup { hashtag }).collect();
    run(&args.common, questions, false).await
}

pub(super) async fn run_posts(args: PostsArgs) -> ExitCode {
    let question = Question::Posts { hashtag: args.hashtag, region: args.region, pages: args.pages };
    run(&args.common, vec![question], false).await
}

pub(super) async fn run_search(args: SearchArgs) -> ExitCode {
    let (keyword, pages) = (args.keyword, args.pages);
    let question = if args.videos {
        Question::Videos { keyword, since: args.since, sort: args.sort, region: args.region, pages }
    } else {
        Question::Search { keyword, pages }
    };
    run(&args.common, vec![question], args.toml).await
}

pub(super) async fn run_regions(args: RegionsArgs) -> ExitCode {
    run(&args.common, vec![Question::Regions], false).await
}

async fn run(common: &Common, questions: Vec<Question>, as_toml: bool) -> ExitCode {
    let connection = match Connection::open(common).await {
        Ok(connection) => connection,
        Err(stop) => return stop.print(),
    };
    let ended = if common.dry_run {
        dry_run(&connection, common, &questions).await
    } else {
        ask(&connection, common, questions, as_toml).await
    };
    ended.unwrap_or_else(|stop| stop.print())
}

/// Shows the expected cost. Spends nothing.
async fn dry_run(connection: &Connection, common: &Common, questions: &[Question]) -> Result<ExitCode, Stop> {
    let estimate = cost::estimate(connection, common, questions).await?;
    print(stdout(), &estimate.shown(common.report_format)?);
    match estimate.denied {
        Some(reason) => Err(Stop::new(EXIT_CREDITS, reason)),
        None => Ok(ExitCode::SUCCESS),
    }
}

async fn ask(
    connection: &Connection,
    common: &Common,
    questions: Vec<Question>,
    as_toml: bool,
) -> Result<ExitCode, Stop> {
    let expected = cost::estimate(connection, common, &questions).await?.likely;
    let asking = |progress| connection.ask_all(questions, common.max_age(), progress);
    let (replies, broken) = progress::shown(expected, asking).await;
    let cost = cost::Cost::of(&replies);
    broken?;

    let mut findings = Vec::new();
    let mut stops = Vec::new();
    for reply in replies {
        match reply.result {
            Ok(finding) => findings.push(connection.completed(finding).await),
            Err(refusal) => stops.push(refusal),
        }
    }
    let shown = Answers { findings: &findings, failures: &stops, cost: &cost };
    if !findings.is_empty() || common.report_format == Format::Json {
        print(stdout(), &shown.text(common.report_format, as_toml)?);
    }
    shown.notes().iter().for_each(|note| print(stderr(), &format!("note: {note}")));
    print(stderr(), &cost.line());
    let mut code = ExitCode::SUCCESS;
    for stop in stops.into_iter().rev().map(Stop::from) {
        code = stop.print();
    }
    Ok(code)
}

/// The results, as `--format json` shows them.
#[derive(Serialize)]
struct Answers<'a> {
    findings: &'a [Finding],
    failures: &'a [Refusal],
    cost: &'a cost::Cost,
}

impl Answers<'_> {
    fn text(&self, format: Format, as_toml: bool) -> Result<String, Stop> {
        match (format, self.findings) {
            (_, [Finding::Candidates(candidates)]) if as_toml => Ok(table::watch_block(candidates)),
            (Format::Table, findings) => Ok(table::shown(findings)),
            (Format::Csv, findings) => csv::shown(findings),
            (Format::Json, _) => {
                serde_json::to_string_pretty(self).map_err(|error| Stop::new(1, error.to_string()))
            }
        }
    }

    fn notes(&self) -> Vec<&String> {
        self.findings.iter().flat_map(Finding::notes).collect()
    }
}

/// All replies of one run together.
type Replies = Vec<Reply>;
