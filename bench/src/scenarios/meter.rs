//! What a stretch of a run has cost: time, and CPU of the server and of this program.

use std::time::Instant;

use anyhow::Result;

use crate::target::{Target, own_usage};

/// A stretch that goes on.
#[derive(Debug)]
pub struct Meter {
    began: Instant,
    server: Option<f64>,
    own: f64,
}

/// What it has cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// How long it took.
    pub seconds: f64,
    /// CPU seconds of the server, where its process is known. The kernel counts in hundredths.
    pub cpu: Option<f64>,
    /// CPU seconds of this program.
    pub own_cpu: f64,
}

impl Meter {
    /// Begins one.
    ///
    /// # Errors
    /// The server has ended.
    pub fn start(target: &Target) -> Result<Self> {
        Ok(Self { began: Instant::now(), server: target.usage()?.map(|used| used.cpu), own: own_usage()?.cpu })
    }

    /// What it has cost so far.
    ///
    /// # Errors
    /// The server has ended.
    pub fn spent(&self, target: &Target) -> Result<Spent> {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu = self.server.zip(target.usage()?).map(|(before, now)| now.cpu - before);
        Ok(Spent { seconds, cpu, own_cpu: own_usage()?.cpu - self.own })
    }
}

impl Spent {
    /// Microseconds of the server's CPU for each of so many.
    #[allow(clippy::cast_precision_loss)]
    pub fn cpu_each(&self, count: u64) -> Option<f64> {
        self.cpu.filter(|_| count > 0).map(|cpu| cpu * 1e6 / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_shared_by_all_and_by_nobody_where_there_is_none() {
        let spent = Spent { seconds: 1.0, cpu: Some(0.5), own_cpu: 0.0 };
        assert_eq!((spent.cpu_each(50_000), spent.cpu_each(0)), (Some(10.0), None));
        assert_eq!(Spent { cpu: None, ..spent }.cpu_each(1), None);
    }
}
