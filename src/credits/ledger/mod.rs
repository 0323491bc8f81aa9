//! The ledger of credits: reserve → send → settle.
//!
//! A credit is stored as spent *before* its request is sent. After the request it is settled, or returned if
//! the request was certainly not sent. In all other cases (a timeout, `kill -9` in between) it stays spent,
//! so the ledger can count too much, but never too little.
//!
//! The transaction that reserves a credit also checks the budgets. It sees what other processes have written
//! (`ledger reset-balance`), so a budget holds across processes. When the store cannot be written, or the
//! clock is behind the ledger, no credit can be reserved, and no request is sent.
//!
//! Concurrent reservations and settlements share a transaction, and with it an `fsync`.

mod account;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use units::{Credits, Timestamp};

use crate::credits::{Denial, Limits, Standing};
use crate::model::{Expense, JobKind, Purpose};
use crate::store::{LedgerTx, Store, StoreError};
use account::Account;

pub use account::{ByKind, KINDS};

/// Delay before the next attempt after the store could not be written. No interval is shorter.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Permission to send one request. If dropped without being settled, its credit counts as spent.
#[must_use]
pub struct Reservation {
    id: i64,
    shared: Arc<Shared>,
    settled: bool,
}

/// What happened to a request with a reserved credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It was or may have been sent.
    Spent,
    /// It was certainly not sent.
    NeverSent,
}

/// The ledger. There is one per store.
pub struct Ledger {
    shared: Arc<Shared>,
    /// Held by the task that commits the queue for all others.
    committer: tokio::sync::Mutex<()>,
    unsettled_at_start: u64,
}

/// The figures of the ledger, for display.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Whether the ledger could be read. If not, all sums are zero.
    pub known: bool,
    /// Limits and spending by window.
    pub standing: Standing,
    /// All credits ever spent, without those of requests in flight.
    pub settled: ByKind,
    /// Credits of requests in flight.
    pub unsettled: Credits,
    /// Credits of requests that were in flight when the program last ended. They stay spent.
    pub unsettled_at_start: Credits,
    /// Number of denied requests since the start, in the order of [`Denial::REASONS`].
    pub denied: [u64; Denial::REASONS.len()],
    /// Why the loop cannot spend now, if it cannot.
    pub stopped: Option<Denial>,
}

struct Shared {
    store: Arc<Store>,
    queue: Mutex<Vec<LedgerCommand>>,
    current: Mutex<Current>,
}

/// The state in memory.
struct Current {
    limits: Limits,
    account: Account,
    /// Why the store cannot be written, and when to retry.
    failure: Option<(String, Timestamp)>,
    denied: [u64; Denial::REASONS.len()],
}

/// A change to write.
enum LedgerCommand {
    Reserve { expense: Expense, now: Timestamp, granted: oneshot::Sender<Result<i64, Denial>> },
    Settle { id: i64, settlement: Settlement },
}

impl Ledger {
    /// Opens the ledger in `store`. Requests that were in flight when the last process ended stay spent, and
    /// are logged. If the ledger cannot be written or is damaged, no credit can be reserved. Blocks.
    ///
    /// # Errors
    ///
    /// When the store cannot be read for any other reason.
    pub fn open(store: Arc<Store>, limits: Limits, now: Timestamp) -> Result<Self, StoreError> {
        match Self::read(store.clone(), limits, now) {
            Err(error @ StoreError::Damaged { .. }) => {
                let failure = Some((error.to_string(), now + STORE_RETRY));
                Ok(Self::with(store, limits, Account::unknown(limits, now), failure, 0))
            }
            read => read,
        }
    }

    fn read(store: Arc<Store>, limits: Limits, now: Timestamp) -> Result<Self, StoreError> {
        let unsettled_at_start = store.read_ledger(|tx| tx.in_flight())?;
        if unsettled_at_start > 0 {
            tracing::warn!(
                requests = unsettled_at_start,
                "requests were in flight when the program last ended: their credits count as spent"
            );
        }
        let mut account = store.read_ledger(|tx| Account::load(tx, limits, now))?;
        let tidied = store.write_ledger(|tx| {
            tx.settle_all()?;
            account.tidy(tx)
        });
        let failure = tidied.err().map(|error| (error.to_string(), now + STORE_RETRY));
        Ok(Self::with(store, limits, account, failure, unsettled_at_start))
    }

    fn with(
        store: Arc<Store>,
        limits: Limits,
        account: Account,
        failure: Option<(String, Timestamp)>,
        unsettled_at_start: u64,
    ) -> Self {
        let current = Current { limits, account, failure, denied: Default::default() };
        let shared = Arc::new(Shared { store, queue: Mutex::default(), current: Mutex::new(current) });
        Self { shared, committer: tokio::sync::Mutex::default(), unsettled_at_start }
    }

    /// Changes the budgets from the next request on.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.current().limits = limits;
    }

    /// Reserves a credit on disk, if the budgets allow it at `now`.
    ///
    /// # Errors
    ///
    /// When a budget is spent, the ledger cannot be written, or the clock is behind it.
    pub async fn reserve(&self, expense: Expense, now: Timestamp) -> Result<Reservation, Denial> {
        let granted = match self.recent_failure(now) {
            Some(denial) => Err(denial),
            None => {
                let (granted, answer) = oneshot::channel();
                self.submit(LedgerCommand::Reserve { expense, now, granted }).await;
                answer.await.unwrap_or_else(|_| Err(no_answer(now)))
            }
        };
        match granted {
            Ok(id) => Ok(Reservation { id, shared: self.shared.clone(), settled: false }),
            Err(denial) => {
                self.shared.current().count_denial(&denial);
                Err(denial)
            }
        }
    }

    /// Enters what happened to a request. Returns when it is on disk, or when writing has failed; then it is
    /// written later.
    pub async fn settle(&self, mut reservation: Reservation, settlement: Settlement) {
        reservation.settled = true;
        self.submit(LedgerCommand::Settle { id: reservation.id, settlement }).await;
    }

    /// Reads what other processes have written since. [`reserve`](Self::reserve) does so itself, but
    /// [`denial`](Self::denial) does not.
    pub async fn reload(&self, now: Timestamp) {
        let _committing = self.committer.lock().await;
        let shared = self.shared.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || shared.reload(now)).await {
            tracing::error!(%error, "reading the ledger panicked; please report this bug");
        }
    }

    /// Why `cost` credits for `purpose` cannot be reserved at `now`, as far as known without reading the
    /// store.
    pub fn denial(&self, purpose: Purpose, cost: Credits, now: Timestamp) -> Option<Denial> {
        self.recent_failure(now).or_else(|| self.shared.current().account.denial(purpose, cost, now))
    }

    /// Limits and spending at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.shared.current().account.standing_at(now)
    }

    /// When a credit was last reserved for `purpose`, by this process or an earlier one.
    pub fn last_entry_for(&self, purpose: Purpose) -> Option<Timestamp> {
        self.shared.current().account.last_entry_for(purpose)
    }

    /// Why the store cannot be written, if so. Lasts until a write succeeds.
    pub fn write_failure(&self) -> Option<Denial> {
        self.shared.current().write_failure()
    }

    /// All figures at `now`.
    pub fn statement(&self, now: Timestamp) -> Statement {
        let current = self.shared.current();
        let stopped = current
            .write_failure()
            .or_else(|| current.account.denial(Purpose::Job(JobKind::Totals), Credits::ONE, now));
        Statement {
            known: current.account.is_known(),
            standing: current.account.standing_at(now),
            settled: current.account.settled(),
            unsettled: current.account.unsettled(),
            unsettled_at_start: Credits::new(self.unsettled_at_start),
            denied: current.denied,
            stopped,
        }
    }

    /// The failure of the store, until it is time to retry.
    fn recent_failure(&self, now: Timestamp) -> Option<Denial> {
        let current = self.shared.current();
        let (_, until) = current.failure.as_ref()?;
        // Bounded on both sides, so that a step of the clock does not prolong it.
        let is_fresh = now < *until && *until <= now + STORE_RETRY;
        current.write_failure().filter(|_| is_fresh)
    }

    /// Queues a command and waits until it is committed, by this task or by another one.
    async fn submit(&self, command: LedgerCommand) {
        self.shared.queue().push(command);
        let _committing = self.committer.lock().await;
        if self.shared.queue().is_empty() {
            return;
        }
        let shared = self.shared.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || shared.commit()).await {
            tracing::error!(%error, "writing the ledger panicked; please report this bug");
        }
    }
}

impl Drop for Reservation {
    /// A request whose caller has stopped waiting is spent. It is written with the next command.
    fn drop(&mut self) {
        if !self.settled {
            self.shared.queue().push(LedgerCommand::Settle { id: self.id, settlement: Settlement::Spent });
        }
    }
}

impl Shared {
    /// Writes all queued commands in one transaction.
    fn commit(&self) {
        let mut commands = std::mem::take(&mut *self.queue());
        // A caller that is gone would never settle.
        commands.retain(
            |command| !matches!(command, LedgerCommand::Reserve { granted, .. } if granted.is_closed()),
        );
        let (mut account, limits) = {
            let current = self.current();
            (current.account.clone(), current.limits)
        };
        let committed = self.store.write_ledger(|tx| account.write(tx, limits, &commands));
        let mut current = self.current();
        match committed {
            Ok(answers) => {
                if current.failure.take().is_some() {
                    tracing::info!("the ledger can be written again");
                }
                current.account = account;
                drop(current);
                for (command, answer) in commands.into_iter().zip(answers) {
                    // If the caller is gone, the credit is settled as spent.
                    if let (LedgerCommand::Reserve { granted, .. }, Some(answer)) = (command, answer)
                        && let Err(Ok(id)) = granted.send(answer)
                    {
                        self.queue().push(LedgerCommand::Settle { id, settlement: Settlement::Spent });
                    }
                }
            }
            Err(error) => {
                // The commit can fail after everything was written, so the rows are read again.
                current.account.invalidate();
                current.failure = latest(&commands)
                    .map(|now| (error.to_string(), now + STORE_RETRY))
                    .or(current.failure.take());
                drop(current);
                for command in commands {
                    match command {
                        LedgerCommand::Reserve { granted, now, .. } => {
                            let until = now + STORE_RETRY;
                            // The receiver may be gone.
                            let _ = granted.send(Err(Denial::Ledger { why: error.to_string(), until }));
                        }
                        settle @ LedgerCommand::Settle { .. } => self.queue().push(settle),
                    }
                }
            }
        }
    }

    fn reload(&self, now: Timestamp) {
        let (mut account, limits) = {
            let current = self.current();
            (current.account.clone(), current.limits)
        };
        match self.store.read_ledger(|tx| account.refresh(tx, limits, now)) {
            Ok(false) => {}
            Ok(true) => self.current().account = account,
            Err(error) => tracing::debug!(%error, "the ledger cannot be read"),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Vec<LedgerCommand>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Values are replaced as a whole, so a panic leaves nothing inconsistent.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn write_failure(&self) -> Option<Denial> {
        let (why, until) = self.failure.as_ref()?;
        Some(Denial::Ledger { why: why.clone(), until: *until })
    }

    fn count_denial(&mut self, denial: &Denial) {
        let reason = denial.reason();
        if let Some(index) = Denial::REASONS.iter().position(|known| *known == reason) {
            self.denied[index] += 1;
        }
        tracing::debug!(reason, "a request was not sent: {denial}");
    }
}

/// Limits and spending at `now` according to the rows, for readers of the store.
///
/// # Errors
///
/// When the rows cannot be read.
pub fn standing(tx: &LedgerTx<'_>, limits: Limits, now: Timestamp) -> rusqlite::Result<Standing> {
    Ok(Account::load(tx, limits, now)?.standing_at(now))
}

/// The time of the latest reservation among `commands`.
fn latest(commands: &[LedgerCommand]) -> Option<Timestamp> {
    let time = |command: &LedgerCommand| match command {
        LedgerCommand::Reserve { now, .. } => Some(*now),
        LedgerCommand::Settle { .. } => None,
    };
    commands.iter().filter_map(time).max()
}

/// The denial after a commit panicked.
fn no_answer(now: Timestamp) -> Denial {
    Denial::Ledger { why: "the ledger gave no answer".to_owned(), until: now + STORE_RETRY }
}
