//! Many small transactions of one kind as a few larger ones.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::error::Error;
use crate::tx;

/// Most requests in the queue; past that the next caller waits.
const WAITING: usize = 4_096;

/// Joins requests that come at about the same time: all that wait when a transaction ends share the next one. A single request has a
/// transaction of its own, without delay. Many at once pay for the begin, the commit with its sync, and the round trip only once.
///
/// If a shared transaction fails, nothing of it has happened, and each of its requests is tried again alone, so that the one at fault fails
/// alone. A panic counts as such a failure, and ends no lane.
pub struct Coalescer<A, R>(mpsc::Sender<Request<A, R>>);

type Request<A, R> = (A, oneshot::Sender<Result<R, Error>>);

impl<A: Clone + Send + Sync + 'static, R: Send + 'static> Coalescer<A, R> {
    /// Starts `lanes` tasks that run the transactions: one for writes, to keep the order of the requests, or several for reads. Call it within
    /// the runtime. `run` gets up to `most` requests and answers each, in order. The tasks end when this is dropped.
    pub fn start<F>(lanes: usize, most: usize, run: impl Fn(Vec<A>) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Vec<R>, Error>> + Send + 'static,
    {
        let (sender, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..lanes.max(1) {
            tokio::spawn(lane(Arc::clone(&waiting), most.max(1), run.clone()));
        }
        Self(sender)
    }

    /// The answer to this request.
    ///
    /// # Errors
    /// The database's.
    pub async fn ask(&self, request: A) -> Result<R, Error> {
        let stopped = || Error::Busy("it is closed".to_owned());
        let (answer, answered) = oneshot::channel();
        self.0.send((request, answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

async fn lane<A: Clone, R, F>(waiting: Arc<Mutex<mpsc::Receiver<Request<A, R>>>>, most: usize, run: impl Fn(Vec<A>) -> F)
where
    F: Future<Output = Result<Vec<R>, Error>>,
{
    let mut batch = Vec::with_capacity(most);
    loop {
        if waiting.lock().await.recv_many(&mut batch, most).await == 0 {
            return;
        }
        let (asked, answers): (Vec<A>, Vec<_>) = batch.drain(..).unzip();
        let again = if asked.len() > 1 { asked.clone() } else { Vec::new() };
        match outcome(&run, asked).await {
            // A caller may have stopped waiting.
            Ok(done) => answers.into_iter().zip(done).for_each(|(answer, done)| drop(answer.send(Ok(done)))),
            Err(error) if again.is_empty() || matches!(error, Error::Busy(_)) => {
                answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
            }
            Err(error) => {
                tracing::warn!(count = again.len(), %error, "a transaction of several failed; trying each alone");
                for (asked, answer) in again.into_iter().zip(answers) {
                    let done = outcome(&run, vec![asked]).await.and_then(|mut done| done.pop().ok_or_else(unanswered));
                    drop(answer.send(done));
                }
            }
        }
    }
}

/// Runs the transaction of these; an answer for each of them, or why there is none.
async fn outcome<A, R, F>(run: &impl Fn(Vec<A>) -> F, asked: Vec<A>) -> Result<Vec<R>, Error>
where
    F: Future<Output = Result<Vec<R>, Error>>,
{
    let count = asked.len();
    let done = AssertUnwindSafe(async { run(asked).await }).catch_unwind().await;
    let done = done.unwrap_or_else(|panic| Err(tx::panicked(panic.as_ref())))?;
    if done.len() == count { Ok(done) } else { Err(unanswered()) }
}

fn unanswered() -> Error {
    Error::Failed("a transaction of several did not answer each".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as Plain;
    use tokio::sync::Semaphore;

    /// The number of requests in each transaction.
    type Sizes = Arc<Plain<Vec<usize>>>;

    /// Doubles numbers, refuses batches with a 13 in them, panics over those with a 17 (and at once over a 19), and waits for a permit before each.
    fn doubling(lanes: usize) -> (Arc<Coalescer<i64, i64>>, Arc<Semaphore>, Sizes) {
        let (gate, sizes) = (Arc::new(Semaphore::new(0)), Sizes::default());
        let (opened, noted) = (Arc::clone(&gate), Arc::clone(&sizes));
        let coalescer = Coalescer::start(lanes, 4, move |asked: Vec<i64>| {
            let (opened, noted) = (Arc::clone(&opened), Arc::clone(&noted));
            assert!(!asked.contains(&19), "before anything is awaited");
            async move {
                opened.acquire().await.unwrap().forget();
                noted.lock().unwrap().push(asked.len());
                assert!(!asked.contains(&17), "while it runs");
                if asked.contains(&13) { Err(Error::Failed("unlucky".into())) } else { Ok(asked.iter().map(|n| n * 2).collect()) }
            }
        });
        (Arc::new(coalescer), gate, sizes)
    }

    #[tokio::test]
    async fn what_waits_is_done_together_up_to_the_most() {
        let (coalescer, gate, sizes) = doubling(1);
        let asking = |n| {
            let coalescer = Arc::clone(&coalescer);
            tokio::spawn(async move { coalescer.ask(n).await })
        };
        // One runtime thread: all have asked before the first is let through.
        let all: Vec<_> = (1..8).map(asking).collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);
        let mut answers = Vec::new();
        for one in all {
            answers.push(one.await.unwrap().unwrap());
        }
        assert_eq!(answers, [2, 4, 6, 8, 10, 12, 14]);
        let sizes = sizes.lock().unwrap();
        assert!(sizes.iter().all(|size| *size <= 4) && sizes.len() < 4, "{sizes:?}");
    }

    #[tokio::test]
    async fn one_that_fails_takes_nobody_with_it() {
        let (coalescer, gate, _) = doubling(2);
        gate.add_permits(100);
        let asked = futures_util::future::join_all([5, 13, 6].map(|n| coalescer.ask(n))).await;
        assert_eq!(asked[0], Ok(10));
        assert_eq!(asked[1], Err(Error::Failed("unlucky".into())));
        assert_eq!(asked[2], Ok(12));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_asking_and_no_lane() {
        let (coalescer, gate, sizes) = doubling(1);
        gate.add_permits(100);
        for _ in 0..3 {
            let asked = futures_util::future::join_all([5, 17, 19, 6].map(|n| coalescer.ask(n))).await;
            assert_eq!((&asked[0], &asked[3]), (&Ok(10), &Ok(12)));
            for failed in &asked[1..3] {
                assert!(matches!(failed, Err(Error::Failed(why)) if why.contains("a panic")), "{failed:?}");
            }
        }
        assert!(sizes.lock().unwrap().contains(&1), "each was tried alone");
    }
}
