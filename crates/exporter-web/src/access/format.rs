//! Reads the text of a web configuration file, in the format of Prometheus' exporter-toolkit.
//!
//! All problems are collected. Values that may be a password, a hash or a private key are never quoted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::users;
use crate::Problem;

/// The contents of the file. Each value is valid by itself.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) tls: Option<TlsSection>,
    pub(super) http2: bool,
    pub(super) headers: HeaderMap,
    /// Bcrypt hashes by user.
    pub(super) users: BTreeMap<String, String>,
    pub(super) rate_limit: Option<RateLimit>,
}

/// `tls_server_config`.
#[derive(Default)]
pub(super) struct TlsSection {
    pub(super) certificate: Option<Pem>,
    pub(super) key: Option<Pem>,
    pub(super) client_ca: Option<Pem>,
    pub(super) client_auth: Option<String>,
    pub(super) client_names: Vec<String>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Vec<String>,
    pub(super) curves: Vec<String>,
    pub(super) server_chooses: bool,
}

/// A PEM text.
pub(super) enum Pem {
    /// In the web configuration file itself.
    Inline(String),
    /// In a file of its own.
    File(PathBuf),
}

/// `rate_limit`: one request per `interval` on average, and `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RateLimit {
    pub(super) interval: Duration,
    pub(super) burst: u32,
}

/// The headers that can be set, each with its allowed values; an empty list allows any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// Longer keys are cut in messages. No known key is as long, and a bcrypt hash is longer.
const KEY_SHOWN_MAX: usize = 32;

/// Reads the text of a file in `directory`. Adds all problems to `problems`.
pub(super) fn read(name: &str, text: &str, directory: &Path, problems: &mut Vec<Problem>) -> Contents {
    let mut contents = Contents { http2: true, ..Contents::default() };
    let tree = match parse(text) {
        Ok(tree) => tree,
        Err((place, why)) => {
            problems.push(Problem::new(format!("{name}{place}"), format!("is not YAML: {why}")));
            return contents;
        }
    };
    let sections = match tree {
        Value::Object(sections) => sections,
        Value::Null => Map::new(),
        _ => {
            problems.push(Problem::new("web configuration", "is not a mapping of sections"));
            return contents;
        }
    };
    let mut file = Table::at("", sections, problems);
    let tls = file.table("tls_server_config");
    let http = file.table("http_server_config");
    let users = file.table("basic_auth_users");
    let rate = file.table("rate_limit");
    file.finish();
    if let Some(fields) = tls {
        contents.tls = read_tls(Table::at("tls_server_config", fields, problems), directory);
    }
    if let Some(fields) = http {
        let mut table = Table::at("http_server_config", fields, problems);
        contents.http2 = table.flag("http2", true);
        let headers = table.table("headers");
        table.finish();
        contents.headers =
            read_headers(Table::at("http_server_config.headers", headers.unwrap_or_default(), problems));
    }
    if let Some(fields) = users {
        contents.users = read_users(Table::at("basic_auth_users", fields, problems));
    }
    if let Some(fields) = rate {
        contents.rate_limit = read_rate_limit(Table::at("rate_limit", fields, problems));
    }
    contents
}

/// The tree of a YAML text. The error is the place of the mistake as `:line:column`, and the reason.
fn parse(text: &str) -> Result<Value, (String, String)> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    // The lines themselves are not quoted: they may contain secrets.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map(|at| format!(":{}:{}", at.line(), at.column()));
        let why = error.without_snippet().to_string();
        let why = why.lines().next().unwrap_or_default().chars().take(200).collect();
        (place.unwrap_or_default(), why)
    })
}

fn read_tls(mut table: Table, directory: &Path) -> Option<TlsSection> {
    let tls = TlsSection {
        certificate: table.pem("cert", "cert_file", directory),
        key: table.pem("key", "key_file", directory),
        client_ca: table.pem("client_ca", "client_ca_file", directory),
        client_auth: table.text("client_auth_type"),
        client_names: table.texts("client_allowed_sans"),
        min_version: table.text("min_version"),
        max_version: table.text("max_version"),
        cipher_suites: table.texts("cipher_suites"),
        curves: table.texts("curve_preferences"),
        server_chooses: table.flag("prefer_server_cipher_suites", true),
    };
    // As in the toolkit: the other keys alone do not enable TLS.
    let enabled = tls.certificate.is_some()
        || tls.key.is_some()
        || tls.client_ca.is_some()
        || tls.client_auth.is_some();
    if enabled && tls.certificate.is_none() {
        table.problem("cert_file", "is missing (the file of the server's certificate, in PEM)");
    }
    if enabled && tls.key.is_none() {
        table.problem("key_file", "is missing (the file of the certificate's private key, in PEM)");
    }
    if !enabled && !table.given.is_empty() {
        table.problem(
            "cert_file",
            "is missing: without a certificate there is no TLS, and the other keys have no effect",
        );
    }
    table.finish();
    enabled.then_some(tls)
}

fn read_headers(mut table: Table) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in HEADERS {
        // As in the toolkit, an empty text means unset.
        let Some(value) = table.text(name).filter(|value| !value.is_empty()) else { continue };
        if !values.is_empty() && !values.contains(&value.as_str()) {
            table.problem(name, format!("{value:?} is not one of: {}", values.join(", ")));
            continue;
        }
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => table.problem(name, "contains characters that a header cannot contain"),
        }
    }
    table.finish();
    headers
}

fn read_users(mut table: Table) -> BTreeMap<String, String> {
    let mut users = BTreeMap::new();
    for name in table.fields.keys().cloned().collect::<Vec<_>>() {
        if !table.given.contains(&name) {
            // Not to be ignored: everyone would have access.
            table.problem(&name, "has no password hash");
        }
        let Some(hash) = table.text(&name) else { continue };
        if name.contains(':') {
            table.problem(
                &name,
                "is not a valid user name: basic authentication does not allow a colon in it",
            );
        }
        match users::check_hash(&hash) {
            Ok(()) => {
                users.insert(name, hash);
            }
            Err(why) => table.problem(&name, why),
        }
    }
    users
}

fn read_rate_limit(mut table: Table) -> Option<RateLimit> {
    let interval = table.text("interval").filter(|text| text != "0");
    let interval = match interval.as_deref().map(parse_duration) {
        Some(Err(why)) => {
            table.problem("interval", why);
            None
        }
        Some(Ok(interval)) => Some(interval).filter(|interval| !interval.is_zero()),
        None => None,
    };
    let burst = match table.take("burst") {
        None => 0,
        Some(value) => value.as_u64().and_then(|burst| u32::try_from(burst).ok()).unwrap_or_else(|| {
            table.problem("burst", "is not a whole number of at least 1");
            1
        }),
    };
    if interval.is_some() && burst == 0 {
        table.problem("burst", "allows no request (at least 1)");
    }
    table.finish();
    interval.map(|interval| RateLimit { interval, burst })
}

/// A duration with its unit, as in `15s` or `1m30s`. The error completes a sentence that begins with the key.
fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    if !text.contains(char::is_alphabetic) {
        return Err("has no unit (a number and a unit, as in 500ms or 15s)");
    }
    humantime::parse_duration(text).map_err(|_| "is not a duration (a number and a unit, as in 500ms or 15s)")
}

/// A mapping of the file, read key by key.
struct Table<'a> {
    /// The full key, empty for the file itself.
    place: &'static str,
    /// The values that have not been read yet.
    fields: Map<String, Value>,
    /// The keys that have a value.
    given: Vec<String>,
    /// The keys that have been looked up.
    known: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Table<'a> {
    fn at(place: &'static str, fields: Map<String, Value>, problems: &'a mut Vec<Problem>) -> Self {
        let given = fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.clone()).collect();
        Self { place, fields, given, known: Vec::new(), problems }
    }

    fn problem(&mut self, key: &str, message: impl Into<String>) {
        let key = shown(key);
        let key = if self.place.is_empty() { key } else { format!("{}.{key}", self.place) };
        self.problems.push(Problem::new(key, message));
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.fields.remove(key).filter(|value| !value.is_null())
    }

    fn table(&mut self, key: &str) -> Option<Map<String, Value>> {
        match self.take(key)? {
            Value::Object(fields) => Some(fields),
            _ => {
                self.problem(key, "is not a mapping (lines of `key: value`, indented)");
                None
            }
        }
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.take(key) {
            None => default,
            Some(Value::Bool(flag)) => flag,
            Some(_) => {
                self.problem(key, "is neither true nor false");
                default
            }
        }
    }

    /// A text. A number without quotes is accepted as text.
    fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                self.problem(key, "is not text");
                None
            }
        }
    }

    fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let items = value.as_array().map(|items| items.iter().map(|item| item.as_str().map(str::to_owned)));
        items.and_then(Iterator::collect::<Option<Vec<_>>>).unwrap_or_else(|| {
            self.problem(key, "is not a list of texts");
            Vec::new()
        })
    }

    /// A PEM text, given either inline or as a file, whose path is relative to `directory`.
    fn pem(&mut self, inline: &str, file: &str, directory: &Path) -> Option<Pem> {
        let text = self.text(inline).filter(|text| !text.is_empty());
        let path = self.text(file).filter(|path| !path.is_empty());
        match (text, path) {
            (Some(_), Some(_)) => {
                self.problem(inline, format!("is given twice, here and as {file}"));
                None
            }
            (Some(text), None) => Some(Pem::Inline(text)),
            (None, Some(path)) => Some(Pem::File(directory.join(path))),
            (None, None) => None,
        }
    }

    /// Reports every key that has not been read as unknown.
    fn finish(mut self) {
        let message = format!("is not a known key (known here: {})", self.known.join(", "));
        for (key, _) in std::mem::take(&mut self.fields) {
            self.problem(&key, message.clone());
        }
    }
}

/// A key as messages show it: on one line, and cut if it may be a misplaced secret.
fn shown(key: &str) -> String {
    let start: String = key.chars().take(KEY_SHOWN_MAX).collect();
    match key.chars().nth(KEY_SHOWN_MAX) {
        Some(_) => format!("{:?}…", start.chars().take(8).collect::<String>()),
        None if start.chars().all(|c| c.is_ascii_alphanumeric() || "_-.@".contains(c)) => start,
        None => format!("{start:?}"),
    }
}
