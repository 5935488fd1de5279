//! What a run says while it lasts: a bar with live rates on a terminal, a plain line now and then elsewhere. All of it on standard error.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a plain line is written.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often a bar is drawn: looking more often would cost the generator.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// A step of a run: how far it is, of how much.
pub struct Progress {
    what: String,
    of: u64,
    bar: Option<ProgressBar>,
    shown: Cell<Instant>,
    quiet: bool,
}

impl Progress {
    /// A step of `of` units (connections, rows, milliseconds).
    pub fn new(what: impl Into<String>, of: u64) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {wide_bar:.green} {percent:>3}% {msg}");
            let bar = ProgressBar::new(of).with_prefix(what.clone());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let quiet = std::env::var_os("BENCH_QUIET").is_some();
        Self { what, of, bar, shown: Cell::new(Instant::now()), quiet }
    }

    /// How far it is now; `rate` is asked for only when something is shown.
    pub fn at(&self, place: u64, rate: impl FnOnce() -> String) {
        let since = self.shown.get().elapsed();
        if let Some(bar) = &self.bar {
            if since >= DRAW_EVERY {
                self.shown.set(Instant::now());
                bar.set_position(place.min(self.of));
                bar.set_message(rate());
            }
        } else if since >= LINE_EVERY && !self.quiet {
            self.shown.set(Instant::now());
            eprintln!("{}: {}% {}", self.what, place.min(self.of) * 100 / self.of.max(1), rate());
        }
    }

    /// It is done, with this to say.
    pub fn done(self, words: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            eprintln!("{}: {words}", self.what);
        }
    }
}

/// How many of them a second.
pub fn per_second(count: usize, took: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let count = count as f64;
    count / took.as_secs_f64().max(1e-9)
}
