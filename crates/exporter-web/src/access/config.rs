//! A web configuration file in the format of Prometheus' exporter-toolkit: TLS, users, headers, rate limit.

use std::path::Path;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use rustls::ServerConfig;

use super::files::WatchedFiles;
use super::format;
use super::rate::TokenBucket;
use super::tls;
use super::users::{Credentials, Users};
use crate::{InvalidConfig, Problem, Refusal};

/// The contents of a web configuration file, checked and ready to use.
pub struct AccessConfig {
    /// `None` is plain HTTP.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Headers for every response.
    pub(crate) headers: HeaderMap,
    users: Option<Users>,
    rate_limit: Option<TokenBucket>,
    files: WatchedFiles,
    /// Whether every client must present a certificate of a known authority.
    verifies_clients: bool,
    summary: String,
    warnings: Vec<String>,
}

impl AccessConfig {
    /// The configuration without a file: plain HTTP for everyone.
    pub(super) fn unrestricted() -> Self {
        Self {
            tls: None,
            headers: HeaderMap::new(),
            users: None,
            rate_limit: None,
            files: WatchedFiles::default(),
            verifies_clients: false,
            summary: "plain HTTP, for everyone".to_owned(),
            warnings: Vec::new(),
        }
    }

    /// Reads the file at `path` and the files that it names.
    ///
    /// # Errors
    ///
    /// Every problem, each with its key. Secrets are never quoted.
    pub fn load(path: &Path) -> Result<Self, InvalidConfig> {
        let name = path.display().to_string();
        let mut files = WatchedFiles::default();
        let unreadable = |why: String| Problem::new(name.clone(), why);
        let bytes = files.read(path).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8 text".to_owned()))?;
        Self::build(&name, &text, path.parent().unwrap_or(Path::new("")), files)
    }

    /// Reads `text` as the contents of a file that problems call `name`. Paths in it are relative to
    /// `directory`.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str, directory: &Path) -> Result<Self, InvalidConfig> {
        Self::build(name, text, directory, WatchedFiles::default())
    }

    fn build(
        name: &str,
        text: &str,
        directory: &Path,
        mut files: WatchedFiles,
    ) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let contents = format::read(name, text, directory, &mut problems);
        let tls = match &contents.tls {
            Some(section) => tls::build(section, contents.http2, &mut files, &mut problems),
            None => tls::Built { summary: "plain HTTP".to_owned(), ..tls::Built::default() },
        };
        let mut warnings = tls.warnings;
        let mut users = None;
        if !contents.users.is_empty() {
            users = Users::new(contents.users);
            if users.is_none() {
                problems.push(Problem::new("basic_auth_users", "the system has no random numbers"));
            }
        }
        InvalidConfig::check(problems)?;
        if users.is_some() && tls.config.is_none() {
            warnings.push("basic_auth_users: without TLS, passwords are sent in clear text".to_owned());
        }
        if users.as_ref().is_some_and(|users| !users.have_equal_cost()) {
            let why = "the hashes differ in cost, so the response time reveals something about a user";
            warnings.push(format!("basic_auth_users: {why}"));
        }
        let who = match users.as_ref().map(Users::count) {
            None => "for everyone".to_owned(),
            Some(1) => "for one user with a password".to_owned(),
            Some(count) => format!("for {count} users with passwords"),
        };
        Ok(Self {
            tls: tls.config,
            headers: contents.headers,
            users,
            rate_limit: contents.rate_limit.map(TokenBucket::new),
            files,
            verifies_clients: tls.verifies_clients,
            summary: format!("{}, {who}", tls.summary),
            warnings,
        })
    }

    /// Settings that are valid but probably not intended, each as `key: why`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether everyone who can reach the port has access: there are neither users nor verified client
    /// certificates.
    pub fn is_open(&self) -> bool {
        self.users.is_none() && !self.verifies_clients
    }

    /// Whether connections use TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Protocol and users in a few words, such as `TLS 1.3 and 1.2, for 2 users with passwords`.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Whether a file is different from when it was read.
    pub(super) fn files_have_changed(&self) -> bool {
        self.files.have_changed()
    }

    /// Fails if `before` has a protection that this configuration has not.
    pub(super) fn keeps_protections_of(&self, before: &AccessConfig) -> Result<(), InvalidConfig> {
        let removed = [
            ("basic_auth_users", before.users.is_some() && self.users.is_none()),
            ("tls_server_config", before.tls.is_some() && self.tls.is_none()),
            ("tls_server_config.client_auth_type", before.verifies_clients && !self.verifies_clients),
        ];
        let why = "is gone: a protection is not removed while the program runs (restart it to remove it)";
        match removed.into_iter().find(|(_, removed)| *removed) {
            Some((key, _)) => Err(Problem::new(key, why).into()),
            None => Ok(()),
        }
    }

    /// Checks the rate limit and the value of the header `Authorization`.
    pub(crate) async fn authorize(&self, authorization: Option<&HeaderValue>) -> Result<(), Refusal> {
        if self.rate_limit.as_ref().is_some_and(|bucket| !bucket.take()) {
            return Err(Refusal::RateLimit);
        }
        let Some(users) = &self.users else { return Ok(()) };
        match users.check(authorization).await {
            Credentials::Valid => Ok(()),
            Credentials::Missing => Err(Refusal::NoCredentials),
            Credentials::Wrong => Err(Refusal::WrongCredentials),
            Credentials::Busy => Err(Refusal::TooManyRequests),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    const HASH: &str = "$2y$05$aaaaaaaaaaaaaaaaaaaaaOUbWaPNO2qDB5LGFNmbGb21QtxtRoCCq";

    /// A folder with a self-signed certificate and its key.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["localhost".to_owned()];
        let server = rcgen::generate_simple_self_signed(names.clone()).unwrap();
        let other = rcgen::generate_simple_self_signed(names).unwrap();
        for (name, text) in [
            ("c.pem", server.cert.pem()),
            ("c.key", server.signing_key.serialize_pem()),
            ("other.key", other.signing_key.serialize_pem()),
            ("empty.pem", String::new()),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::set_permissions(folder.path().join("c.key"), fs::Permissions::from_mode(0o600)).unwrap();
        folder
    }

    fn parse(text: &str, directory: &Path) -> Result<AccessConfig, Vec<String>> {
        let text = text.replace("TLS:", "tls_server_config:\n  cert_file: c.pem\n  key_file: c.key");
        let config = AccessConfig::parse("web.yml", &text, directory);
        config.map_err(|invalid| invalid.problems().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_problem_names_the_key_and_what_is_allowed() {
        let folder = folder();
        for (text, expected) in [
            ("tls_server_config: [", vec!["web.yml:", "is not YAML"]),
            ("- a", vec!["web configuration: is not a mapping"]),
            ("a: 1\na: 2", vec!["is not YAML"]),
            (
                "basic_auth: {}",
                vec!["basic_auth: is not a known key (known here: tls_server_config, http_server"],
            ),
            ("tls_server_config: 5", vec!["tls_server_config: is not a mapping"]),
            (
                "tls_server_config:\n  cert_file: c.pem",
                vec!["tls_server_config.key_file: is missing (the file of the certificate's private key"],
            ),
            ("tls_server_config:\n  key_file: c.key", vec!["tls_server_config.cert_file: is missing"]),
            ("tls_server_config:\n  min_version: TLS12", vec!["tls_server_config.cert_file: is missing"]),
            (
                "tls_server_config:\n  cert_file: no.pem\n  key_file: c.key",
                vec!["tls_server_config.cert_file: ", "no.pem cannot be read"],
            ),
            (
                "tls_server_config:\n  cert_file: empty.pem\n  key_file: empty.pem",
                vec!["cert_file: holds no certificate", "key_file: holds no private key"],
            ),
            (
                "tls_server_config:\n  cert_file: c.pem\n  key_file: other.key",
                vec!["tls_server_config.key_file: does not go with the certificate"],
            ),
            ("TLS:\n  min_version: SSL3", vec!["min_version: \"SSL3\" is not one of: TLS12, TLS13"]),
            ("TLS:\n  max_version: TLS11", vec!["max_version: TLS 1.2 is the oldest supported version"]),
            ("TLS:\n  min_version: TLS13\n  max_version: TLS12", vec!["max_version: is below min_version"]),
            ("TLS:\n  cipher_suites: [RC4]", vec!["cipher_suites: \"RC4\" is not one of: TLS_ECDHE"]),
            ("TLS:\n  cipher_suites: RC4", vec!["cipher_suites: is not a list of texts"]),
            ("TLS:\n  curve_preferences: [P1]", vec!["curve_preferences: \"P1\" is not one of: X25519"]),
            (
                "TLS:\n  client_auth_type: Always",
                vec!["client_auth_type: \"Always\" is not one of: NoClientCert"],
            ),
            ("TLS:\n  client_ca_file: c.pem", vec!["client_auth_type: is missing"]),
            (
                "TLS:\n  client_auth_type: RequireAndVerifyClientCert",
                vec!["client_ca_file: is missing (the authority"],
            ),
            ("TLS:\n  client_allowed_sans: [a]", vec!["client_allowed_sans: needs client_auth_type"]),
            (
                "TLS:\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: c.pem\n  \
                 client_allowed_sans: [a@b.example]",
                vec!["is an e-mail address"],
            ),
            ("TLS:\n  cert: x", vec!["tls_server_config.cert: is given twice, here and as cert_file"]),
            (
                "http_server_config:\n  http2: maybe",
                vec!["http_server_config.http2: is neither true nor false"],
            ),
            (
                "http_server_config:\n  headers:\n    X-Frame-Options: allow",
                vec!["http_server_config.headers.X-Frame-Options: \"allow\" is not one of: deny, sameorigin"],
            ),
            ("http_server_config:\n  headers:\n    X-Other: a", vec!["headers.X-Other: is not a known key"]),
            ("basic_auth_users:\n  a: hunter2", vec!["basic_auth_users.a: is not a bcrypt hash"]),
            ("basic_auth_users:\n  a:", vec!["basic_auth_users.a: has no password hash"]),
            ("basic_auth_users:\n  a: [1]", vec!["basic_auth_users.a: is not text"]),
            ("rate_limit:\n  interval: 5", vec!["rate_limit.interval: has no unit"]),
            ("rate_limit:\n  interval: 5s", vec!["rate_limit.burst: allows no request (at least 1)"]),
        ] {
            let problems = parse(text, folder.path()).err().unwrap_or_else(|| panic!("{text:?} is accepted"));
            let all = problems.join("\n");
            for part in expected {
                assert!(all.contains(part), "{text:?} lacks {part:?}: {all}");
            }
            assert!(!all.contains("hunter2"), "{all}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let text =
            "x: 1\nhttp_server_config: {http2: 1}\nbasic_auth_users: {a: b, c: d}\nrate_limit: {burst: -1}";
        let problems = parse(text, Path::new("")).err().unwrap();
        assert_eq!(problems.len(), 5, "{problems:?}");
    }

    #[test]
    fn the_summary_names_protocol_and_users_and_odd_settings_cause_warnings() {
        let folder = folder();
        let users = format!("basic_auth_users:\n  a: {HASH}\n");
        for (text, summary, open, warnings) in [
            ("", "plain HTTP, for everyone".to_owned(), true, vec![]),
            ("tls_server_config:\nbasic_auth_users:\n", "plain HTTP, for everyone".to_owned(), true, vec![]),
            ("TLS:", "TLS 1.3 and 1.2, for everyone".to_owned(), true, vec![]),
            ("TLS:\n  min_version: TLS13", "TLS 1.3, for everyone".to_owned(), true, vec![]),
            (
                "TLS:\n  min_version: TLS10\n  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, \
                 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256]\n  \
                 curve_preferences: [CurveP521, CurveP384]",
                "TLS 1.3 and 1.2, for everyone".to_owned(),
                true,
                vec!["is weak and is left out", "CurveP521 is not supported", "the oldest supported version"],
            ),
            (
                &users,
                "plain HTTP, for one user with a password".to_owned(),
                false,
                vec!["without TLS, passwords are sent in clear text"],
            ),
            (
                &format!("TLS:\n{users}  b: {}", HASH.replace("$05$", "$06$")),
                "TLS 1.3 and 1.2, for 2 users with passwords".to_owned(),
                false,
                vec!["the hashes differ in cost"],
            ),
            (
                "TLS:\n  client_auth_type: RequireAnyClientCert",
                "TLS 1.3 and 1.2, client certificates required, for everyone".to_owned(),
                true,
                vec!["accepts any certificate"],
            ),
            (
                "TLS:\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: c.pem",
                "TLS 1.3 and 1.2, client certificates required, for everyone".to_owned(),
                false,
                vec![],
            ),
        ] {
            let config =
                parse(text, folder.path()).unwrap_or_else(|problems| panic!("{text:?}: {problems:?}"));
            assert_eq!((config.summary(), config.is_open()), (summary.as_str(), open), "{text:?}");
            let all = config.warnings().join("\n");
            assert_eq!(config.warnings().len(), warnings.len(), "{text:?}: {all}");
            for warning in warnings {
                assert!(all.contains(warning), "{text:?} has no warning {warning:?}: {all}");
            }
        }
    }
}
