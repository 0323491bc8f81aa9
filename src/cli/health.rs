//! `health`: asks a running exporter whether it is well. For the health checks of containers, whose
//! images need no other program then.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use url::{Host, Url};

use super::text::say;

/// Flags of `health`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to ask
    #[arg(long, default_value = "http://127.0.0.1:10110/-/healthy", value_parser = url)]
    url: Url,
    /// Longest wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Exits with 0 when the answer is a success, else with 1 and the reason on standard error.
pub(super) async fn run(args: Args) -> ExitCode {
    match ask(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(std::io::stderr(), &format!("{}: {reason}", args.url));
            ExitCode::FAILURE
        }
    }
}

async fn ask(args: &Args) -> Result<(), String> {
    // Fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(args.timeout)
        // A certificate for the public name says nothing about 127.0.0.1, and no key is sent.
        .tls_danger_accept_invalid_certs(is_loopback(&args.url))
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.get(args.url.clone()).send().await;
    match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(format!("answers with status {status}")),
        Err(error) if error.is_timeout() => {
            Err(format!("no answer within {}", humantime::format_duration(args.timeout)))
        }
        Err(error) if error.is_connect() => Err("nobody listens there".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("is no http or https address".to_owned()),
    }
}
