//! The pace of requests: as many a minute as the API allows, without bursts.

use std::time::Duration;

use tokio::sync::Mutex;
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
        Self { per_second, burst, bucket: Mutex::new(Bucket { tokens: 0.0, as_of: now, paused_until: now }) }
    }

    /// Waits for leave to send one request.
    pub async fn acquire(&self) {
        // Held while sleeping: whoever comes later queues behind, first come, first served.
        let mut bucket = self.bucket.lock().await;
        loop {
            let now = Instant::now();
            let earned = (now - bucket.as_of).as_secs_f64() * self.per_second;
            bucket.tokens = (bucket.tokens + earned).min(self.burst);
            bucket.as_of = now;
            // The tolerance keeps rounding from asking for a sleep of zero again and again.
            if bucket.tokens >= 1.0 - 1e-9 && now >= bucket.paused_until {
                bucket.tokens -= 1.0;
                return;
            }
            let missing = Duration::from_secs_f64((1.0 - bucket.tokens).max(0.0) / self.per_second);
            sleep_until(bucket.paused_until.max(now + missing)).await;
        }
    }

    /// Lets nothing through for `pause` from now on, nor earn credit for later. A running longer
    /// pause stands.
    pub async fn pause(&self, pause: Duration) {
        let mut bucket = self.bucket.lock().await;
        let until = Instant::now() + pause;
        if until > bucket.paused_until {
            bucket.paused_until = until;
            bucket.tokens = 0.0;
            bucket.as_of = until;
        }
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
        limiter.pause(Duration::from_secs(30)).await;
        limiter.pause(Duration::from_secs(5)).await;
        let times = passages(&limiter, 1).await;
        assert!((30.0..31.0).contains(&times[0]), "{times:?}");
    }
}
