//! The ledger's rows. What they mean is decided in [`crate::credits`].

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use tiktok_api::Operation;
use units::{Credits, Date, Timestamp};

use super::{Store, StoreError, StoreReader};
use crate::model::{Expense, Purpose, Spent};

/// The ledger within one durable transaction.
pub struct LedgerTx<'a>(pub(super) &'a Connection);

/// A recorded account balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many there were.
    pub credits: Credits,
    /// When.
    pub at: Timestamp,
    /// What the ledger held at that moment, of all time.
    pub before: Spent,
}

/// What was spent on one day for one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The day, in UTC.
    pub day: Date,
    /// The name of the operation.
    pub endpoint: String,
    /// The purpose, as the ledger spells it.
    pub purpose: String,
    /// The hashtag; empty for none, and for all together on old days.
    pub hashtag: String,
    /// How much.
    pub credits: Credits,
}

impl Store {
    /// Runs `work` in one transaction. On success it is on disk; if `work` fails, nothing is written.
    ///
    /// # Errors
    ///
    /// If the store cannot be written. If the commit itself fails, the data may have been written
    /// nevertheless.
    pub fn write_ledger<T>(
        &self,
        work: impl FnOnce(&LedgerTx<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.check_in_place()?;
        self.commit_ledger(work)
    }
}

/// Corrects the ledger of a store that another process may hold. It spends nothing, so it needs no lock: the
/// holder reads the correction before it spends the next credit.
pub struct LedgerEditor(StoreReader);

impl LedgerEditor {
    /// Opens the ledger of the existing store at `path`.
    ///
    /// # Errors
    ///
    /// As [`StoreReader::open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let store = StoreReader::open_existing(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let durable = store.connection().pragma_update(None, "synchronous", "FULL");
        durable.map_err(|source| store.failed(source))?;
        Ok(Self(store))
    }

    /// Runs `work` in one transaction, which is on disk if this succeeds.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn edit<T>(&self, work: impl FnOnce(&LedgerTx<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.0.commit_ledger(work)
    }
}

impl LedgerTx<'_> {
    /// A number that changes when another process has written to the store.
    pub fn version(&self) -> rusqlite::Result<i64> {
        self.0.pragma_query_value(None, "data_version", |row| row.get(0))
    }

    /// What was spent from `first` on; `None` is ever.
    pub fn spent_since(&self, first: Option<Date>) -> rusqlite::Result<Spent> {
        let sql = "SELECT coalesce(sum(credits), 0),
                          coalesce(sum(credits) FILTER (WHERE purpose = ?2), 0)
                   FROM spending WHERE day >= ?1";
        let first = first.map_or(i32::MIN, Date::days);
        let spent = |row: &Row<'_>| Ok(Spent { all: credits(row, 0)?, ad_hoc: credits(row, 1)? });
        self.0.prepare_cached(sql)?.query_row(params![first, Purpose::AdHoc.as_str()], spent)
    }

    /// What was ever spent, by operation and purpose. Rows with an unknown one are left out.
    pub fn spent_by_kind(&self) -> rusqlite::Result<Vec<(Operation, Purpose, Credits)>> {
        let sql = "SELECT endpoint, purpose, sum(credits) FROM spending GROUP BY endpoint, purpose";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut kinds = Vec::new();
        while let Some(row) = rows.next()? {
            let operation = Operation::parse(&row.get::<_, String>(0)?);
            if let (Some(operation), Some(purpose)) = (operation, Purpose::parse(&row.get::<_, String>(1)?)) {
                kinds.push((operation, purpose, credits(row, 2)?));
            }
        }
        Ok(kinds)
    }

    /// When a credit was last added, by purpose in the order of [`Purpose::ALL`]. What was spent for
    /// purposes that this program does not know counts as [`Purpose::AdHoc`].
    pub fn last_entries(&self) -> rusqlite::Result<[Option<Timestamp>; Purpose::ALL.len()]> {
        let mut last = [None; Purpose::ALL.len()];
        let mut statement =
            self.0.prepare_cached("SELECT purpose, max(last_at) FROM spending GROUP BY purpose")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let purpose = Purpose::parse(&row.get::<_, String>(0)?).unwrap_or(Purpose::AdHoc);
            let at = row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis);
            last[purpose.index()] = at.max(last[purpose.index()]);
        }
        Ok(last)
    }

    /// LedgerTx one credit on `day` and notes that its request is under way; returns the note's number.
    pub fn reserve(&self, expense: &Expense, day: Date, at: Timestamp) -> rusqlite::Result<i64> {
        let hashtag = expense.hashtag.as_ref().map_or("", |hashtag| hashtag.as_str());
        let kind = (day.days(), expense.operation.as_str(), expense.purpose.as_str(), hashtag);
        self.0
            .prepare_cached(
                "INSERT INTO spending (day, endpoint, purpose, hashtag, credits, last_at)
                 VALUES (?1, ?2, ?3, ?4, 1, ?5)
                 ON CONFLICT DO UPDATE SET credits = credits + 1, last_at = max(last_at, excluded.last_at)",
            )?
            .execute(params![kind.0, kind.1, kind.2, kind.3, at.as_millis()])?;
        self.0
            .prepare_cached(
                "INSERT INTO in_flight (day, endpoint, purpose, hashtag) VALUES (?1, ?2, ?3, ?4)",
            )?
            .insert(params![kind.0, kind.1, kind.2, kind.3])
    }

    /// The request has ended; its credit is spent.
    pub fn settle(&self, id: i64) -> rusqlite::Result<()> {
        self.0.prepare_cached("DELETE FROM in_flight WHERE id = ?1")?.execute([id]).map(|_| ())
    }

    /// The request never left: takes its credit away again.
    pub fn give_back(&self, id: i64) -> rusqlite::Result<()> {
        self.0
            .prepare_cached(
                "UPDATE spending SET credits = credits - 1
                 WHERE (day, endpoint, purpose, hashtag) =
                       (SELECT day, endpoint, purpose, hashtag FROM in_flight WHERE id = ?1)",
            )?
            .execute([id])?;
        self.settle(id)
    }

    /// Requests that are noted as under way.
    pub fn in_flight(&self) -> rusqlite::Result<u64> {
        self.0.query_row("SELECT count(*) FROM in_flight", [], |row| Ok(credits(row, 0)?.get()))
    }

    /// Forgets the notes of all requests under way; their credits stay spent.
    pub fn settle_all(&self) -> rusqlite::Result<usize> {
        self.0.execute("DELETE FROM in_flight", [])
    }

    /// Puts the hashtags of the days before `first` together, so that the ledger does not grow
    /// without bound. Returns how many rows became one of another.
    pub fn fold_before(&self, first: Date) -> rusqlite::Result<usize> {
        self.0.execute(
            "INSERT INTO spending (day, endpoint, purpose, hashtag, credits, last_at)
             SELECT day, endpoint, purpose, '', sum(credits), max(last_at) FROM spending
             WHERE day < ?1 AND hashtag <> '' GROUP BY day, endpoint, purpose
             ON CONFLICT DO UPDATE SET credits = credits + excluded.credits,
                                       last_at = max(last_at, excluded.last_at)",
            [first.days()],
        )?;
        self.0.execute("DELETE FROM spending WHERE day < ?1 AND hashtag <> ''", [first.days()])
    }

    /// The last recorded account balance, if there is one.
    pub fn counted(&self) -> rusqlite::Result<Option<Counted>> {
        let sql = "SELECT credits, counted_at, all_before, ad_hoc_before FROM balance";
        let counted = |row: &Row<'_>| {
            let before = Spent { all: credits(row, 2)?, ad_hoc: credits(row, 3)? };
            Ok(Counted { credits: credits(row, 0)?, at: Timestamp::from_millis(row.get(1)?), before })
        };
        self.0.query_row(sql, [], counted).optional()
    }

    /// Sets the account balance at `at`.
    pub fn count(&self, credits: Credits, at: Timestamp) -> rusqlite::Result<()> {
        let before = self.spent_since(None)?;
        self.0
            .execute(
                "INSERT OR REPLACE INTO balance (id, credits, counted_at, all_before, ad_hoc_before)
                 VALUES (1, ?1, ?2, ?3, ?4)",
                params![column(credits), at.as_millis(), column(before.all), column(before.ad_hoc)],
            )
            .map(|_| ())
    }

    /// Moves entries from after `now` to `now`, where they count in today's windows. Returns how
    /// many credits were moved.
    pub fn bring_back_to(&self, now: Timestamp) -> rusqlite::Result<Credits> {
        let (today, at) = (Date::of(now).days(), now.as_millis());
        let moved = self.0.query_row(
            "SELECT coalesce(sum(credits), 0) FROM spending WHERE day > ?1",
            [today],
            |row| credits(row, 0),
        )?;
        self.0.execute(
            "INSERT INTO spending (day, endpoint, purpose, hashtag, credits, last_at)
             SELECT ?1, endpoint, purpose, hashtag, sum(credits), ?2 FROM spending
             WHERE day > ?1 GROUP BY endpoint, purpose, hashtag
             ON CONFLICT DO UPDATE SET credits = credits + excluded.credits",
            params![today, at],
        )?;
        self.0.execute("DELETE FROM spending WHERE day > ?1", [today])?;
        self.0.execute("UPDATE in_flight SET day = ?1 WHERE day > ?1", [today])?;
        self.0.execute("UPDATE spending SET last_at = ?1 WHERE last_at > ?1", [at])?;
        Ok(moved)
    }

    /// Every row from `first` on, by day, endpoint, purpose and hashtag.
    pub fn lines(&self, first: Option<Date>) -> rusqlite::Result<Vec<Line>> {
        let sql = "SELECT day, endpoint, purpose, hashtag, credits FROM spending
                   WHERE day >= ?1 AND credits > 0 ORDER BY day, endpoint, purpose, hashtag";
        let line = |row: &Row<'_>| {
            Ok(Line {
                day: Date::from_days(row.get(0)?),
                endpoint: row.get(1)?,
                purpose: row.get(2)?,
                hashtag: row.get(3)?,
                credits: credits(row, 4)?,
            })
        };
        let mut statement = self.0.prepare(sql)?;
        let lines = statement.query_map([first.map_or(i32::MIN, Date::days)], line)?;
        lines.collect()
    }
}

fn credits(row: &Row<'_>, index: usize) -> rusqlite::Result<Credits> {
    Ok(Credits::new(u64::try_from(row.get::<_, i64>(index)?).unwrap_or(0)))
}

fn column(credits: Credits) -> i64 {
    i64::try_from(credits.get()).unwrap_or(i64::MAX)
}
