//! `health`: checks that a running exporter is healthy. For the health checks of containers, so that
//! their images need no other program.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use exporter_web::ListenAddress;
use url::{Host, Url};

use super::text::say;

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
            say(std::io::stderr(), &format!("--web.listen-address: {reason}"));
            return ExitCode::FAILURE;
        }
    };
    match check(&url, args.timeout).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(std::io::stderr(), &format!("{url}: {reason}"));
            ExitCode::FAILURE
        }
    }
}

async fn check(url: &Url, timeout: Duration) -> Result<(), String> {
    // Fails if a provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        // A certificate for the public name says nothing about 127.0.0.1, and no key is sent.
        .tls_danger_accept_invalid_certs(is_loopback(url))
        .build()
        .map_err(|error| error.to_string())?;
    let response = client.get(url.clone()).send().await;
    match response.map(|response| response.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => Err(format!("answers with status {status}")),
        Err(error) if error.is_timeout() => {
            Err(format!("no answer within {}", humantime::format_duration(timeout)))
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
