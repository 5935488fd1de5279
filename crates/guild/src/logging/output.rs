//! Where the log's lines go: into a queue of at most [`MOST`] bytes, from which one thread writes. Only that thread ever waits for the
//! output, and only it meets the output's errors.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that may wait to be written: some seconds of a busy log. A line that finds no room is dropped.
const MOST: usize = 1024 * 1024;

/// How soon an output that refused is tried again: a full disk, or a pipe that whoever made it set not to block.
const AGAIN: Duration = Duration::from_millis(100);

thread_local! {
    /// Whether this is the thread that writes.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// The queue.
pub(super) struct Output {
    state: Mutex<State>,
    /// Told when a line enters an empty queue.
    came: Condvar,
    /// Told when what was taken has left.
    left: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Lines,
    /// How many lines have entered, and how many of them have left: written or given up.
    entered: u64,
    left: u64,
    /// How many lines were dropped, and of how many of them the log has told.
    dropped: u64,
    told: u64,
}

/// Whole lines, one after the other.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Where each ends. (They may hold line breaks.)
    ends: Vec<usize>,
}

impl Output {
    /// Starts the thread that writes to `sink`. It lives as long as the process.
    pub(super) fn start(sink: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let output = Arc::new(Self { state: Mutex::default(), came: Condvar::new(), left: Condvar::new() });
        let writing = Arc::clone(&output);
        thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_out(sink))?;
        Ok(output)
    }

    /// Takes a line, or drops it. Waits for nobody.
    pub(super) fn put(&self, line: &[u8]) {
        let mut state = self.lock();
        // The one line of the writing thread says that lines were dropped, and may not be dropped too.
        if state.waiting.bytes.len() + line.len() > MOST && !WRITES.get() {
            return self.dropped(1, state);
        }
        state.waiting.bytes.extend_from_slice(line);
        let end = state.waiting.bytes.len();
        state.waiting.ends.push(end);
        state.entered += 1;
        let first = state.waiting.ends.len() == 1;
        drop(state);
        if first {
            self.came.notify_one();
        }
    }

    /// Waits until every line that has entered by now has left. False if that takes longer than `most`.
    pub(super) fn flush(&self, most: Duration) -> bool {
        let state = self.lock();
        let entered = state.entered;
        let waited = self.left.wait_timeout_while(state, most, |state| state.left < entered);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn dropped(&self, lines: u64, mut state: MutexGuard<'_, State>) {
        state.dropped += lines;
        let all = state.dropped;
        drop(state);
        metrics::counter!("guild_log_lines_dropped_total").absolute(all);
    }

    fn write_out(&self, mut sink: impl Write) {
        WRITES.set(true);
        let mut lines = Lines::default();
        loop {
            self.take(&mut lines);
            let given_up = lines.write_to(&mut sink);
            let mut state = self.lock();
            state.left += as_count(lines.ends.len());
            if given_up > 0 {
                self.dropped(given_up, state);
            } else {
                // Whatever was dropped stood behind what has just been written, so this is said in its place.
                let untold = state.dropped - state.told;
                state.told = state.dropped;
                drop(state);
                if untold > 0 {
                    tracing::warn!(target: "guild::logging", lines = untold, "lines of the log were dropped here: its output did not take them");
                }
            }
            self.left.notify_all();
        }
    }

    /// Waits for lines, and exchanges them for these, which are written.
    fn take(&self, lines: &mut Lines) {
        lines.bytes.clear();
        lines.ends.clear();
        let state = self.came.wait_while(self.lock(), |state| state.waiting.ends.is_empty());
        std::mem::swap(&mut state.unwrap_or_else(PoisonError::into_inner).waiting, lines);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is done under the lock that could leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Writes them, however long the output takes for it. Where it refuses, it is tried again; where nobody can read any more, they are
    /// given up. Answers how many were.
    fn write_to(&self, sink: &mut impl Write) -> u64 {
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            match sink.write(rest) {
                // A full disk takes a part of a line first; its rest follows when there is room.
                Ok(written) if written > 0 => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected) => break,
                Ok(_) | Err(_) => thread::sleep(AGAIN),
            }
        }
        let written = self.bytes.len() - rest.len();
        as_count(self.ends.iter().filter(|end| **end > written).count())
    }
}

fn as_count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

/// One write is one line, as the formatter makes them.
impl Write for &Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
