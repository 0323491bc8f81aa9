//! What the HTTP clients of this program have in common, except the API's, which is in `tiktok_api`.

use bytes::BytesMut;
use tiktok_api::is_loopback;
use url::Url;

/// Why a response body cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than the limit, in bytes.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// A client for `base_url`. It follows no redirects and repeats no request: a response comes from the address
/// that the operator configured, or there is none.
pub fn builder(base_url: &Url) -> reqwest::ClientBuilder {
    // Fails if a provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tiktok-exporter/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    if base_url.scheme() == "http" {
        // Plain HTTP needs no certificates, and must work on a system that has none.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback(base_url) {
        builder = builder.no_proxy();
    }
    builder
}

/// Reads the body of a response, decompressed, of at most `max_bytes`.
///
/// # Errors
///
/// If the body is larger, or the connection fails.
pub async fn body(mut response: reqwest::Response, max_bytes: usize) -> Result<BytesMut, BodyError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The root cause of an error, without the URL, which may contain a password.
pub fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no response in time".to_owned();
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether the other side responded with something that is not HTTP.
pub fn is_not_http(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        cause = error.source();
    }
    false
}
