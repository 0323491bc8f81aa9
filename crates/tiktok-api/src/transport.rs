//! Carrying one request to the API and its answer back, unread.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use units::SharedClock;
use url::Url;

use crate::{Dialect, Error, Query, WireRequest};

/// The header with which the simulator marks its answers: nothing in them is real.
pub const SIMULATED_HEADER: &str = "x-simulated";

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The wait that the server asked for (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// Where a redirect points to. It is not followed: the key would travel with it.
    pub location: Option<String>,
    /// Whether the answer carries [`SIMULATED_HEADER`].
    pub simulated: bool,
    /// The body, decompressed.
    pub body: Bytes,
}

/// A future on the heap, so that transports can be exchanged at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to the API.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request, which costs one credit, and receives the whole answer, whatever it says.
    ///
    /// # Errors
    ///
    /// [`Class::Transient`](crate::Class::Transient) when there is no whole answer,
    /// [`Class::Malformed`](crate::Class::Malformed) when it is too large.
    fn send<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<RawAnswer, Error>>;

    /// The dialect that the answers are in.
    fn dialect(&self) -> Dialect;
}

/// What an [`HttpTransport`] needs to know.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How requests are spelled.
    pub dialect: Dialect,
    /// Scheme, host, port and path prefix.
    pub base_url: Url,
    /// The `User-Agent`, sent with every request.
    pub user_agent: String,
    /// The key, sent with every request.
    pub key: Option<SecretString>,
    /// From the first byte sent to the last byte read.
    pub timeout: Duration,
    /// Until the connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Largest body that is read, decompressed.
    pub max_body_bytes: usize,
}

/// The API over HTTP(S).
pub struct HttpTransport {
    client: reqwest::Client,
    dialect: Dialect,
    /// To take it out of answers.
    key: Option<SecretString>,
    base_url: Url,
    max_body_bytes: usize,
    clock: SharedClock,
}

/// The HTTP client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key does not fit into a header.
    #[error("the API key contains characters that cannot be sent in a header")]
    Key,
    /// No TLS, no certificates, or the like.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl HttpTransport {
    /// Prepares a client; nothing is sent yet.
    pub fn new(settings: HttpSettings, clock: SharedClock) -> Result<Self, SetupError> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(key) = &settings.key {
            let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| SetupError::Key)?;
            value.set_sensitive(true);
            headers.insert(settings.dialect.provider().key_header, value);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(settings.user_agent)
            .default_headers(headers)
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            // The client's own retries would be requests that nobody counts.
            .retry(reqwest::retry::never());
        if settings.base_url.scheme() == "http" {
            // Plain HTTP needs no certificates: do not fail on a system that has none.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&settings.base_url) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build()?,
            dialect: settings.dialect,
            key: settings.key,
            base_url: settings.base_url,
            max_body_bytes: settings.max_body_bytes,
            clock,
        })
    }

    async fn fetch(&self, query: &Query) -> Result<RawAnswer, Error> {
        let mut response = self.client.get(self.url(query)).send().await.map_err(no_answer)?;
        let headers = response.headers();
        let mut answer = RawAnswer {
            status: response.status().as_u16(),
            retry_after: self.retry_after(headers),
            location: headers.get(LOCATION).and_then(|value| self.text(value)),
            simulated: headers.contains_key(SIMULATED_HEADER),
            body: Bytes::new(),
        };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > self.max_body_bytes {
                return Err(Error::malformed(format!(
                    "the body is larger than api.max_body_bytes = {}",
                    self.max_body_bytes
                )));
            }
            body.extend_from_slice(&chunk);
        }
        answer.body = self.without_key(body.freeze());
        Ok(answer)
    }

    fn text(&self, value: &HeaderValue) -> Option<String> {
        let value = self.without_key(Bytes::copy_from_slice(value.as_bytes()));
        String::from_utf8(value.to_vec()).ok()
    }

    /// The answer without the key: a server may repeat the key that it refuses, and errors quote the server.
    fn without_key(&self, answer: Bytes) -> Bytes {
        let key = self.key.as_ref().map_or("", |key| key.expose_secret());
        // A real key is longer. A shorter text may occur anywhere.
        if key.len() < 8 || !contains(&answer, key.as_bytes()) {
            return answer;
        }
        String::from_utf8_lossy(&answer).replace(key, "[the key]").into()
    }

    fn url(&self, query: &Query) -> Url {
        let WireRequest { path, query } = self.dialect.request(query);
        let mut url = self.base_url.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/{path}"));
        url.set_query((!query.is_empty()).then_some(&query));
        url
    }

    /// `Retry-After` in either of its two spellings.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let at = httpdate::parse_http_date(text).ok()?;
        let at = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        Some(at.saturating_sub(Duration::from_millis(now)))
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<RawAnswer, Error>> {
        Box::pin(self.fetch(query))
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }
}

/// Whether the URL leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The reason at the bottom of the error's chain, without the URL: that holds names of hashtags,
/// and a proxy's address may hold a password.
fn no_answer(error: reqwest::Error) -> Error {
    // A request is written to an open connection. This error means that none could be opened: the name is unknown,
    // the port closed, or the handshake failed.
    let never_sent = error.is_connect();
    let what = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "no whole answer in time"
    } else {
        "the connection broke"
    };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Error { never_sent, ..Error::transient(format!("{what}: {cause}")) }
}
