//! The transport behind the ledger: every request is paid for before it is sent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tiktok_api::{Dialect, Error, Query, RawAnswer, Transport};
use units::SharedClock;

use super::RequestContext;
use crate::credits::{Denial, Ledger, Settlement};
use crate::model::Expense;

/// Holds the only way to the API, and opens it for a reserved credit at a time.
pub(super) struct Paid {
    transport: Arc<dyn Transport>,
    ledger: Arc<Ledger>,
    clock: SharedClock,
}

impl Paid {
    pub(super) fn new(transport: Arc<dyn Transport>, ledger: Arc<Ledger>, clock: SharedClock) -> Self {
        Self { transport, ledger, clock }
    }

    /// The dialect that the answers are in.
    pub(super) fn dialect(&self) -> Dialect {
        self.transport.dialect()
    }

    /// Reserves a credit, sends the request, and settles. The outer error says that nothing was
    /// sent.
    ///
    /// If this future is dropped, the credit stays spent.
    pub(super) async fn send(
        &self,
        query: &Query,
        context: &RequestContext,
    ) -> Result<Result<RawAnswer, Error>, Denial> {
        let expense = Expense {
            operation: query.operation(),
            purpose: context.purpose,
            hashtag: context.hashtag.clone(),
        };
        let reservation = self.ledger.reserve(expense, self.clock.now()).await?;
        let answer = self.transport.send(query).await;
        let settlement = match &answer {
            Err(error) if error.never_sent => Settlement::NeverSent,
            _ => Settlement::Spent,
        };
        if settlement == Settlement::Spent {
            context.progress.spent.fetch_add(1, Ordering::Relaxed);
        }
        self.ledger.settle(reservation, settlement).await;
        Ok(answer)
    }
}
