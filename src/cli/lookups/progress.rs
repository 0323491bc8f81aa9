//! A progress bar, after a second.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{interval, sleep};

use crate::gateway::RequestProgress;

/// The wait before the bar appears.
const SILENCE: Duration = Duration::from_secs(1);

/// The progress of all questions together.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<Vec<Arc<RequestProgress>>>>);

impl Progress {
    /// Adds the progress of one question.
    pub(super) fn follow(&self, progress: Arc<RequestProgress>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
    }

    fn answered(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|progress| progress.answered()).sum()
    }
}

/// Runs `work`, and shows on a terminal how many of the `expected` responses have arrived.
pub(super) async fn shown<T, F: Future<Output = T>>(expected: u64, work: impl FnOnce(Progress) -> F) -> T {
    let progress = Progress::default();
    let work = work(progress.clone());
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = sleep(SILENCE) => {}
    }
    let bar = bar(expected.max(1));
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            _ = ticks.tick() => bar.set_position(progress.answered().min(expected)),
        }
    }
}

fn bar(expected: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} responses, {elapsed}");
    ProgressBar::new(expected).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
