//! How far a copy is: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often something is said: on a terminal, and where every word stays.
const ON_A_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(10);

const WIDTH: usize = 30;

/// What is known of one copy.
pub struct Progress {
    /// The tables with the rows that the source has of them.
    totals: Vec<(&'static str, u64)>,
    table: &'static str,
    began: Instant,
    /// How many rows of the table were there when it began, from a copy that was cut short.
    before: u64,
    said: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// For these tables.
    pub fn new(totals: Vec<(&'static str, u64)>) -> Self {
        Self { totals, table: "", began: Instant::now(), before: 0, said: None, terminal: std::io::stderr().is_terminal() }
    }

    /// So many rows of a table have been copied.
    pub fn moved(&mut self, table: &'static str, rows: u64) {
        let total = self.totals.iter().find(|(name, _)| *name == table).map_or(rows, |(_, total)| *total);
        let begins = self.table != table;
        if begins {
            (self.table, self.before, self.began) = (table, rows, Instant::now());
        }
        let every = if self.terminal { ON_A_TERMINAL } else { ELSEWHERE };
        let ends = rows >= total;
        // The last word on a table is always said, and the first where much is to come or has been there.
        if !ends && self.said.is_some_and(|said| said.elapsed() < every) && !(begins && rows > 0) {
            return;
        }
        self.said = Some(Instant::now());
        let line = line(table, rows, total, rows.saturating_sub(self.before), self.began.elapsed());
        let (start, end) = if self.terminal { ("\r\x1b[K", if ends { "\n" } else { "" }) } else { ("", "\n") };
        // A terminal that is gone is no reason to stop.
        let _ = write!(std::io::stderr(), "{start}{line}{end}");
    }
}

fn line(table: &str, rows: u64, total: u64, own: u64, took: Duration) -> String {
    let share = if total == 0 { 1.0 } else { (rows as f64 / total as f64).min(1.0) };
    let full = ((share * WIDTH as f64) as usize).min(WIDTH);
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH - full));
    let mut line = format!("  {table:<18} [{bar}] {:>3.0} %  {rows} of {total}", (share * 100.0).floor());
    if own > 0 && took >= Duration::from_secs(1) {
        let rate = own as f64 / took.as_secs_f64();
        line += &format!(", {rate:.0} a second");
        if rows < total {
            line += &format!(", {:.0} s left", (total - rows) as f64 / rate);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let text = line("log", 250, 1_000, 200, Duration::from_secs(2));
        assert_eq!(text, format!("  log                [{}{}]  25 %  250 of 1000, 100 a second, 8 s left", "#".repeat(7), "-".repeat(23)));
        assert_eq!(line("users", 0, 0, 0, Duration::ZERO), format!("  users              [{}] 100 %  0 of 0", "#".repeat(30)));
    }
}
