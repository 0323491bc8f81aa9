//! Who may come in, and how: the web configuration file in the format of Prometheus'
//! exporter-toolkit. Its files are looked at every second, so that a changed password or a renewed
//! certificate holds at once.

mod clients;
mod files;
mod format;
mod rate;
mod tls;
mod users;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use rustls::ServerConfig;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use units::{Problem, Problems};

use crate::telemetry::{Refusal, Telemetry};
use files::Files;
use rate::Bucket;
use users::{Users, Verdict};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The rules of a web configuration file, ready for use.
pub struct Rules {
    /// TLS, if it is spoken.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Headers that every answer is to have.
    pub(super) headers: HeaderMap,
    users: Option<Users>,
    bucket: Option<Bucket>,
    files: Files,
    /// Whether every client must show a certificate of a known authority.
    verified: bool,
    summary: String,
    warnings: Vec<String>,
}

impl Rules {
    /// Those without a file: plain HTTP for everybody.
    fn none() -> Self {
        Self {
            tls: None,
            headers: HeaderMap::new(),
            users: None,
            bucket: None,
            files: Files::default(),
            verified: false,
            summary: "plain HTTP for everybody".to_owned(),
            warnings: Vec::new(),
        }
    }

    /// Reads the file at `path` and those it names.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, named by key; no secret is quoted.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let mut files = Files::default();
        let unreadable = |why: String| Problem::new(name.clone(), why);
        let bytes = files.read(path).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8 text".to_owned()))?;
        Self::read(&name, &text, path.parent().unwrap_or(Path::new("")), files)
    }

    /// Reads a text called `name`; files it names are relative to `directory`.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str, directory: &Path) -> Result<Self, Problems> {
        Self::read(name, text, directory, Files::default())
    }

    fn read(name: &str, text: &str, directory: &Path, mut files: Files) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let format = format::read(name, text, directory, &mut problems);
        let tls = match &format.tls {
            Some(tls) => tls::build(tls, format.http2, &mut files, &mut problems),
            None => tls::Built { summary: "plain HTTP".to_owned(), ..tls::Built::default() },
        };
        let mut warnings = tls.warnings;
        let mut users = None;
        if !format.users.is_empty() {
            users = Users::new(format.users);
            if users.is_none() {
                problems.push(Problem::new("basic_auth_users", "the system has no random numbers"));
            }
        }
        Problems::none_or(problems)?;
        if users.is_some() && tls.config.is_none() {
            warnings.push("basic_auth_users: without TLS passwords can be read on the way".to_owned());
        }
        if users.as_ref().is_some_and(|users| !users.cost_the_same()) {
            let why = "hashes of different cost: the time of an answer tells something about a user";
            warnings.push(format!("basic_auth_users: {why}"));
        }
        let whom = match users.as_ref().map(Users::count) {
            None => "for everybody".to_owned(),
            Some(1) => "for one user with a password".to_owned(),
            Some(count) => format!("for {count} users with passwords"),
        };
        Ok(Self {
            tls: tls.config,
            headers: format.headers,
            users,
            bucket: format.rate.map(Bucket::new),
            files,
            verified: tls.verified,
            summary: format!("{}, {whom}", tls.summary),
            warnings,
        })
    }

    /// What is legal but probably not meant.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether everybody who can reach the port is let in.
    pub fn are_open(&self) -> bool {
        self.users.is_none() && !self.verified
    }

    /// Whether TLS is spoken.
    pub fn speak_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What they let in, in a few words.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What was closed by `before` and is not any more.
    fn opened_since(&self, before: &Rules) -> Option<Problem> {
        let opened = [
            ("basic_auth_users", before.users.is_some() && self.users.is_none()),
            ("tls_server_config", before.tls.is_some() && self.tls.is_none()),
            ("tls_server_config.client_auth_type", before.verified && !self.verified),
        ];
        let why =
            "is gone: nothing is opened to everybody while the program runs (restart it if that is meant)";
        opened.into_iter().find(|(_, opened)| *opened).map(|(key, _)| Problem::new(key, why))
    }

    /// Whether a request with this header `Authorization` may come in.
    pub(super) async fn admit(&self, authorization: Option<&HeaderValue>) -> Result<(), Refusal> {
        if self.bucket.as_ref().is_some_and(|bucket| !bucket.take()) {
            return Err(Refusal::RateLimit);
        }
        let Some(users) = &self.users else { return Ok(()) };
        match users.judge(authorization).await {
            Verdict::Known => Ok(()),
            Verdict::Missing => Err(Refusal::NoCredentials),
            Verdict::Wrong => Err(Refusal::WrongCredentials),
            Verdict::Busy => Err(Refusal::TooManyRequests),
        }
    }
}

/// The rules in force.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    path: Option<PathBuf>,
    rules: RwLock<Arc<Rules>>,
    /// What is wrong with the files as they are now.
    complaint: Mutex<Option<Problems>>,
    telemetry: Arc<Telemetry>,
}

impl Access {
    /// For everybody, as long as the program runs.
    pub fn open(telemetry: Arc<Telemetry>) -> Self {
        Self::new(None, Rules::none(), telemetry)
    }

    /// As the web configuration file at `path` says.
    ///
    /// # Errors
    ///
    /// When it is unusable.
    pub fn from_file(path: PathBuf, telemetry: Arc<Telemetry>) -> Result<Self, Problems> {
        let rules = Rules::load(&path)?;
        Ok(Self::new(Some(path), rules, telemetry))
    }

    fn new(path: Option<PathBuf>, rules: Rules, telemetry: Arc<Telemetry>) -> Self {
        let rules = RwLock::new(Arc::new(rules));
        Self(Arc::new(Inner { path, rules, complaint: Mutex::default(), telemetry }))
    }

    /// The rules as they are now.
    pub fn rules(&self) -> Arc<Rules> {
        self.0.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts somebody who was turned away.
    pub(super) fn refused(&self, refusal: Refusal) {
        self.0.telemetry.refused(refusal);
    }

    /// Keeps the rules as the files say until `stopping`. Unusable files change nothing.
    pub async fn keep_current(self, stopping: CancellationToken) {
        if self.0.path.is_none() {
            return;
        }
        while timeout(LOOK, stopping.cancelled()).await.is_err() {
            let rules = self.rules();
            let changed = spawn_blocking(move || rules.files.have_changed());
            if changed.await.unwrap_or(false) || self.complaint().is_some() {
                // What is wrong is logged there.
                let _ = self.read_again().await;
            }
        }
    }

    /// Puts the files as they are now into force, if they are usable; else says what is wrong.
    pub async fn read_again(&self) -> Result<(), String> {
        let Some(path) = self.0.path.clone() else { return Ok(()) };
        let read = spawn_blocking(move || Rules::load(&path)).await.map_err(|error| error.to_string())?;
        // A file that is just being written can be a valid one with less in it.
        let read = read.and_then(|rules| match rules.opened_since(&self.rules()) {
            Some(opened) => Err(opened.into()),
            None => Ok(rules),
        });
        self.0.telemetry.web_config_is(read.is_ok());
        match read {
            Ok(rules) => {
                rules.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                tracing::info!("web configuration in force: {}", rules.summary);
                *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                *self.complaint() = None;
                Ok(())
            }
            Err(problems) => {
                // The same is said once, however often it is found.
                if self.complaint().as_ref() != Some(&problems) {
                    for problem in problems.as_slice() {
                        tracing::error!("the web configuration stays as it was: {problem}");
                    }
                }
                let said = problems.to_string();
                *self.complaint() = Some(problems);
                Err(said)
            }
        }
    }

    fn complaint(&self) -> MutexGuard<'_, Option<Problems>> {
        self.0.complaint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const HASH: &str = "$2y$05$aaaaaaaaaaaaaaaaaaaaaOUbWaPNO2qDB5LGFNmbGb21QtxtRoCCq";

    /// A folder with the files of a server that signed its own certificate.
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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(folder.path().join("c.key"), fs::Permissions::from_mode(0o600)).unwrap();
        }
        folder
    }

    fn parse(text: &str, directory: &Path) -> Result<Rules, Vec<String>> {
        let text = text.replace("TLS:", "tls_server_config:\n  cert_file: c.pem\n  key_file: c.key");
        let rules = Rules::parse("web.yml", &text, directory);
        rules.map_err(|problems| problems.as_slice().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_mistake_is_named_with_what_would_be_right() {
        let folder = folder();
        for (text, says) in [
            ("tls_server_config: [", vec!["web.yml:", "is not YAML"]),
            ("- a", vec!["web configuration: is not a mapping"]),
            ("a: 1\na: 2", vec!["is not YAML"]),
            (
                "basic_auth: {}",
                vec!["basic_auth: is not a known key; known here: tls_server_config, http_server"],
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
            ("TLS:\n  max_version: TLS11", vec!["max_version: TLS 1.2 is the oldest"]),
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
            ("basic_auth_users:\n  a:", vec!["basic_auth_users.a: has no hash"]),
            ("basic_auth_users:\n  a: [1]", vec!["basic_auth_users.a: is not text"]),
            ("rate_limit:\n  interval: 5", vec!["rate_limit.interval: has no unit"]),
            ("rate_limit:\n  interval: 5s", vec!["rate_limit.burst: lets no request through"]),
        ] {
            let problems = parse(text, folder.path()).err().unwrap_or_else(|| panic!("{text:?} is accepted"));
            let all = problems.join("\n");
            for said in says {
                assert!(all.contains(said), "{text:?} does not say {said:?}: {all}");
            }
            assert!(!all.contains("hunter2"), "{all}");
        }
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let text =
            "x: 1\nhttp_server_config: {http2: 1}\nbasic_auth_users: {a: b, c: d}\nrate_limit: {burst: -1}";
        let problems = parse(text, Path::new("")).err().unwrap();
        assert_eq!(problems.len(), 5, "{problems:?}");
    }

    #[test]
    fn what_is_let_in_is_summed_up_and_what_is_odd_is_warned_of() {
        let folder = folder();
        let users = format!("basic_auth_users:\n  a: {HASH}\n");
        for (text, summary, open, warnings) in [
            ("", "plain HTTP, for everybody".to_owned(), true, vec![]),
            ("tls_server_config:\nbasic_auth_users:\n", "plain HTTP, for everybody".to_owned(), true, vec![]),
            ("TLS:", "TLS 1.3 and 1.2, for everybody".to_owned(), true, vec![]),
            ("TLS:\n  min_version: TLS13", "TLS 1.3, for everybody".to_owned(), true, vec![]),
            (
                "TLS:\n  min_version: TLS10\n  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, \
                 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256]\n  \
                 curve_preferences: [CurveP521, CurveP384]",
                "TLS 1.3 and 1.2, for everybody".to_owned(),
                true,
                vec!["is weak and left out", "CurveP521 is not spoken", "the oldest that is spoken"],
            ),
            (
                &users,
                "plain HTTP, for one user with a password".to_owned(),
                false,
                vec!["without TLS passwords can be read on the way"],
            ),
            (
                &format!("TLS:\n{users}  b: {}", HASH.replace("$05$", "$06$")),
                "TLS 1.3 and 1.2, for 2 users with passwords".to_owned(),
                false,
                vec!["hashes of different cost"],
            ),
            (
                "TLS:\n  client_auth_type: RequireAnyClientCert",
                "TLS 1.3 and 1.2, client certificates required, for everybody".to_owned(),
                true,
                vec!["lets in any certificate"],
            ),
            (
                "TLS:\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: c.pem",
                "TLS 1.3 and 1.2, client certificates required, for everybody".to_owned(),
                false,
                vec![],
            ),
        ] {
            let rules =
                parse(text, folder.path()).unwrap_or_else(|problems| panic!("{text:?}: {problems:?}"));
            assert_eq!((rules.summary(), rules.are_open()), (summary.as_str(), open), "{text:?}");
            let all = rules.warnings().join("\n");
            assert_eq!(rules.warnings().len(), warnings.len(), "{text:?}: {all}");
            for warning in warnings {
                assert!(all.contains(warning), "{text:?} does not warn of {warning:?}: {all}");
            }
        }
    }
}
