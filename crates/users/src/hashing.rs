//! Passwords are hashed on threads of their own, for half of the cores, with a short queue: a storm of logins makes logins wait, and
//! nobody else. They have the usual priority: with a low one, a login waited for whatever else the machine does (p99 143 to 151 ms instead of
//! 95 to 121 beside a flood of refused calls on two cores; sends beside a storm of logins were equally quick).

use crate::settings::HashingSettings;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use contract::Refusal;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// The pool. Its threads end with it.
pub(crate) struct Hashing {
    waiting: Arc<Waiting>,
    most: usize,
    argon2: Argon2<'static>,
}

#[derive(Default)]
struct Waiting {
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    ended: bool,
}

impl Hashing {
    /// Starts the threads.
    ///
    /// # Errors
    /// Parameters that argon2 does not take, or a thread that cannot be had, as a sentence.
    pub(crate) fn start(settings: HashingSettings) -> Result<Self, String> {
        let params = Params::new(settings.memory_kib, settings.passes, 1, None).map_err(|e| format!("argon2 does not take these: {e}"))?;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = if settings.threads == 0 { (cores / 2).max(1) } else { settings.threads };
        let waiting = Arc::new(Waiting::default());
        for n in 0..threads {
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name(format!("hashing-{n}"));
            thread.spawn(move || work_off(&waiting)).map_err(|e| format!("no thread to hash passwords on: {e}"))?;
        }
        Ok(Self { waiting, most: settings.queue.max(1), argon2: argon2(params) })
    }

    /// The password as it is stored: a PHC string.
    ///
    /// # Errors
    /// `busy` when too many wait already.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Refusal> {
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, &password)).await?.map_err(|e| edge::incident(&e))
    }

    /// Whether the password is the stored one.
    ///
    /// # Errors
    /// `busy` when too many wait already; `internal` where what is stored cannot be read.
    pub(crate) async fn matches(&self, password: String, stored: String) -> Result<bool, Refusal> {
        let argon2 = self.argon2.clone();
        let work = move || match PasswordHash::new(&stored) {
            Ok(stored) => Ok(argon2.verify_password(password.as_bytes(), &stored).is_ok()),
            Err(error) => Err(format!("a stored password cannot be read: {error}")),
        };
        self.run(work).await?.map_err(|e| edge::incident(&e))
    }

    /// Takes as long as [`Self::matches`], so that the time does not reveal whether a user exists.
    pub(crate) async fn pretend(&self, password: String) -> Result<(), Refusal> {
        self.hash(password).await.map(|_| ())
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let work = move || {
            // Skipped if the caller has hung up.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        };
        {
            let mut queue = self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.work.len() >= self.most {
                let busy = Refusal::busy("too many people are logging in at the moment; try again in a few seconds");
                return Err(busy.after(Duration::from_secs(2)));
            }
            queue.work.push_back(Box::new(work));
        }
        self.waiting.more.notify_one();
        answered.await.map_err(|_| edge::incident(&"a password was not hashed; the line before this one says why"))
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.waiting.more.notify_all();
    }
}

/// Hashes here and now, for tools that have no pool.
pub(crate) fn hash_here(password: &str, settings: HashingSettings) -> Result<String, String> {
    let params = Params::new(settings.memory_kib, settings.passes, 1, None).map_err(|e| e.to_string())?;
    hash(&argon2(params), password)
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, String> {
    let hashed: Result<PasswordHash, _> = argon2.hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|e| format!("a password could not be hashed: {e}"))
}

fn work_off(waiting: &Waiting) {
    let mut queue = waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.ended {
            return;
        }
        match queue.work.pop_front() {
            Some(work) => {
                drop(queue);
                // The caller gets an error; the thread goes on.
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    tracing::error!("a password could not be hashed because of a panic");
                }
                queue = waiting.queue.lock().unwrap_or_else(PoisonError::into_inner);
            }
            None => queue = waiting.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::Code;

    fn cheap(threads: usize, queue: usize) -> Hashing {
        Hashing::start(HashingSettings { threads, queue, memory_kib: 8, passes: 1 }).unwrap()
    }

    #[test]
    fn the_parameters_are_owasps() {
        let hash = hash_here("correct horse", HashingSettings::default()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let pool = cheap(2, 8);
        let stored = pool.hash("correct horse".into()).await.unwrap();
        assert!(pool.matches("correct horse".into(), stored.clone()).await.unwrap());
        assert!(!pool.matches("correct hors".into(), stored.clone()).await.unwrap());
        assert_ne!(pool.hash("correct horse".into()).await.unwrap(), stored, "each has its own salt");
        assert_eq!(pool.matches("x".into(), "gibberish".into()).await.unwrap_err().code, Code::Internal);
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_and_then_works_again() {
        let pool = cheap(1, 2);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = oneshot::channel();
        let blocked = pool.run(move || {
            let _ = started.send(());
            let _ = wait.recv();
        });
        let (first, second) = (pool.run(|| 1), pool.run(|| 2));
        tokio::pin!(blocked, first, second);
        assert!(futures_util::poll!(blocked.as_mut()).is_pending());
        has_started.await.unwrap();
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        let refused = pool.run(|| 3).await.unwrap_err();
        assert_eq!(refused.code, Code::Busy);
        assert!(refused.retry_after_ms.is_some());
        go.send(()).unwrap();
        blocked.await.unwrap();
        assert_eq!((first.await.unwrap(), second.await.unwrap(), pool.run(|| 4).await.unwrap()), (1, 2, 4));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_password() {
        let pool = cheap(1, 2);
        for _ in 0..2 {
            let fallen = pool.run(|| -> u8 { panic!("as the test wants") }).await.unwrap_err();
            assert_eq!(fallen.code, Code::Internal);
            assert_eq!(pool.run(|| 7).await.unwrap(), 7, "the one thread is still there");
        }
    }
}
