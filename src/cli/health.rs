//! `health`: checks that a running exporter is healthy. For the health checks of containers, so that
//! their images need no other program.

use std::process::ExitCode;
use std::time::Duration;

use exporter_web::ListenAddress;
use tiktok_api::is_loopback;
use url::Url;

use super::text::print;
use crate::http_client;

/// Flags of `health`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The URL to request
    #[arg(long, default_value = "http://127.0.0.1:10110/-/healthy", value_parser = url)]
    url: Url,
    /// The listen address of an exporter on this machine, as `serve` takes it; instead of --url
    #[arg(long = "web.listen-address", value_name = "ADDRESS", conflicts_with = "url")]
    listen_address: Option<ListenAddress>,
    /// Longest wait for the response
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Exits with 0 if the response is a success, otherwise with 1 and the reason on standard error.
pub(super) async fn run(args: Args) -> ExitCode {
    let local = |address: &ListenAddress| format!("http://{}/-/healthy", address.local_authority());
    let url = match args.listen_address.as_ref().map(local).as_deref().map(url) {
        None => args.url,
        Some(Ok(url)) => url,
        Some(Err(reason)) => {
            print(std::io::stderr(), &format!("--web.listen-address: {reason}"));
            return ExitCode::FAILURE;
        }
    };
    match check(&url, args.timeout).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            print(std::io::stderr(), &format!("{url}: {reason}"));
            ExitCode::FAILURE
        }
    }
}

async fn check(url: &Url, timeout: Duration) -> Result<(), String> {
    let client = http_client::builder(url)
        .no_proxy()
        .timeout(timeout)
        // A certificate for the public name does not cover 127.0.0.1, and no key is sent.
        .tls_danger_accept_invalid_certs(is_loopback(url))
        .build()
        .map_err(http_client::reason)?;
    let response = client.get(url.clone()).send().await;
    match response.map(|response| response.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(format!("responded with status {status}")),
        Err(error) if error.is_timeout() => {
            Err(format!("no response within {}", humantime::format_duration(timeout)))
        }
        Err(error) => Err(http_client::reason(error)),
    }
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("is not an http or https URL".to_owned()),
    }
}
