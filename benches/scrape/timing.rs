//! Times of many like things.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::client::Client;
use crate::goals::short;
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

/// Rounds in which servers are compared. Each has connections of its own: how fast one is depends on
/// where its ends happen to run and how far its windows have grown, and that stays as it is for long.
pub const ROUNDS: usize = 15;

/// How long a connection is used before it counts. Whoever scrapes keeps his for days, and its windows
/// grow at first.
const WARM_UP: Duration = Duration::from_millis(300);

/// The times that a scrape takes of several servers, by turns, so that whatever else the machine does
/// befalls all alike: for each round the median of so many scrapes.
pub fn by_turns<const N: usize>(
    servers: [SocketAddr; N],
    scrapes: usize,
    gzip: bool,
) -> [[Duration; ROUNDS]; N] {
    let mut times = [[Duration::ZERO; ROUNDS]; N];
    for round in 0..ROUNDS {
        for (server, times) in servers.iter().zip(&mut times) {
            let mut client = Client::new(*server);
            let begun = Instant::now();
            while begun.elapsed() < WARM_UP {
                client.get("/metrics", gzip);
            }
            let took = |_| client.get("/metrics", gzip).took;
            times[round] = median(&mut (0..scrapes).map(took).collect::<Vec<_>>());
        }
    }
    times
}

/// Figures of many rounds, least first.
pub struct Spread(Vec<f64>);

impl Spread {
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_unstable_by(f64::total_cmp);
        Self(figures)
    }

    /// Of the ratios of each round.
    pub fn of_ratios(one: &[Duration], other: &[Duration]) -> Self {
        Self::of(one.iter().zip(other).map(|(one, other)| ratio(*one, *other)))
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

/// The middle half, and how many there were.
impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.0.len();
        let (low, high) = (short(self.0[rounds / 4]), short(self.0[rounds - 1 - rounds / 4]));
        write!(formatter, "half of {rounds} rounds: {low} to {high}")
    }
}

/// Where a server and its clients run. What one processor has just written another has to fetch, and a
/// system that may choose chooses now this, now that: the same page then takes once as long and once
/// almost three times.
#[derive(Clone, Copy)]
pub enum Ends {
    /// On one processor.
    Together,
    /// On one each.
    Apart,
}

impl Ends {
    pub const BOTH: [Self; 2] = [Self::Together, Self::Apart];

    /// Keeps `server` and those whom `work` starts where they are to run, until `work` has ended.
    fn kept<T>(self, server: &Program, work: impl FnOnce() -> T) -> T {
        let this = Pid::from_raw(0);
        let all = sched_getaffinity(this).unwrap();
        let some = (0..CpuSet::count()).filter(|number| all.is_set(*number).unwrap());
        let mut some = some.map(|number| {
            let mut one = CpuSet::new();
            one.set(number).unwrap();
            one
        });
        let first = some.next().unwrap();
        server.keep_to(&first);
        let own = match self {
            Self::Together => first,
            Self::Apart => some.next().expect("two processors"),
        };
        sched_setaffinity(this, &own).unwrap();
        let result = work();
        server.keep_to(&all);
        sched_setaffinity(this, &all).unwrap();
        result
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Together => "on one processor",
            Self::Apart => "on two processors",
        })
    }
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
    /// The median of some rounds with 8 clients: hardly anybody falls asleep, so this is what the work
    /// takes.
    pub fn of(server: &Program, ends: Ends, gzip: bool) -> Self {
        let bytes = Client::new(server.address).get("/metrics", gzip).body.len();
        let round = |_| {
            let before = server.cpu();
            let (scrapes, ()) = scraped_during(server, 8, gzip, || sleep(Duration::from_millis(600)));
            (server.cpu() - before) / scrapes as u32
        };
        let cpu = ends.kept(server, || median(&mut (0..7).map(round).collect::<Vec<_>>()));
        Self { cpu, bytes }
    }

    /// The same with one client who asks again as soon as he has his answer, so that the server is
    /// woken each time. On a virtual machine that takes much of what a small page takes, or little on one
    /// processor.
    pub fn of_one(server: &Program, ends: Ends, gzip: bool, scrapes: u32) -> Duration {
        let round = |_| {
            let mut client = Client::new(server.address);
            client.pass(gzip);
            let before = server.cpu();
            (0..scrapes).for_each(|_| client.pass(gzip));
            (server.cpu() - before) / scrapes
        };
        ends.kept(server, || median(&mut (0..7).map(round).collect::<Vec<_>>()))
    }

    /// Seconds per byte.
    pub fn per_byte(self) -> f64 {
        self.cpu.as_secs_f64() / self.bytes as f64
    }
}

/// Scrapes by so many clients at once while `work` runs; how many there were.
pub fn scraped_during<T>(
    program: &Program,
    clients: usize,
    gzip: bool,
    work: impl FnOnce() -> T,
) -> (u64, T) {
    let (enough, scrapes) = (AtomicBool::new(false), AtomicU64::new(0));
    let result = std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::new(program.address);
                while !enough.load(Ordering::Relaxed) {
                    client.pass(gzip);
                    scrapes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let result = work();
        enough.store(true, Ordering::Relaxed);
        result
    });
    (scrapes.into_inner(), result)
}
