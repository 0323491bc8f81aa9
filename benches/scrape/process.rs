//! Programs that run beside: started on a port of their own, watched, and ended.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Longer than any of them takes to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running program. Ended when dropped.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// When it was started.
    pub begun: Instant,
}

/// A port that is free now.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Program {
    /// Starts `command`, which is to listen on `address`, and waits until it does.
    pub fn start(command: &mut Command, address: SocketAddr) -> Self {
        let begun = Instant::now();
        let log = std::env::var_os("SCRAPE_LOG").is_some();
        let output = || if log { Stdio::inherit() } else { Stdio::null() };
        let child = command.stdin(Stdio::null()).stdout(output()).stderr(output()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{command:?} does not listen");
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{command:?} ended: {status} (SCRAPE_LOG=1 shows what it says)");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { child, address, begun }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far, its children's included.
    pub fn cpu(&self) -> Duration {
        self.processes().into_iter().map(cpu).sum()
    }

    /// From now on it runs on these processors only, its children included.
    pub fn keep_to(&self, processors: &CpuSet) {
        for process in self.processes() {
            for thread in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
                let thread = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
                // One that has ended meanwhile runs nowhere.
                let _ = sched_setaffinity(Pid::from_raw(thread), processors);
            }
        }
    }

    /// Resident memory now, in bytes. What the allocator keeps for later counts.
    pub fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// The most that was ever resident, in bytes.
    pub fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> f64 {
        let kilobytes = |process: Pid| -> f64 {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        self.processes().into_iter().map(kilobytes).sum::<f64>() * 1024.0
    }

    fn processes(&self) -> Vec<Pid> {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
        let pids = children.split_whitespace().map(|pid| pid.parse().unwrap()).chain([own as i32]);
        pids.map(Pid::from_raw).collect()
    }
}

fn cpu(process: Pid) -> Duration {
    clock_getcpuclockid(process).and_then(|clock| clock.now()).unwrap().into()
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

impl Program {
    /// Ends it and waits for its end.
    pub fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The exporter itself, as this very build has made it.
pub fn exporter() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
}

/// This program in another role.
pub fn role(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(name);
    command
}

/// A directory for files that are to cost no disk.
pub fn directory() -> tempfile::TempDir {
    let shared_memory = PathBuf::from("/dev/shm");
    let parent = if shared_memory.is_dir() { shared_memory } else { std::env::temp_dir() };
    tempfile::tempdir_in(parent).unwrap()
}
