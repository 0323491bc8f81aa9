//! The pace of requests: as many a minute as the API allows, without bursts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The API meets bursts above about 50 requests a second with refusals; requests bunch on their way.
const PER_SECOND_MAX: f64 = 45.0;

/// Lets requests through so that no window of 60 seconds holds more than the allowed number, and
/// no second more than 45.
///
/// A token bucket: 4 % of the allowance may go at once after a pause, the rest flows evenly. In
/// steady state 96 % of the allowance is used; the slack absorbs answers that travel at different
/// speeds. The bucket starts empty, so a crash loop cannot send faster than one long run.
///
/// Callers pass in the order of their arrival. Follows tokio's clock.
#[derive(Debug)]
pub struct Limiter {
    per_second: f64,
    burst: f64,
    /// Held while sleeping: later callers queue, first come, first served.
    turn: tokio::sync::Mutex<()>,
    /// Never held while sleeping: a pause holds for those who wait already.
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    as_of: Instant,
    paused_until: Instant,
}

impl Limiter {
    /// A limiter for `per_minute` requests a minute, at least 1.
    pub fn new(per_minute: u32) -> Self {
        let per_minute = f64::from(per_minute.max(1));
        let burst = (per_minute * 0.04).floor().clamp(1.0, 10.0);
        let per_second = ((per_minute - burst).max(0.5) / 60.0).min(PER_SECOND_MAX - burst);
        let now = Instant::now();
        let bucket = Mutex::new(Bucket { tokens: 0.0, as_of: now, paused_until: now });
        Self { per_second, burst, turn: tokio::sync::Mutex::default(), bucket }
    }

    /// Waits for leave to send one request.
    pub async fn acquire(&self) {
        let _turn = self.turn.lock().await;
        // Looked at again after every sleep: a pause may have begun meanwhile.
        while let Some(opens) = self.take() {
            sleep_until(opens).await;
        }
    }

    /// Lets nothing through for `pause` from now on, not even those who wait already, nor earns credit
    /// for later. A running longer pause stands. Returns whether this one is longer.
    pub fn pause(&self, pause: Duration) -> bool {
        let mut bucket = self.bucket();
        let until = Instant::now() + pause;
        let longer = until > bucket.paused_until;
        if longer {
            *bucket = Bucket { tokens: 0.0, as_of: until, paused_until: until };
        }
        longer
    }

    /// Takes a token, or returns when to try again.
    fn take(&self) -> Option<Instant> {
        let mut bucket = self.bucket();
        let now = Instant::now();
        // During a pause it lies ahead.
        if now > bucket.as_of {
            let earned = (now - bucket.as_of).as_secs_f64() * self.per_second;
            bucket.tokens = (bucket.tokens + earned).min(self.burst);
            bucket.as_of = now;
        }
        // The tolerance keeps rounding from asking for a sleep of zero again and again.
        if bucket.tokens >= 1.0 - 1e-9 && now >= bucket.paused_until {
            bucket.tokens -= 1.0;
            return None;
        }
        let missing = Duration::from_secs_f64((1.0 - bucket.tokens).max(0.0) / self.per_second);
        Some(bucket.as_of + missing)
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // Every state is valid by itself, so a panic elsewhere leaves nothing half-done.
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` back-to-back requests got through, in seconds from the start.
    async fn passages(limiter: &Limiter, count: usize) -> Vec<f64> {
        let start = Instant::now();
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            limiter.acquire().await;
            times.push((Instant::now() - start).as_secs_f64());
        }
        times
    }

    /// The most passages within any window of `seconds`.
    fn densest(times: &[f64], seconds: f64) -> usize {
        let mut first = 0;
        let in_window = times.iter().enumerate().map(|(last, time)| {
            while times[first] <= time - seconds {
                first += 1;
            }
            last + 1 - first
        });
        in_window.max().unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_of_full_load_stays_within_every_limit_and_uses_95_percent() {
        for per_minute in [1, 7, 60, 200, 1_000, 3_000] {
            let limiter = Limiter::new(per_minute);
            let times = passages(&limiter, 60 * per_minute as usize).await;
            assert!(
                densest(&times, 60.0) <= per_minute as usize,
                "{per_minute}/min: {}",
                densest(&times, 60.0)
            );
            assert!(densest(&times, 1.0) <= 45, "{per_minute}/min: {} in a second", densest(&times, 1.0));
            if (60..=2_000).contains(&per_minute) {
                let in_an_hour = times.iter().filter(|t| **t < 3_600.0).count() as f64;
                let share = in_an_hour / (60.0 * f64::from(per_minute));
                assert!(share >= 0.95, "{per_minute}/min: only {share} of the allowance is used");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_after_idling_still_bounds_the_window() {
        let limiter = Limiter::new(200);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let times = passages(&limiter, 400).await;
        assert!(densest(&times, 60.0) <= 200, "{}", densest(&times, 60.0));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_passes_while_paused() {
        let limiter = Limiter::new(200);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(limiter.pause(Duration::from_secs(30)));
        assert!(!limiter.pause(Duration::from_secs(5)), "the longer one stands");
        let times = passages(&limiter, 1).await;
        assert!((30.0..31.0).contains(&times[0]), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_those_who_wait_already_and_lets_them_go_one_by_one() {
        let limiter = std::sync::Arc::new(Limiter::new(120));
        // What was saved up is gone, and a queue stands, when the pause begins.
        tokio::time::sleep(Duration::from_secs(60)).await;
        passages(&limiter, 4).await;
        let start = Instant::now();
        let (passed, mut passages) = tokio::sync::mpsc::unbounded_channel();
        for place in 0..10 {
            let (limiter, passed) = (limiter.clone(), passed.clone());
            tokio::spawn(async move {
                limiter.acquire().await;
                passed.send((place, start.elapsed().as_secs_f64())).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop(passed);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        limiter.pause(Duration::from_secs(40));
        let mut order = Vec::new();
        while let Some(passage) = passages.recv().await {
            order.push(passage);
        }
        let places: Vec<_> = order.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..10).collect::<Vec<_>>(), "first come, first served");
        let (before, after): (Vec<_>, Vec<_>) = order.iter().map(|(_, at)| *at).partition(|at| *at < 1.3);
        assert!(before.len() < 5, "most wait when the pause begins: {order:?}");
        assert!(after[0] >= 41.2, "somebody left during the pause: {order:?}");
        assert_eq!(densest(&after, 0.4), 1, "a burst after the pause: {order:?}");
    }
}
