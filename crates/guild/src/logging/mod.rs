//! The log: readable text with fields, or a JSON object a line, on standard error. Request and connection ids come from spans.
//!
//! To log never waits and never fails: lines enter a bounded queue, and a thread writes them (`output`). Where they are not taken fast
//! enough, or not at all, they are dropped and counted (`guild_log_lines_dropped_total`). Panics are logged the same way, so that nothing
//! in a server writes to standard error by itself: use no `eprintln!` there, which waits, and panics where it cannot write.

mod output;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic::PanicHookInfo;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::settings::{Format, Log};
use output::Output;

/// What is logged where the operator's filter does not say otherwise. Libraries that say in their own words what the program says too are
/// quieter; a panic, and that lines were dropped, are told whatever else is left out. Whoever names one of them in the filter wins.
const OWN: &str = "async_nats=error,tokio_postgres=warn,panic=error,guild::logging=warn";

/// How long the process's end waits for the last lines to be written.
const LAST: Duration = Duration::from_secs(1);

static OUTPUT: OnceLock<Arc<Output>> = OnceLock::new();

/// Starts logging. The first start in a process counts; a later one changes nothing.
///
/// # Errors
/// There is no standard error, or no thread to write on.
pub fn start(log: &Log) -> io::Result<()> {
    if OUTPUT.get().is_some() {
        return Ok(());
    }
    // A handle of its own: whoever writes to the standard library's holds a lock meanwhile, and this thread may be kept waiting.
    let output = Output::start(File::from(io::stderr().as_fd().try_clone_to_owned()?))?;
    let lines = tracing_subscriber::fmt()
        // Checked when the settings were read.
        .with_env_filter(EnvFilter::new(format!("{OWN},{}", log.filter)))
        // It never fails, so the formatter has no error to tell on standard error.
        .with_writer(Arc::clone(OUTPUT.get_or_init(|| output)));
    let started = match log.format {
        Format::Text => lines.with_target(false).with_ansi(io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "the log is running already");
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Waits until what was logged so far is written, but no longer than a second: before the process ends.
pub fn flush() {
    if let Some(output) = OUTPUT.get() {
        output.flush(LAST);
    }
}

/// Flushes when it is dropped, by a panic too.
#[must_use = "it flushes when it is dropped"]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

/// Says something to whoever started the program, whatever the filter: on standard error, in order with the log's lines.
pub fn say(text: &str) {
    let line = format!("{text}\n");
    match OUTPUT.get() {
        Some(output) => output.put(line.as_bytes()),
        // Nothing was written there yet, so it takes a line at once; and where it cannot, nobody can be told.
        None => _ = io::stderr().write_all(line.as_bytes()),
    }
}

/// The default hook writes to standard error by itself, and so waits for whoever reads there.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("it did not say why");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    // Taken where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(&backtrace).map(tracing::field::display);
    tracing::error!(target: "panic", thread, backtrace, "panicked at {place}: {said}");
}
