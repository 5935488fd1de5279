//! What a message in a thread does to its thread, when it comes and when it is deleted.

use super::root::{last_of, thread_of};
use crate::access;
use crate::store::log::{LogRow, ThreadPlace};
use crate::store::state::ThreadState;
use crate::store::threads;
use crate::writer::{Batch, Denied, NewInThread};
use contract::message::LISTED_REPLIERS;
use contract::{Refusal, RoomId, RoomKind};
use std::sync::Arc;

/// A thread that a message is about to be written in.
pub(crate) struct Opened {
    root: Arc<LogRow>,
    /// What came in it, that message included.
    pub thread: Arc<ThreadState>,
    /// Where the message stands.
    pub new: NewInThread,
}

/// Opens the thread of a message for one more message, which will have the room's next seq.
pub(crate) async fn open(
    batch: &mut Batch<'_>,
    at: (RoomId, RoomKind),
    sender: contract::UserId,
    thread: i64,
    also_in_room: bool,
) -> Result<Opened, Denied> {
    let (room, kind) = at;
    access::thread(kind)?;
    let root = batch.message(room, thread).await?.filter(|root| root.thread.is_none()).ok_or_else(no_root)?;
    let mut state = thread_of(&root);
    state.total += 1;
    state.last = Some((batch.next_seq(room).await?, batch.now()));
    if state.first.len() < LISTED_REPLIERS && !state.first.contains(&sender) {
        state.first.push(sender);
    }
    let new = NewInThread { place: ThreadPlace { root: thread, count: state.total }, aside: !also_in_room };
    Ok(Opened { root, thread: Arc::new(state), new })
}

fn no_root() -> Refusal {
    Refusal::invalid("thread", "thread is the seq of a message of this room that is in no thread itself")
}

/// The message was written: its sender follows the thread and has read it, and who began the thread follows from its first message on.
pub(crate) fn wrote(batch: &mut Batch<'_>, Opened { root, thread, new }: Opened, message: &LogRow) {
    let (room, seq) = (message.room, message.seq.unwrap_or(0));
    batch.set_thread(&root, thread.as_ref().clone());
    let changes = batch.thread_changes();
    if thread.total == 1 && root.actor != message.actor {
        changes.stand((room, new.place.root, root.actor), None, 0, seq);
    }
    changes.stand((room, new.place.root, message.actor), Some(true), seq, seq);
    changes.came((room, new.place.root), seq);
}

/// A message in a thread was deleted. Answers the thread as it is then; none for a message that is in no thread.
pub(crate) async fn was_deleted(batch: &mut Batch<'_>, message: &LogRow) -> Result<Option<Arc<ThreadState>>, Denied> {
    let (Some(key), Some(seq)) = (threads::thread_of(message), message.seq) else { return Ok(None) };
    let Some(root) = batch.message(key.0, key.1).await? else { return Ok(None) };
    let mut state = thread_of(&root);
    state.deleted += 1;
    if last_of(&root) == seq {
        state.last = batch.last_left(key, seq).await?;
    }
    let state = Arc::new(state);
    // What was read may have changed the batch's own view of the thread's first message, so it is taken anew.
    let root = batch.message(key.0, key.1).await?.unwrap_or(root);
    batch.set_thread(&root, state.as_ref().clone());
    batch.thread_changes().went(key, state.last.map_or(0, |(last, _)| last));
    Ok(Some(state))
}
