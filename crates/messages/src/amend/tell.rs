//! Telling changes of reactions in large rooms: one row of the log for all changes of a message within a second, which says what the reactions
//! are, and nobody's change. What waits is in the database ([`crate::store::untold`]), so a crash loses no telling: the next server, or another
//! one of the cluster, tells it.

use crate::service::Messages;
use crate::store::log::Kind;
use crate::store::untold;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::{Refusal, RoomId, Time};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// Most messages that are told in one round.
const AT_ONCE: i64 = 1_000;

/// The least time between two rounds while something waits, so that many messages share one.
const BETWEEN: Duration = Duration::from_millis(100);

/// How soon it is tried again after the database has failed.
const AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked for what another server has left. What this one holds back needs no looking.
const LEFT: Duration = Duration::from_secs(5);

/// What is to be told later than this many milliseconds from now was noted before the machine's clock fell: it is told at once.
const FALLEN: i64 = 10_000;

async fn keep_telling(messages: Arc<Messages>) {
    loop {
        match messages.tell_reactions().await {
            Ok(Some(next)) => tokio::time::sleep(next.max(BETWEEN)).await,
            Ok(None) => _ = tokio::time::timeout(LEFT, messages.held_back.notified()).await,
            Err(refusal) => {
                tracing::debug!(%refusal, "reactions could not be told; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

impl Messages {
    /// Tells the changes of reactions that wait to be told in large rooms, for as long as it is polled: what this process holds back, and what one
    /// that has crashed has left.
    pub fn keep_telling(this: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        this.vital().keep("the telling of reactions in large rooms", keep_telling(Arc::clone(this)))
    }

    /// Tells the changes of reactions that are due. Answers in how long the next ones are; `None` if none wait.
    pub(crate) async fn tell_reactions(&self) -> Result<Option<Duration>, Refusal> {
        let waiting = self.db.read(|tx| Box::pin(untold::waiting(tx, AT_ONCE))).await?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let is_all = i64::try_from(waiting.len()).is_ok_and(|waiting| waiting < AT_ONCE);
        let (writer, now) = (self.writer()?, self.clock.now());
        let (later, due): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, due)| (now.0 + 1..=now.0 + FALLEN).contains(&due.0));
        let told = join_all(due.into_iter().map(|((room, seq), due)| writer.write(Tell { room, seq, due }))).await;
        told.into_iter().collect::<Result<(), Refusal>>()?;
        let next = later.into_iter().map(|(_, due)| Duration::from_millis(due.0.saturating_sub(now.0).unsigned_abs())).min();
        // Those that were not read are due after all that were.
        Ok(next.or((!is_all).then_some(Duration::ZERO)))
    }
}

/// Tells what the reactions to a message are.
struct Tell {
    room: RoomId,
    seq: i64,
    /// When it was to be told. Another server may have told it since; then what waits now is due at another time.
    due: Time,
}

impl Operation for Tell {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: vec![self.seq], untold: Some(self.seq), ..Needs::of([]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let key = (self.room, self.seq);
        let Some(untold) = batch.untold(key).await?.filter(|untold| untold.due == self.due) else { return Ok(()) };
        if let Some(message) = batch.message(self.room, self.seq).await?.filter(|message| !message.is_deleted()) {
            let state = message.state().cloned().unwrap_or_default();
            batch.amend(&message, state, NewRow::new(Kind::ReactionsChanged, untold.member)).await?;
        }
        batch.set_untold(key, None);
        Ok(())
    }
}
