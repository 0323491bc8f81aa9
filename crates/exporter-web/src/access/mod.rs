//! The web configuration in force. Its files are checked every second, so that a changed password or
//! a renewed certificate takes effect without a restart.

mod client_certs;
mod config;
mod files;
mod format;
mod rate;
mod tls;
mod users;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{InvalidConfig, Observer, Problem, Refusal};
pub use config::AccessConfig;

/// How often the files are checked for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The web configuration in force. Clones share it.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    path: Option<PathBuf>,
    config: RwLock<Arc<AccessConfig>>,
    /// What is wrong with the files as they are now.
    invalid: Mutex<Option<InvalidConfig>>,
    observer: Arc<dyn Observer>,
}

impl Access {
    /// Plain HTTP for everyone.
    pub fn unrestricted(observer: Arc<dyn Observer>) -> Self {
        Self::new(None, AccessConfig::unrestricted(), observer)
    }

    /// The web configuration file at `path`, as a flag such as `--web.config.file` names it; without
    /// one, [unrestricted](Self::unrestricted).
    ///
    /// # Errors
    ///
    /// If the file or one that it names is invalid.
    pub fn from_file(path: Option<PathBuf>, observer: Arc<dyn Observer>) -> Result<Self, InvalidConfig> {
        let config = match &path {
            Some(path) => AccessConfig::load(path)?,
            None => AccessConfig::unrestricted(),
        };
        Ok(Self::new(path, config, observer))
    }

    fn new(path: Option<PathBuf>, config: AccessConfig, observer: Arc<dyn Observer>) -> Self {
        let config = RwLock::new(Arc::new(config));
        Self(Arc::new(Inner { path, config, invalid: Mutex::default(), observer }))
    }

    /// The configuration that is in force now.
    pub fn current(&self) -> Arc<AccessConfig> {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again and puts it in force if it is valid. Does nothing without a file. Problems
    /// are logged, and the observer is notified.
    ///
    /// # Errors
    ///
    /// If the file is invalid, or if it would remove a protection that is in force. The configuration
    /// in force then stays.
    pub async fn reload(&self) -> Result<(), InvalidConfig> {
        let Some(path) = self.0.path.clone() else { return Ok(()) };
        let name = path.display().to_string();
        let loaded = spawn_blocking(move || AccessConfig::load(&path)).await;
        let loaded = loaded
            .unwrap_or_else(|error| Err(Problem::new(name, format!("cannot be read: {error}")).into()))
            // A file that is being written can be valid with less in it.
            .and_then(|config| config.keeps_protections_of(&self.current()).map(|()| config));
        self.0.observer.config_reloaded(loaded.is_ok());
        match loaded {
            Ok(config) => {
                config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
                tracing::info!("web configuration in force: {}", config.summary());
                *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                *self.invalid() = None;
                Ok(())
            }
            Err(invalid) => {
                // The same problems are logged once, not every second.
                if self.invalid().as_ref() != Some(&invalid) {
                    for problem in invalid.problems() {
                        tracing::error!("the last valid web configuration stays in force: {problem}");
                    }
                }
                *self.invalid() = Some(invalid.clone());
                Err(invalid)
            }
        }
    }

    /// Reloads whenever a file has changed, until `stopping`.
    pub(crate) async fn watch_files(&self, stopping: &CancellationToken) {
        if self.0.path.is_none() {
            return;
        }
        while timeout(CHECK_INTERVAL, stopping.cancelled()).await.is_err() {
            let config = self.current();
            let changed = spawn_blocking(move || config.files_have_changed());
            if changed.await.unwrap_or(false) || self.invalid().is_some() {
                // Problems are logged by `reload`.
                let _ = self.reload().await;
            }
        }
    }

    /// Reports a refusal to the observer.
    pub(crate) fn refused(&self, reason: Refusal) {
        self.0.observer.refused(reason);
    }

    fn invalid(&self) -> MutexGuard<'_, Option<InvalidConfig>> {
        self.0.invalid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
