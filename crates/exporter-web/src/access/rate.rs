//! `rate_limit`: a token bucket over all requests.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::format::RateLimit;

/// Holds one token for each request that is allowed now.
pub(super) struct TokenBucket {
    limit: RateLimit,
    /// Tokens, and when they were counted.
    level: Mutex<(f64, Instant)>,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, level: Mutex::new((f64::from(limit.burst), Instant::now())) }
    }

    /// Takes a token. Returns false if there is none.
    pub(super) fn take(&self) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let added = now.duration_since(level.1).as_secs_f64() / self.limit.interval.as_secs_f64();
        let tokens = (level.0 + added).min(f64::from(self.limit.burst));
        let enough = tokens >= 1.0;
        *level = (if enough { tokens - 1.0 } else { tokens }, now);
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_and_then_one_per_interval() {
        let bucket = TokenBucket::new(RateLimit { interval: Duration::from_secs(2), burst: 3 });
        let passed = |tries: u32| (0..tries).filter(|_| bucket.take()).count();
        assert_eq!(passed(5), 3);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(passed(5), 1);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(passed(5), 0);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(passed(5), 1);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(passed(5), 3, "at most one burst accumulates");
    }
}
