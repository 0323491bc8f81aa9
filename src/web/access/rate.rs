//! `rate_limit`: a token bucket over all requests.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::format::Rate;

/// Holds a token for every request that may come now.
pub(super) struct Bucket {
    rate: Rate,
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, level: Mutex::new((f64::from(rate.burst), Instant::now())) }
    }

    /// Takes a token; false if there is none.
    pub(super) fn take(&self) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let came = now.duration_since(level.1).as_secs_f64() / self.rate.interval.as_secs_f64();
        let tokens = (level.0 + came).min(f64::from(self.rate.burst));
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
    async fn a_burst_passes_and_then_one_in_each_interval() {
        let bucket = Bucket::new(Rate { interval: Duration::from_secs(2), burst: 3 });
        let passed = |tries: u32| (0..tries).filter(|_| bucket.take()).count();
        assert_eq!(passed(5), 3);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(passed(5), 1);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(passed(5), 0);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(passed(5), 1);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(passed(5), 3, "no more than a burst is saved up");
    }
}
