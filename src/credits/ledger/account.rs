//! The sums of the ledger in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use tiktok_api::Operation;
use units::{Credits, Date, Timestamp};

use super::{LedgerCommand, Settlement};
use crate::credits::{Balance, Denial, Limits, Standing};
use crate::model::{Expense, Purpose, Spent};
use crate::store::LedgerTx;

/// A clock that is less than this behind the last entry is accepted: a time service may have set it. Entries
/// then get the time of the last entry.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(600);
/// Delay before a clock that is behind is checked again. No interval is shorter.
const CLOCK_RETRY: Duration = Duration::from_secs(1);
/// Days for which spending is kept by hashtag. Older spending is kept by operation and purpose.
const HASHTAGS_KEPT_DAYS: i32 = 90;

/// Number of combinations of operation and purpose.
pub const KINDS: usize = Operation::ALL.len() * Purpose::ALL.len();

/// Credits by operation and purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByKind([Credits; KINDS]);

impl Default for ByKind {
    fn default() -> Self {
        Self([Credits::ZERO; KINDS])
    }
}

impl ByKind {
    /// All combinations with their credits.
    pub fn iter(&self) -> impl Iterator<Item = (Operation, Purpose, Credits)> {
        let kinds = Operation::ALL.into_iter().flat_map(|e| Purpose::ALL.into_iter().map(move |p| (e, p)));
        kinds.map(|(operation, purpose)| (operation, purpose, self.0[index(operation, purpose)]))
    }

    /// Adds credits.
    pub fn add(&mut self, operation: Operation, purpose: Purpose, credits: Credits) {
        *self.of(operation, purpose) += credits;
    }

    fn of(&mut self, operation: Operation, purpose: Purpose) -> &mut Credits {
        &mut self.0[index(operation, purpose)]
    }
}

fn index(operation: Operation, purpose: Purpose) -> usize {
    operation as usize * Purpose::ALL.len() + purpose.index()
}

/// The sums of the ledger's rows.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// The budgets of the standing.
    limits: Limits,
    /// The version of the store that was read. `None` if it must be read again.
    version: Option<i64>,
    standing: Standing,
    /// When a credit was last reserved, by purpose.
    last_entries: [Option<Timestamp>; Purpose::ALL.len()],
    by_kind: ByKind,
    /// Requests in flight.
    in_flight: BTreeMap<i64, (Operation, Purpose)>,
    /// The day on which old rows were last merged.
    tidied: Option<Date>,
    /// Whether the rows were ever read.
    known: bool,
}

impl Account {
    /// Without any spending, because the rows cannot be read.
    pub(super) fn unknown(limits: Limits, now: Timestamp) -> Self {
        let balance = limits.balance.map(|balance| balance.credits);
        let standing = Standing {
            today: Date::of(now),
            limits: [limits.per_day, limits.per_month, balance],
            reserve: limits.reserve,
            spent: Default::default(),
        };
        Self {
            limits,
            version: None,
            standing,
            last_entries: Default::default(),
            by_kind: ByKind::default(),
            in_flight: BTreeMap::new(),
            tidied: None,
            known: false,
        }
    }

    /// Whether the rows were ever read.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// Reads the rows. No request may be in flight.
    pub(super) fn load(tx: &LedgerTx<'_>, limits: Limits, now: Timestamp) -> rusqlite::Result<Self> {
        let last_entries = tx.last_entries()?;
        let today = Date::of(last_entries.iter().flatten().fold(now, |latest, at| latest.max(*at)));
        let (balance, since_counted) = balance(tx, limits.balance, today)?;
        let standing = Standing {
            today,
            limits: [limits.per_day, limits.per_month, balance],
            reserve: limits.reserve,
            spent: [tx.spent_since(Some(today))?, tx.spent_since(Some(today.month_start()))?, since_counted],
        };
        let mut by_kind = ByKind::default();
        for (operation, purpose, credits) in tx.spent_by_kind()? {
            *by_kind.of(operation, purpose) = credits;
        }
        let version = Some(tx.version()?);
        let (in_flight, tidied) = (BTreeMap::new(), None);
        Ok(Self { limits, version, standing, last_entries, by_kind, in_flight, tidied, known: true })
    }

    /// Makes the next command read the rows again.
    pub(super) fn invalidate(&mut self) {
        self.version = None;
    }

    /// Reads the rows again if another process has written or the budgets have changed. Returns whether it
    /// did.
    pub(super) fn refresh(
        &mut self,
        tx: &LedgerTx<'_>,
        limits: Limits,
        now: Timestamp,
    ) -> rusqlite::Result<bool> {
        if self.version == Some(tx.version()?) && self.limits == limits {
            return Ok(false);
        }
        let read = Self::load(tx, limits, now)?;
        let in_flight = std::mem::take(&mut self.in_flight);
        *self = Self { in_flight, tidied: self.tidied, ..read };
        Ok(true)
    }

    /// Carries out commands in order. Returns the answers to reservations.
    pub(super) fn write(
        &mut self,
        tx: &LedgerTx<'_>,
        limits: Limits,
        commands: &[LedgerCommand],
    ) -> rusqlite::Result<Vec<Option<Result<i64, Denial>>>> {
        // Only reservations have a time; without one, nothing needs the current sums.
        if let Some(now) = super::latest(commands) {
            self.refresh(tx, limits, now)?;
        }
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            answers.push(match command {
                LedgerCommand::Reserve { expense, now, .. } => Some(self.reserve(tx, expense, *now)?),
                LedgerCommand::Settle { id, settlement } => {
                    self.settle(tx, *id, *settlement)?;
                    None
                }
            });
        }
        if self.tidied != Some(self.standing.today) {
            self.tidy(tx)?;
        }
        Ok(answers)
    }

    /// Merges the rows of old days.
    pub(super) fn tidy(&mut self, tx: &LedgerTx<'_>) -> rusqlite::Result<()> {
        tx.fold_before(self.standing.today.plus(-HASHTAGS_KEPT_DAYS))?;
        self.tidied = Some(self.standing.today);
        Ok(())
    }

    fn reserve(
        &mut self,
        tx: &LedgerTx<'_>,
        expense: &Expense,
        now: Timestamp,
    ) -> rusqlite::Result<Result<i64, Denial>> {
        if let Some(denial) = self.denial(expense.purpose, Credits::ONE, now) {
            return Ok(Err(denial));
        }
        let at = self.last_entry().map_or(now, |last| now.max(last));
        self.standing.advance(Date::of(at));
        let id = tx.reserve(expense, self.standing.today, at)?;
        self.last_entries[expense.purpose.index()] = Some(at);
        self.standing.spend(expense.purpose);
        *self.by_kind.of(expense.operation, expense.purpose) += Credits::ONE;
        self.in_flight.insert(id, (expense.operation, expense.purpose));
        Ok(Ok(id))
    }

    fn settle(&mut self, tx: &LedgerTx<'_>, id: i64, settlement: Settlement) -> rusqlite::Result<()> {
        let kind = self.in_flight.remove(&id);
        if settlement == Settlement::Spent {
            return tx.settle(id);
        }
        if let Some((operation, purpose)) = kind {
            let credits = self.by_kind.of(operation, purpose);
            *credits = credits.less(Credits::ONE);
        }
        // The credit may belong to a past day or month, so the rows are read again.
        self.invalidate();
        tx.give_back(id)
    }

    /// Why `cost` credits for `purpose` cannot be reserved at `now`.
    pub(super) fn denial(&self, purpose: Purpose, cost: Credits, now: Timestamp) -> Option<Denial> {
        let behind = self.last_entry().map_or(Duration::ZERO, |last| last.saturating_since(now));
        if behind > CLOCK_TOLERANCE {
            return Some(Denial::Clock { behind, until: now + CLOCK_RETRY });
        }
        let standing = self.standing_at(now);
        let window = standing.lacking(purpose, cost)?;
        Some(Denial::Spent { window, until: window.end(standing.today) })
    }

    /// The standing in the windows of `now`.
    pub(super) fn standing_at(&self, now: Timestamp) -> Standing {
        let mut standing = self.standing;
        standing.advance(Date::of(self.last_entry().map_or(now, |last| now.max(last))));
        standing
    }

    /// When a credit was last reserved for `purpose`.
    pub(super) fn last_entry_for(&self, purpose: Purpose) -> Option<Timestamp> {
        self.last_entries[purpose.index()]
    }

    fn last_entry(&self) -> Option<Timestamp> {
        self.last_entries.into_iter().flatten().max()
    }

    /// Credits of requests that have ended. Never decreases.
    pub(super) fn settled(&self) -> ByKind {
        let mut settled = self.by_kind;
        for (operation, purpose) in self.in_flight.values() {
            let credits = settled.of(*operation, *purpose);
            *credits = credits.less(Credits::ONE);
        }
        settled
    }

    pub(super) fn unsettled(&self) -> Credits {
        Credits::new(self.in_flight.len() as u64)
    }
}

/// The balance when it was last set, and the spending since. A balance set by `ledger reset-balance` is valid
/// until the configuration has one of a later day.
fn balance(
    tx: &LedgerTx<'_>,
    configured: Option<Balance>,
    today: Date,
) -> rusqlite::Result<(Option<Credits>, Spent)> {
    let Some(configured) = configured else { return Ok((None, Spent::default())) };
    if let Some(counted) = tx.counted()?
        && Date::of(counted.at) >= configured.counted_on
    {
        let total = tx.spent_since(None)?;
        let since = Spent {
            all: total.all.less(counted.before.all),
            ad_hoc: total.ad_hoc.less(counted.before.ad_hoc),
        };
        return Ok((Some(counted.credits), since));
    }
    // A day in the future is a mistake. All spending counts then, so that none is free.
    let since = Some(configured.counted_on).filter(|day| *day <= today);
    Ok((Some(configured.credits), tx.spent_since(since)?))
}
