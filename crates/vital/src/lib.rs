//! Tasks and threads that must live for as long as the process serves: writers, deliverers, sweepers. If one of them ended and nobody
//! noticed, the server would go on answering and quietly not do its work.
//!
//! A part of the house that has such tasks holds a [`Vital`], starts each of them through [`Vital::keep`], and hands the [`Vital`] out.
//! The program watches them all: when one is lost, `/readyz` fails, and the process stops and exits with a code of its own, so that
//! whoever started it starts it anew. A task is restarted in place only where its own code says so, because there it is known that
//! nothing of its state matters.
//!
//! It knows nothing of what the tasks do. What a panic said and where it happened is in the log already, by the program's panic hook.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether the tasks of one part of the house live. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Vital(Arc<watch::Sender<Option<Lost>>>);

/// A task that has ended and should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    task: &'static str,
    how: &'static str,
}

impl fmt::Display for Lost {
    /// A sentence: `the delivery of live events has panicked`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has {}", self.task, self.how)
    }
}

/// Watches over whatever holds it: dropped by a panic, it says that the task is lost.
#[must_use = "it watches for as long as it is held"]
pub struct Watch {
    vital: Vital,
    task: &'static str,
}

impl Vital {
    /// One that has lost nothing.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// `work` as a task that must live: it is lost when it panics, and when it returns. To abort it is no loss: whoever does that means
    /// it. `task` names it in a sentence: `the delivery of live events`.
    ///
    /// Boxed, so that a runtime's machinery for tasks is compiled for one type and not again for each of them.
    pub fn keep<F>(&self, task: &'static str, work: F) -> Pin<Box<dyn Future<Output = F::Output> + Send>>
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        let watch = self.watch(task);
        Box::pin(async move {
            let done = work.await;
            watch.vital.lose(task, "ended");
            done
        })
    }

    /// For what may end, and is lost only if it panics: hold this meanwhile. So it is for threads, too.
    pub fn watch(&self, task: &'static str) -> Watch {
        Watch { vital: self.clone(), task }
    }

    /// The task that was lost first, if one was.
    pub fn lost(&self) -> Option<Lost> {
        *self.0.borrow()
    }

    /// Waits until a task is lost.
    pub async fn until_lost(&self) -> Lost {
        let mut lost = self.0.subscribe();
        loop {
            if let Some(lost) = *lost.borrow_and_update() {
                return lost;
            }
            if lost.changed().await.is_err() {
                // Cannot be: the sender is this one's.
                std::future::pending::<()>().await;
            }
        }
    }

    fn lose(&self, task: &'static str, how: &'static str) {
        self.0.send_if_modified(|lost| lost.replace(lost.unwrap_or(Lost { task, how })).is_none());
    }
}

impl Default for Vital {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.vital.lose(self.task, "panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_and_a_return_are_losses_and_an_abort_is_none() {
        let vital = Vital::new();
        let aborted = tokio::spawn(vital.keep("what was aborted", std::future::pending::<()>()));
        tokio::task::yield_now().await;
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert_eq!(vital.lost(), None);

        let panicked = tokio::spawn(vital.keep("the test", async {
            tokio::task::yield_now().await;
            panic!("as the test wants");
        }));
        let lost = vital.until_lost().await;
        assert_eq!(lost.to_string(), "the test has panicked");
        assert!(panicked.await.unwrap_err().is_panic());

        vital.keep("another task", async {}).await;
        assert_eq!(vital.lost(), Some(lost), "the first loss is the one that is told");

        let vital = Vital::new();
        assert_eq!(vital.keep("the test", async { 7 }).await, 7);
        assert_eq!(vital.lost().unwrap().to_string(), "the test has ended");
    }

    #[test]
    fn a_thread_may_end_but_not_panic() {
        let vital = Vital::new();
        let held = vital.watch("a thread");
        std::thread::spawn(move || drop(held)).join().unwrap();
        assert_eq!(vital.lost(), None);
        let held = vital.watch("a thread");
        let panicked = std::thread::spawn(move || {
            let _held = held;
            panic!("as the test wants");
        });
        assert!(panicked.join().is_err());
        assert_eq!(vital.lost().unwrap().to_string(), "a thread has panicked");
    }
}
