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

use crate::config::{Problem, Problems};
use crate::exposition::{Refusal, Telemetry};
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
