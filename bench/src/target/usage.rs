//! What a process and everything that it started has used, from `/proc`.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result};

/// Used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds of CPU, in user mode and in the kernel, of all threads. The kernel counts in hundredths.
    pub cpu: f64,
    /// Resident memory in bytes (`VmRSS`), which counts pages of mapped files too.
    pub resident: u64,
    /// The part of it that is no file (`RssAnon`).
    pub anonymous: u64,
}

impl Usage {
    /// Together with another's.
    pub fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.resident += other.resident;
        self.anonymous += other.anonymous;
    }
}

/// Ticks of `/proc/PID/stat` in a second: `sysconf(_SC_CLK_TCK)` on every Linux.
const TICKS: f64 = 100.0;

/// Of this process and all below it.
///
/// # Errors
/// There is no such process.
pub fn usage(pid: u32) -> Result<Usage> {
    let mut sum = of_one(pid).with_context(|| format!("process {pid} has ended"))?;
    for child in below(pid) {
        // One that has ended meanwhile is past counting.
        if let Ok(one) = of_one(child) {
            sum.add(one);
        }
    }
    Ok(sum)
}

/// Of this program alone, without the servers that it has started.
///
/// # Errors
/// There is no `/proc`.
pub fn own_usage() -> Result<Usage> {
    of_one(std::process::id())
}

fn of_one(pid: u32) -> Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = |field: usize| -> Option<f64> { after_name(&stat)?.nth(field)?.parse().ok() };
    // Fields 14 and 15 (utime, stime) of proc(5), counted from the third.
    let cpu = (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Ok(Usage { cpu, resident: kib("VmRSS") * 1_024, anonymous: kib("RssAnon") * 1_024 })
}

/// What follows the process's name, which may hold anything.
fn after_name(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

/// Every process that this one started, and those that they started.
fn below(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = after_name(&stat).and_then(|mut fields| fields.nth(1)?.parse().ok()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let (mut found, mut at) = (vec![pid], 0);
    while let Some(parent) = found.get(at).copied() {
        found.extend(children.remove(&parent).unwrap_or_default());
        at += 1;
    }
    found.remove(0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let used = usage(std::process::id()).unwrap();
        assert!(used.resident > 100_000 && used.anonymous <= used.resident, "{used:?}");
        assert!(usage(u32::MAX).is_err() && own_usage().is_ok());
    }

    #[test]
    fn what_a_process_started_is_found() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        assert!(below(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
