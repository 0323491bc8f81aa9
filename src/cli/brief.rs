//! `brief`: the hashtags worth posting under, why, and the posts that do best there.
//!
//! It comes from a running exporter, or else from the store, which has the data of the last refresh. Neither
//! costs a credit.

mod ask;
mod print;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use url::Url;

use super::text::print;
use super::{DEFAULT_CONFIG, EXIT_CONFIG, EXIT_USAGE};
use crate::brief::{BadQuestion, Kind, Question};
use ask::{Failure, Source};

/// Flags of `brief`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file (TOML), which has the exporter's listen address and the path of the store
    #[arg(long = "config.file", value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config_file: PathBuf,
    /// Use only the exporter at this URL
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Only hashtags of this watch group
    #[arg(long)]
    group: Option<String>,
    /// Only samples of this region: a country code, or `any`
    #[arg(long)]
    region: Option<String>,
    /// Only this hashtag
    #[arg(long)]
    hashtag: Option<String>,
    /// Number of hashtags, 1 to 50 [default: 5]
    #[arg(long)]
    limit: Option<String>,
    /// Rank by the highest velocity of this time, 1h to 90d, instead of the current one; needs a Prometheus
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// Output format [default: by the extension of --output, otherwise table]
    #[arg(long = "format", value_enum)]
    report_format: Option<Format>,
    /// Write to this file, atomically
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the cost and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// How a brief is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For terminals
    Table,
    /// For programs
    Json,
    /// For spreadsheets, one row per post
    Csv,
    /// For e-mail and documents
    Markdown,
}

impl Format {
    /// The format for the extension of a file.
    fn of(path: &Path) -> Self {
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_deref().and_then(|extension| extension.to_str()) {
            Some("md" | "markdown") => Self::Markdown,
            Some("json") => Self::Json,
            Some("csv") => Self::Csv,
            _ => Self::Table,
        }
    }
}

/// Exits with 0 and the brief on standard output or in the file; what its source is on standard error.
pub(super) async fn run(args: Args) -> ExitCode {
    let question = match question(&args) {
        Ok(question) => question,
        Err(why) => {
            print(std::io::stderr(), &format!("--{why}"));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if args.dry_run {
        print(std::io::stdout(), "costs no credits: a brief is made from data that is already there");
        return ExitCode::SUCCESS;
    }
    let source = match &args.url {
        Some(url) => Source::Exporter(url.clone()),
        None => Source::Configured {
            file: args.config_file.clone(),
            may_be_missing: args.config_file == Path::new(DEFAULT_CONFIG),
        },
    };
    let (report, from) = match ask::ask(&source, question).await {
        Ok(answer) => answer,
        Err(failure) => return failed(&failure),
    };
    let format = args.report_format.or_else(|| args.output.as_deref().map(Format::of));
    let text = match format.unwrap_or(Format::Table) {
        Format::Table => print::table(&report),
        // Texts and finite numbers always have their JSON.
        Format::Json => serde_json::to_string_pretty(&report).unwrap_or_default(),
        Format::Csv => match print::csv(&report) {
            Ok(text) => text,
            Err(error) => {
                print(std::io::stderr(), &format!("cannot write the rows: {error}"));
                return ExitCode::FAILURE;
            }
        },
        Format::Markdown => crate::brief::markdown(&report),
    };
    let text = text.trim_end();
    match &args.output {
        None => print(std::io::stdout(), text),
        Some(path) => {
            if let Err(error) = write(path, text) {
                print(std::io::stderr(), &format!("--output: cannot write {}: {error}", path.display()));
                return ExitCode::FAILURE;
            }
            print(std::io::stderr(), &format!("wrote {}", path.display()));
        }
    }
    print(std::io::stderr(), &format!("{from}; cost no credits"));
    ExitCode::SUCCESS
}

fn question(args: &Args) -> Result<Question, BadQuestion> {
    let mut question = Question::new(Kind::Brief);
    let given = [
        ("group", &args.group),
        ("region", &args.region),
        ("hashtag", &args.hashtag),
        ("limit", &args.limit),
        ("since", &args.since),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            question.set(name, value.trim())?;
        }
    }
    Ok(question)
}

fn failed(failure: &Failure) -> ExitCode {
    print(std::io::stderr(), &failure.to_string());
    match failure {
        Failure::Config(_) => ExitCode::from(EXIT_CONFIG),
        Failure::Question(_) => ExitCode::from(EXIT_USAGE),
        Failure::Exporter { .. } | Failure::NoConfig { .. } | Failure::Store { .. } => ExitCode::FAILURE,
    }
}

/// Writes the file under another name and renames it, so that no reader finds half a brief.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part)
        .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The file may not exist.
        let _ = std::fs::remove_file(&part);
    }
    written
}
