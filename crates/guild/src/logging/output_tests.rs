use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

/// An output whose every write is what the test says next: how many bytes are taken, or an error. What was taken comes out at the other end.
struct Sink(Receiver<Result<usize, ErrorKind>>, Sender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test is over when nothing more is said.
        let most = self.0.recv().unwrap_or(Ok(usize::MAX))?;
        let taken = &bytes[..bytes.len().min(most)];
        let _ = self.1.send(taken.to_vec());
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Trial {
    output: Arc<Output>,
    say: Sender<Result<usize, ErrorKind>>,
    taken: Receiver<Vec<u8>>,
}

impl Trial {
    fn new() -> Self {
        let ((say, said), (take, taken)) = (channel(), channel());
        Self { output: Output::start(Sink(said, take)).unwrap(), say, taken }
    }

    fn put(&self, line: &str) {
        self.output.put(line.as_bytes());
    }

    /// Everything that was written once the output takes what it gets.
    fn rest(self) -> String {
        drop(self.say);
        assert!(self.output.flush(Duration::from_secs(10)));
        String::from_utf8(self.taken.try_iter().flatten().collect()).unwrap()
    }
}

fn counts(output: &Output) -> (u64, u64, u64) {
    let state = output.lock();
    (state.entered, state.dropped, state.told)
}

#[test]
fn lines_come_out_whole_and_in_order() {
    let trial = Trial::new();
    let lines: Vec<String> = (0..1_000).map(|n| format!("line {n}\n")).collect();
    lines.iter().for_each(|line| trial.put(line));
    assert_eq!(trial.rest(), lines.concat());
}

#[test]
fn an_output_that_takes_nothing_keeps_nobody_waiting_and_what_finds_no_room_is_counted() {
    let trial = Trial::new();
    let output = Arc::clone(&trial.output);
    let line = format!("{}\n", "x".repeat(1_023));
    // More than twice what may wait: one queue full is perhaps on its way to the output.
    let lines = u64::try_from(3 * MOST / line.len()).unwrap();
    for _ in 0..lines {
        trial.put(&line);
    }
    assert!(!output.flush(Duration::from_millis(1)), "nothing can have left");
    let (entered, dropped, told) = counts(&output);
    assert_eq!(entered + dropped, lines);
    assert!(dropped >= lines / 3, "{dropped} of {lines}");
    assert_eq!(told, 0);
    let written = trial.rest();
    assert_eq!(written, line.repeat(usize::try_from(entered).unwrap()), "whole lines, and no other");
    // It tells of them before it takes the next lines, and these have left.
    assert_eq!(counts(&output), (entered, dropped, dropped));
}

#[test]
fn a_full_disk_tears_and_loses_no_line() {
    let trial = Trial::new();
    let output = Arc::clone(&trial.output);
    trial.put("the first\n");
    for said in [Ok(4), Err(ErrorKind::StorageFull), Ok(0), Err(ErrorKind::WouldBlock), Err(ErrorKind::Interrupted), Ok(2)] {
        trial.say.send(said).unwrap();
    }
    trial.put("the second\n");
    assert_eq!(trial.rest(), "the first\nthe second\n");
    assert_eq!(counts(&output), (2, 0, 0));
}

#[test]
fn where_nobody_reads_any_more_lines_are_dropped_at_once() {
    let trial = Trial::new();
    let output = Arc::clone(&trial.output);
    for n in 0..3 {
        trial.say.send(Err(ErrorKind::BrokenPipe)).unwrap();
        trial.put(&format!("lost {n}\n"));
        assert!(output.flush(Duration::from_secs(10)), "nothing waits for somebody who will not come");
    }
    assert_eq!(counts(&output), (3, 3, 0));
    trial.put("heard\n");
    assert_eq!(trial.rest(), "heard\n");
    assert_eq!(counts(&output), (4, 3, 3));
}
