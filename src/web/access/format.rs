//! The text of a web configuration file, in the format of Prometheus' exporter-toolkit.
//!
//! Every mistake is collected. No value is quoted where a password, its hash or a key may stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use units::{Problem, duration};

use super::users;

/// What the file says, each value by itself in order.
#[derive(Default)]
pub(super) struct Format {
    pub(super) tls: Option<TlsFormat>,
    pub(super) http2: bool,
    pub(super) headers: HeaderMap,
    /// Bcrypt hashes by user.
    pub(super) users: BTreeMap<String, String>,
    pub(super) rate: Option<Rate>,
}

/// `tls_server_config`.
#[derive(Default)]
pub(super) struct TlsFormat {
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

/// Where something in PEM stands.
pub(super) enum Pem {
    /// In the file itself.
    Inline(String),
    /// In a file of its own.
    File(PathBuf),
}

/// `rate_limit`: one request per `interval`, and `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    pub(super) interval: Duration,
    pub(super) burst: u32,
}

const SECTIONS: &[&str] = &["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"];

const TLS_KEYS: &[&str] = &[
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_auth_type",
    "client_ca_file",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];

/// The headers that may be set, and the values they may have, if not any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// Longer keys are not shown whole. No known one is as long, and a bcrypt hash is longer.
const SHOWN: usize = 32;

/// Reads the text of a file in `directory`. What is wrong goes to `problems`.
pub(super) fn read(name: &str, text: &str, directory: &Path, problems: &mut Vec<Problem>) -> Format {
    let mut format = Format { http2: true, ..Format::default() };
    let tree = match parse(text) {
        Ok(tree) => tree,
        Err((place, why)) => {
            problems.push(Problem::new(format!("{name}{place}"), format!("is not YAML: {why}")));
            return format;
        }
    };
    let mut file = Table::open(String::new(), tree, problems);
    let tls = file.table("tls_server_config");
    let http = file.table("http_server_config");
    let users = file.table("basic_auth_users");
    let rate = file.table("rate_limit");
    file.finish(SECTIONS);
    if let Some(fields) = tls {
        format.tls = read_tls(Table::at("tls_server_config", fields, problems), directory);
    }
    if let Some(fields) = http {
        let mut table = Table::at("http_server_config", fields, problems);
        format.http2 = table.flag("http2", true);
        let headers = table.table("headers");
        table.finish(&["http2", "headers"]);
        format.headers =
            read_headers(Table::at("http_server_config.headers", headers.unwrap_or_default(), problems));
    }
    if let Some(fields) = users {
        format.users = read_users(Table::at("basic_auth_users", fields, problems));
    }
    if let Some(fields) = rate {
        format.rate = read_rate(Table::at("rate_limit", fields, problems));
    }
    format
}

/// The tree of a YAML text; else where it ends being one, as `:line:column`, and why.
fn parse(text: &str) -> Result<Value, (String, String)> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    // The lines themselves are not quoted: they may hold secrets.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map(|at| format!(":{}:{}", at.line(), at.column()));
        let why = error.without_snippet().to_string();
        let why = why.lines().next().unwrap_or_default().chars().take(200).collect();
        (place.unwrap_or_default(), why)
    })
}

fn read_tls(mut table: Table, directory: &Path) -> Option<TlsFormat> {
    let tls = TlsFormat {
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
    // As in the toolkit: other keys alone do not switch TLS on.
    let on = tls.certificate.is_some()
        || tls.key.is_some()
        || tls.client_ca.is_some()
        || tls.client_auth.is_some();
    if on && tls.certificate.is_none() {
        table.problem("cert_file", "is missing (the file of the server's certificate, in PEM)");
    }
    if on && tls.key.is_none() {
        table.problem("key_file", "is missing (the file of the certificate's private key, in PEM)");
    }
    if !on && !table.given.is_empty() {
        table.problem(
            "cert_file",
            "is missing: without a certificate there is no TLS that the other keys could be about",
        );
    }
    table.finish(TLS_KEYS);
    on.then_some(tls)
}

fn read_headers(mut table: Table) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in HEADERS {
        // Blank is unset, as in the toolkit.
        let Some(value) = table.text(name).filter(|value| !value.is_empty()) else { continue };
        if !values.is_empty() && !values.contains(&value.as_str()) {
            table.problem(name, format!("{value:?} is not one of: {}", values.join(", ")));
            continue;
        }
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            _ => table.problem(name, "contains what no header can hold"),
        }
    }
    table.finish(&HEADERS.map(|(name, _)| name));
    headers
}

fn read_users(mut table: Table) -> BTreeMap<String, String> {
    let mut users = BTreeMap::new();
    for name in table.fields.keys().cloned().collect::<Vec<_>>() {
        if !table.given.contains(&name) {
            // Not to be passed over: the door would be open to everybody.
            table.problem(&name, "has no hash of a password");
        }
        let Some(hash) = table.text(&name) else { continue };
        if name.contains(':') {
            table.problem(&name, "is no name for a user: with basic authentication a colon ends the name");
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

fn read_rate(mut table: Table) -> Option<Rate> {
    let interval = table.text("interval").filter(|text| text != "0");
    let interval = match interval.as_deref().map(duration::parse) {
        Some(Err(why)) => {
            table.problem("interval", why);
            None
        }
        Some(Ok(interval)) => Some(interval).filter(|interval| !interval.is_zero()),
        None => None,
    };
    let burst = match table.fields.remove("burst") {
        None => 0,
        Some(value) => value.as_u64().and_then(|burst| u32::try_from(burst).ok()).unwrap_or_else(|| {
            table.problem("burst", "is not a whole number from 1 on");
            1
        }),
    };
    if interval.is_some() && burst == 0 {
        table.problem("burst", "lets no request through: 1 at least");
    }
    table.finish(&["interval", "burst"]);
    interval.map(|interval| Rate { interval, burst })
}

/// A mapping of the file, read key by key.
struct Table<'a> {
    /// The full name, empty for the file itself.
    place: String,
    /// The values not read yet.
    fields: Map<String, Value>,
    /// The keys that have a value.
    given: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Table<'a> {
    fn open(place: String, value: Value, problems: &'a mut Vec<Problem>) -> Self {
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => {
                problems.push(Problem::new("web configuration", "is not a mapping of sections"));
                Map::new()
            }
        };
        let given = fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.clone()).collect();
        Self { place, fields, given, problems }
    }

    fn at(place: &str, fields: Map<String, Value>, problems: &'a mut Vec<Problem>) -> Self {
        Self::open(place.to_owned(), Value::Object(fields), problems)
    }

    fn problem(&mut self, key: &str, message: impl Into<String>) {
        let key = shown(key);
        let key = if self.place.is_empty() { key } else { format!("{}.{key}", self.place) };
        self.problems.push(Problem::new(key, message));
    }

    fn take(&mut self, key: &str) -> Option<Value> {
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

    /// A text; a bare number is one, too.
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

    /// What is given either as it is or by the name of a file, which is relative to `directory`.
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

    /// Notes every key that nobody asked for as unknown.
    fn finish(mut self, known: &[&str]) {
        for key in std::mem::take(&mut self.fields).into_iter().map(|(key, _)| key) {
            let message = format!("is not a known key; known here: {}", known.join(", "));
            if !known.contains(&key.as_str()) {
                self.problem(&key, message);
            }
        }
    }
}

/// A key as a message names it: on one line, and not so long that it could be a misplaced secret.
fn shown(key: &str) -> String {
    let start: String = key.chars().take(SHOWN).collect();
    match key.chars().nth(SHOWN) {
        Some(_) => format!("{:?}…", start.chars().take(8).collect::<String>()),
        None if start.chars().all(|c| c.is_ascii_alphanumeric() || "_-.@".contains(c)) => start,
        None => format!("{start:?}"),
    }
}
