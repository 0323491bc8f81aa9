//! The figures of the process.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::text;

crate::families! {
    /// The families of the process, named as in every client library.
    pub const PROCESS_FAMILIES: fn(&Figures) -> Option<f64> = "the process";

    /// Total user and system CPU time spent in seconds.
    counter "process_cpu_seconds_total" [] => |_| Some(cpu_seconds());
    /// Maximum number of open file descriptors.
    gauge "process_max_fds" [] => |_| getrlimit(Resource::Nofile).current.map(|limit| limit as f64);
    /// Number of open file descriptors.
    gauge "process_open_fds" [] => |figures| figures.open_fds;
    /// Resident memory size in bytes.
    gauge "process_resident_memory_bytes" [] => |figures| Some(figures.memory?.1);
    /// Start time of the process since unix epoch in seconds.
    gauge "process_start_time_seconds" [] => |figures| figures.started;
    /// Number of OS threads in the process.
    gauge "process_threads" [] => |figures| figures.threads;
    /// Virtual memory size in bytes.
    gauge "process_virtual_memory_bytes" [] => |figures| Some(figures.memory?.0);
}

/// What was read at one moment.
#[derive(Debug)]
pub struct Figures {
    /// Size and resident size in bytes.
    memory: Option<(f64, f64)>,
    open_fds: Option<f64>,
    started: Option<f64>,
    threads: Option<f64>,
}

/// Reads the figures of this process. They differ at every scrape, so the files that they are read from stay
/// open: reading takes a few system calls and some microseconds, which an async worker can spare.
#[derive(Debug)]
pub struct Process {
    /// Never changes.
    started: Option<f64>,
    memory: Option<File>,
    open_fds: Option<File>,
    threads: Option<File>,
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let open = |name: &str| File::open(format!("/proc/self/{name}")).ok();
        Self { started: start_time(), memory: open("statm"), open_fds: open("fd"), threads: open("task") }
    }

    /// The figures in text format 0.0.4, sorted by name. What the system does not show is absent.
    pub fn text(&self) -> String {
        let figures = Figures {
            memory: self.memory(),
            open_fds: self.open_fds(),
            started: self.started,
            threads: self.threads(),
        };
        let mut text = String::with_capacity(1024);
        for source in PROCESS_FAMILIES {
            if let Some(value) = (source.value)(&figures) {
                text::single(&mut text, &source.family, value);
            }
        }
        text
    }

    /// Size and resident size in bytes.
    fn memory(&self) -> Option<(f64, f64)> {
        // Seven numbers.
        let mut text = [0; 256];
        let read = self.memory.as_ref()?.read_at(&mut text, 0).ok()?;
        let pages = std::str::from_utf8(&text[..read]).ok()?.split(' ');
        let mut bytes =
            pages.map_while(|pages| pages.parse::<f64>().ok()).map(|pages| pages * page_size() as f64);
        Some((bytes.next()?, bytes.next()?))
    }

    fn open_fds(&self) -> Option<f64> {
        // Since Linux 6.2 the size of the directory is the number of descriptors.
        match self.open_fds.as_ref()?.metadata().ok()?.len() {
            // Reading a directory opens one more.
            0 => Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64),
            known => Some(known as f64),
        }
    }

    fn threads(&self) -> Option<f64> {
        // Each thread is a directory that links to its parent; the parent has two links of its own.
        Some(self.threads.as_ref()?.metadata().ok()?.nlink().saturating_sub(2) as f64)
    }
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

fn start_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Fields are counted after the program's name, which may contain anything.
    let ticks: f64 = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(booted + ticks / clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Process, cpu_seconds};

    /// What the kernel shows of this process elsewhere.
    fn status(field: &str) -> f64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn figures_are_those_that_the_kernel_shows_elsewhere() {
        let text = Process::this().text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("{name} is missing: {text}")).parse().unwrap()
        };
        // Other tests run at the same time.
        let near = |got: f64, want: f64| (got - want).abs() <= want / 2.0;
        assert!(near(value("process_resident_memory_bytes"), status("VmRSS:") * 1024.0), "{text}");
        assert!(near(value("process_virtual_memory_bytes"), status("VmSize:") * 1024.0), "{text}");
        let uptime = fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let booted = fs::metadata("/proc/self").is_ok().then_some(value("process_start_time_seconds"));
        assert!(booted.is_some_and(|at| at > uptime), "{text}");
        assert!(value("process_max_fds") >= value("process_open_fds"), "{text}");
    }

    #[test]
    fn what_is_opened_started_and_computed_is_counted() {
        let process = Process::this();
        let (before, files) = (process.open_fds().unwrap(), 100);
        let opened: Vec<_> = (0..files).map(|_| fs::File::open("/proc/self/statm").unwrap()).collect();
        assert!(process.open_fds().unwrap() >= before + f64::from(files) / 2.0);
        drop(opened);

        let (send, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let before = process.threads().unwrap();
        let more: Vec<_> = (0..50)
            .map(|_| {
                let wait = wait.clone();
                std::thread::spawn(move || _ = wait.lock().unwrap().recv())
            })
            .collect();
        assert!(process.threads().unwrap() >= before + 25.0);
        drop(send);
        more.into_iter().for_each(|thread| thread.join().unwrap());

        let before = cpu_seconds();
        while cpu_seconds() < before + 0.01 {}
    }
}
