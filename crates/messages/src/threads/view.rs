//! Threads as their reader sees them: each with its first message, and how much of it is unread.

use crate::service::Messages;
use crate::store::listed::List;
use crate::store::lists::AT_ONCE;
use crate::store::log::LogRow;
use crate::store::state::MessageKey;
use crate::store::{present, sets, threads};
use contract::calls::threads::Thread;
use contract::{Refusal, Time, UserId};
use db::{Error, Tx};

/// A thread's first message, with its state, and how many messages of the thread are unread.
pub(super) struct RawThread {
    root: LogRow,
    unread: i64,
}

impl RawThread {
    /// When its newest message came.
    fn last_at(&self) -> Time {
        let last = self.root.state().and_then(|state| state.thread.as_ref()?.last);
        last.map_or(self.root.created_at, |(_, at)| at)
    }

    /// Its place among the threads of a user, as [`threads::ThreadListPlace`] has it.
    pub(super) fn place_of_member(&self) -> String {
        format!("{}.{}.{}", self.last_at().0, self.root.room, self.root.seq.unwrap_or(0))
    }

    /// Its place among the threads of its room.
    pub(super) fn place_in_room(&self) -> String {
        List::Threads.place(&self.root).unwrap_or(0).to_string()
    }
}

/// These threads, in the same order. At most 100.
pub(super) async fn read(tx: &mut Tx, roots: &[MessageKey], reader: UserId) -> Result<Vec<RawThread>, Error> {
    let rows = sets::rows(tx, roots).await?.into_iter().flatten().collect();
    beginning_with(tx, rows, reader).await
}

/// The threads that begin with these rows, in the same order. A row that this program does not know is left out.
pub(super) async fn beginning_with(tx: &mut Tx, mut rows: Vec<LogRow>, reader: UserId) -> Result<Vec<RawThread>, Error> {
    rows.retain(LogRow::is_message);
    present::attach_for(tx, &mut rows, reader).await?;
    let keys: Vec<MessageKey> = rows.iter().filter_map(|row| Some((row.room, row.seq?))).collect();
    let mut unread = Vec::with_capacity(rows.len());
    for keys in keys.chunks(AT_ONCE) {
        unread.extend(threads::unread_for(tx, keys, reader).await?);
    }
    Ok(rows.into_iter().zip(unread).map(|(root, unread)| RawThread { root, unread }).collect())
}

impl Messages {
    pub(super) async fn threads(&self, raw: Vec<RawThread>, reader: UserId) -> Result<Vec<Thread>, Refusal> {
        let mut counts = Vec::with_capacity(raw.len());
        let mut roots = Vec::with_capacity(raw.len());
        for thread in raw {
            let last_at = thread.last_at();
            let replies = thread.root.state().and_then(|state| state.thread.as_ref()).map_or(0, |thread| thread.total - thread.deleted);
            counts.push((replies, thread.unread, last_at));
            roots.push(thread.root);
        }
        let roots = self.resolver.messages(roots, reader).await?;
        let threads = roots.into_iter().zip(counts);
        Ok(threads.map(|(root, (replies, unread, last_at))| Thread { root, replies, unread, last_at }).collect())
    }
}
