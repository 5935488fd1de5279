//! The machine that the figures come from, and which of its cores do what.

use std::fs;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of the server.
pub const SERVER_CORE: usize = 0;
/// The core of this program.
const OWN_CORE: usize = 1;

/// Whether there is a core for each, as it was when this was first asked: once this program keeps to one core it is told of no other.
pub fn has_two_cores() -> bool {
    static TWO: OnceLock<bool> = OnceLock::new();
    *TWO.get_or_init(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > OWN_CORE))
}

/// Keeps this program on its own core, away from the server's. Nothing happens on a machine with one.
pub fn pin_self() {
    if has_two_cores() {
        let mut cores = CpuSet::new();
        cores.set(OWN_CORE);
        // Where it may not, the figures are a little worse, and that is all.
        let _ = sched_setaffinity(None, &cores);
    }
}

/// Lets this program have as many files and sockets open as the machine allows it, which is often a thousand otherwise; the servers
/// that it starts inherit that.
pub fn raise_open_files() {
    let allowed = getrlimit(Resource::Nofile);
    // Where it may not, a scenario that needs more says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum });
}

/// How many files and sockets this process may have open, as `/proc` tells it. Nothing where that is unlimited or not to be seen.
pub fn open_files(pid: u32) -> Option<usize> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// Lets this thread, and those that it starts, run on every core: for work that is not measured.
pub fn on_all_cores() {
    let mut cores = CpuSet::new();
    // The kernel leaves out those that there are not.
    (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core));
    // Where it may not, the work takes longer, and that is all.
    let _ = sched_setaffinity(None, &cores);
}

/// Processor, cores, memory, kernel and file system, in one line.
pub fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).map_or("?", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let meminfo = read("/proc/meminfo");
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<f64>().ok());
    let kernel = read("/proc/sys/kernel/osrelease");
    let here = std::env::temp_dir();
    let here = here.to_string_lossy();
    let mounts = read("/proc/mounts");
    let disk = mounts
        .lines()
        .filter_map(|line| Some((line.split(' ').nth(1)?, line.split(' ').nth(2)?)))
        .filter(|(place, _)| here.starts_with(*place))
        .max_by_key(|(place, _)| place.len())
        .map_or("?", |(_, kind)| kind);
    format!("{model}, {cores} cores, {:.0} GiB, Linux {}, databases on {disk}", kib.unwrap_or(0.0) / 1_048_576.0, kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_limit_is_the_machines() {
        raise_open_files();
        let allowed = getrlimit(Resource::Nofile).maximum.and_then(|allowed| usize::try_from(allowed).ok());
        assert_eq!(open_files(std::process::id()), allowed);
    }
}
