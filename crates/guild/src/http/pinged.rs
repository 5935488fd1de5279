//! Whether the database answers, for `/readyz`.

use std::time::{Duration, Instant};

use db::Db;

/// How long the database may take to answer before the server counts as not ready.
const WITHIN: Duration = Duration::from_secs(2);

/// Whether the database answers. Anybody may ask for `/readyz` as often as they like, so all requests within a quarter of a second share one
/// answer: probes must not keep readers from the database.
#[derive(Default)]
pub struct Pinged(tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>);

impl Pinged {
    /// For how long an answer holds.
    const HOLDS: Duration = Duration::from_millis(250);

    /// Asks the database, unless it has answered just now.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub async fn ping(&self, db: &Db) -> Result<(), String> {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < Self::HOLDS
        {
            return answer.clone();
        }
        let answer = match tokio::time::timeout(WITHIN, db.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "not ready: the database does not answer");
                Err("the database does not answer; the log says more".to_owned())
            }
            Err(_) => Err(format!("the database has not answered for {} seconds", WITHIN.as_secs())),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_ask_at_once_get_one_answer() {
        let db = Db::open(&"sqlite::memory:".parse().unwrap(), &[], db::Access::Server).await.unwrap();
        let pinged = Pinged::default();
        pinged.ping(&db).await.unwrap();
        db.close().await;
        pinged.ping(&db).await.expect("the answer of before");
        tokio::time::sleep(Pinged::HOLDS).await;
        pinged.ping(&db).await.expect_err("it is asked again");
    }
}
