//! The one place where credits are spent: reserve → send → settle.
//!
//! A credit is on disk as spent *before* its request leaves. When the request has ended it is
//! settled; when it is certain that the request never left, it is given back. Whatever is not known
//! (no answer in time, `kill -9` between the two) stays spent, so the ledger can count too much and
//! never too little.
//!
//! The budgets are checked in the transaction that reserves. What others write to the store
//! meanwhile (`ledger reset-balance`) is noticed there as well, so a budget holds even against
//! another process. When the store cannot be written, or the clock is behind the ledger, nothing is
//! reserved and so nothing is sent.
//!
//! Those who reserve or settle at the same time share one transaction, and so one `fsync`.

mod account;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use units::{Credits, Timestamp};

use crate::credits::{Denial, Limits, Standing};
use crate::model::{Expense, Purpose};
use crate::store::{LedgerTx, Store, StoreError};
use account::Account;

pub use account::{ByKind, KINDS};

/// How soon a store that could not be written is tried again: no interval is shorter.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Leave to send one request, paid for. Dropped unsettled, it counts as spent.
#[must_use]
pub struct Reservation {
    id: i64,
    shared: Arc<Shared>,
    settled: bool,
}

/// What became of a request that was paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It was sent, or may have been.
    Spent,
    /// It is certain that it never left this machine.
    NeverSent,
}

/// The ledger. One per store; shared by all who ask.
pub struct Ledger {
    shared: Arc<Shared>,
    /// Held by whoever commits for all who wait.
    committer: tokio::sync::Mutex<()>,
    unsettled_at_start: u64,
}

/// What the numbers are, for those who show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Whether the ledger could be read; if not, there are no sums.
    pub known: bool,
    /// Limits and spending by window.
    pub standing: Standing,
    /// Credits that are spent for good, of all time: those under way are not among them.
    pub settled: ByKind,
    /// Credits of requests that have not ended.
    pub unsettled: Credits,
    /// Requests that were under way when the program last ended; their credits stay spent.
    pub unsettled_at_start: Credits,
    /// Requests that were not paid for since the start, in the order of [`Denial::REASONS`].
    pub denied: [u64; Denial::REASONS.len()],
    /// Why the loop may not spend now, if it may not.
    pub stopped: Option<Denial>,
}

struct Shared {
    store: Arc<Store>,
    queue: Mutex<Vec<LedgerCommand>>,
    kept: Mutex<Kept>,
}

/// What is known without looking at the disk.
struct Kept {
    limits: Limits,
    account: Account,
    /// The store could not be written.
    broken: Option<(String, Timestamp)>,
    denied: [u64; Denial::REASONS.len()],
}

/// What somebody wants to be written.
enum LedgerCommand {
    Reserve { expense: Expense, now: Timestamp, granted: oneshot::Sender<Result<i64, Denial>> },
    Settle { id: i64, settlement: Settlement },
}

impl Ledger {
    /// Opens the ledger in `store`. What was under way when the last process ended stays spent, and
    /// is reported. From one that cannot be written, or is damaged, nothing can be spent. Blocks.
    ///
    /// # Errors
    ///
    /// When the store cannot be read for any other reason.
    pub fn open(store: Arc<Store>, limits: Limits, now: Timestamp) -> Result<Self, StoreError> {
        match Self::read(store.clone(), limits, now) {
            Err(error @ StoreError::Damaged { .. }) => {
                let broken = Some((error.to_string(), now + STORE_RETRY));
                Ok(Self::with(store, limits, Account::unknown(limits, now), broken, 0))
            }
            read => read,
        }
    }

    fn read(store: Arc<Store>, limits: Limits, now: Timestamp) -> Result<Self, StoreError> {
        let unsettled_at_start = store.read_ledger(|tx| tx.in_flight())?;
        if unsettled_at_start > 0 {
            tracing::warn!(
                requests = unsettled_at_start,
                "requests were under way when the program last ended; their credits count as spent"
            );
        }
        let mut account = store.read_ledger(|tx| Account::load(tx, limits, now))?;
        let tidied = store.write_ledger(|tx| {
            tx.settle_all()?;
            account.tidy(tx)
        });
        let broken = tidied.err().map(|error| (error.to_string(), now + STORE_RETRY));
        Ok(Self::with(store, limits, account, broken, unsettled_at_start))
    }

    fn with(
        store: Arc<Store>,
        limits: Limits,
        account: Account,
        broken: Option<(String, Timestamp)>,
        unsettled_at_start: u64,
    ) -> Self {
        let kept = Kept { limits, account, broken, denied: Default::default() };
        let shared = Arc::new(Shared { store, queue: Mutex::default(), kept: Mutex::new(kept) });
        Self { shared, committer: tokio::sync::Mutex::default(), unsettled_at_start }
    }

    /// Puts other budgets into force, from the next request on.
    pub fn limits_are(&self, limits: Limits) {
        self.shared.kept().limits = limits;
    }

    /// LedgerTx one credit durably, if the budgets allow it at `now`.
    ///
    /// # Errors
    ///
    /// When a budget is spent, the ledger cannot be written, or the clock is behind it.
    pub async fn reserve(&self, expense: Expense, now: Timestamp) -> Result<Reservation, Denial> {
        let granted = match self.standing_denial(now) {
            Some(denial) => Err(denial),
            None => {
                let (granted, answer) = oneshot::channel();
                self.submit(LedgerCommand::Reserve { expense, now, granted }).await;
                answer.await.unwrap_or_else(|_| Err(unanswered(now)))
            }
        };
        match granted {
            Ok(id) => Ok(Reservation { id, shared: self.shared.clone(), settled: false }),
            Err(denial) => {
                self.shared.kept().refused(&denial);
                Err(denial)
            }
        }
    }

    /// Notes what became of a request. Returns when that is on disk; if the disk is in trouble it is
    /// noted later.
    pub async fn settle(&self, mut reservation: Reservation, settlement: Settlement) {
        reservation.settled = true;
        self.submit(LedgerCommand::Settle { id: reservation.id, settlement }).await;
    }

    /// Reads what others may have written meanwhile. Worth while before giving up on a denial: to
    /// reserve looks by itself.
    pub async fn look(&self, now: Timestamp) {
        let _committing = self.committer.lock().await;
        let shared = self.shared.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || shared.look(now)).await {
            tracing::error!(%error, "the ledger could not be read; please report this");
        }
    }

    /// Why `cost` credits for `purpose` would not be granted at `now`, as far as is known without
    /// asking the disk.
    pub fn denial(&self, purpose: Purpose, cost: Credits, now: Timestamp) -> Option<Denial> {
        self.standing_denial(now).or_else(|| self.shared.kept().account.denial(purpose, cost, now))
    }

    /// Limits and spending as they stand at `now`.
    pub fn standing(&self, now: Timestamp) -> Standing {
        self.shared.kept().account.standing_at(now)
    }

    /// When a credit was last booked for `purpose`, by this process or one before it.
    pub fn last_entry_for(&self, purpose: Purpose) -> Option<Timestamp> {
        self.shared.kept().account.last_entry_for(purpose)
    }

    /// Trouble with the store. It lasts until something has been written, however long ago it was last
    /// tried.
    pub fn trouble(&self) -> Option<Denial> {
        self.shared.kept().trouble()
    }

    /// All the numbers at `now`.
    pub fn statement(&self, now: Timestamp) -> Statement {
        let kept = self.shared.kept();
        let stopped = kept.trouble().or_else(|| kept.account.denial(Purpose::Totals, Credits::ONE, now));
        Statement {
            known: kept.account.is_known(),
            standing: kept.account.standing_at(now),
            settled: kept.account.settled(),
            unsettled: kept.account.unsettled(),
            unsettled_at_start: Credits::new(self.unsettled_at_start),
            denied: kept.denied,
            stopped,
        }
    }

    /// What stands against any spending: trouble with the store that is still fresh.
    fn standing_denial(&self, now: Timestamp) -> Option<Denial> {
        let kept = self.shared.kept();
        let (_, until) = kept.broken.as_ref()?;
        // A clock that goes back must not make the pause longer.
        let is_fresh = now < *until && *until <= now + STORE_RETRY;
        kept.trouble().filter(|_| is_fresh)
    }

    /// Puts a command into the queue and sees to it that the queue is committed: by itself, or by
    /// somebody who was faster.
    async fn submit(&self, command: LedgerCommand) {
        self.shared.queue().push(command);
        let _committing = self.committer.lock().await;
        if self.shared.queue().is_empty() {
            return;
        }
        let shared = self.shared.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || shared.commit()).await {
            tracing::error!(%error, "the ledger could not be written; please report this");
        }
    }
}

impl Drop for Reservation {
    /// Whoever gave up waiting for an answer has spent all the same. Noted with the next one.
    fn drop(&mut self) {
        if !self.settled {
            self.shared.queue().push(LedgerCommand::Settle { id: self.id, settlement: Settlement::Spent });
        }
    }
}

impl Shared {
    /// Writes everything that waits in the queue, in one transaction.
    fn commit(&self) {
        let mut commands = std::mem::take(&mut *self.queue());
        // Somebody who has gone would never settle.
        commands.retain(
            |command| !matches!(command, LedgerCommand::Reserve { granted, .. } if granted.is_closed()),
        );
        let (mut account, limits) = {
            let kept = self.kept();
            (kept.account.clone(), kept.limits)
        };
        let committed = self.store.write_ledger(|tx| account.write(tx, limits, &commands));
        let mut kept = self.kept();
        match committed {
            Ok(answers) => {
                if kept.broken.take().is_some() {
                    tracing::info!("the ledger can be written again");
                }
                kept.account = account;
                drop(kept);
                for (command, answer) in commands.into_iter().zip(answers) {
                    // Nobody may wait any more: then the reservation ends here, and counts as spent.
                    if let (LedgerCommand::Reserve { granted, .. }, Some(answer)) = (command, answer)
                        && let Err(Ok(id)) = granted.send(answer)
                    {
                        self.queue().push(LedgerCommand::Settle { id, settlement: Settlement::Spent });
                    }
                }
            }
            Err(error) => {
                // The last step can fail with everything written: what is there is read again.
                kept.account.distrust();
                kept.broken = latest(&commands)
                    .map(|now| (error.to_string(), now + STORE_RETRY))
                    .or(kept.broken.take());
                drop(kept);
                for command in commands {
                    match command {
                        LedgerCommand::Reserve { granted, now, .. } => {
                            let until = now + STORE_RETRY;
                            // A receiver that has gone needs no answer.
                            let _ = granted.send(Err(Denial::Ledger { why: error.to_string(), until }));
                        }
                        settle @ LedgerCommand::Settle { .. } => self.queue().push(settle),
                    }
                }
            }
        }
    }

    fn look(&self, now: Timestamp) {
        let (mut account, limits) = {
            let kept = self.kept();
            (kept.account.clone(), kept.limits)
        };
        match self.store.read_ledger(|tx| account.refresh(tx, limits, now)) {
            Ok(false) => {}
            Ok(true) => self.kept().account = account,
            Err(error) => tracing::debug!(%error, "the ledger cannot be read"),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Vec<LedgerCommand>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Replaced as a whole, so a panic elsewhere leaves nothing half-done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn trouble(&self) -> Option<Denial> {
        let (why, until) = self.broken.as_ref()?;
        Some(Denial::Ledger { why: why.clone(), until: *until })
    }

    fn refused(&mut self, denial: &Denial) {
        let reason = denial.reason();
        if let Some(index) = Denial::REASONS.iter().position(|known| *known == reason) {
            self.denied[index] += 1;
        }
        tracing::debug!(reason, "a request was not paid for and not sent: {denial}");
    }
}

/// Limits and spending at `now`, as the rows say: for those who only look.
///
/// # Errors
///
/// When the rows cannot be read.
pub fn standing(tx: &LedgerTx<'_>, limits: Limits, now: Timestamp) -> rusqlite::Result<Standing> {
    Ok(Account::load(tx, limits, now)?.standing_at(now))
}

/// The time at which the last of `commands` was made, if one says.
fn latest(commands: &[LedgerCommand]) -> Option<Timestamp> {
    let time = |command: &LedgerCommand| match command {
        LedgerCommand::Reserve { now, .. } => Some(*now),
        LedgerCommand::Settle { .. } => None,
    };
    commands.iter().filter_map(time).max()
}

/// The answer of a commit that panicked.
fn unanswered(now: Timestamp) -> Denial {
    Denial::Ledger { why: "the ledger gave no answer".to_owned(), until: now + STORE_RETRY }
}
