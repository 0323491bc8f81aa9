//! Times of many like things.

use std::time::Duration;

use nix::time::ClockId;

use crate::client::Client;
use crate::process::Program;

/// That part of the times was shorter.
pub fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part).round() as usize]
}

/// The one in the middle.
pub fn median(times: &mut [Duration]) -> Duration {
    quantile(times, 0.5)
}

/// One to the other.
pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// The processor time that `work` takes, the median of so many runs.
pub fn cpu_of<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    let now = || -> Duration { ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into() };
    let timed = |_| {
        let begun = now();
        let result = work();
        let took = now() - begun;
        drop(result);
        took
    };
    median(&mut (0..runs).map(timed).collect::<Vec<_>>())
}

/// The times that scrapes take of several servers by turns, so that whatever else the machine does
/// befalls all alike.
pub fn by_turns(clients: &mut [Client], rounds: usize, gzip: bool) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::new(); clients.len()];
    for _ in 0..rounds {
        for (client, times) in clients.iter_mut().zip(&mut times) {
            // The first warms up what the other servers have displaced.
            client.get("/metrics", gzip);
            times.extend((0..5).map(|_| client.get("/metrics", gzip).took));
        }
    }
    times
}

/// What a scrape costs a server.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Processor time.
    pub cpu: Duration,
    /// Size of the body.
    pub bytes: usize,
}

impl Cost {
    /// The mean of many scrapes in a row.
    pub fn of(server: &Program, gzip: bool, scrapes: u32) -> Self {
        let mut client = Client::new(server.address);
        let bytes = client.get("/metrics", gzip).body.len();
        let before = server.cpu();
        for _ in 0..scrapes {
            client.get("/metrics", gzip);
        }
        Self { cpu: (server.cpu() - before) / scrapes, bytes }
    }

    /// Seconds per byte.
    pub fn per_byte(self) -> f64 {
        self.cpu.as_secs_f64() / self.bytes as f64
    }
}
