//! Threads as their reader sees them: each with its first message, and how much of it is unread.

use crate::service::Messages;
use crate::store::log::{self, LogRow};
use crate::store::state::MessageKey;
use crate::store::threads::ThreadMemberKey;
use crate::store::{present, threads};
use contract::calls::threads::Thread;
use contract::{Refusal, UserId};
use db::{Error, Tx};

/// A thread's first message, with its state, and how many messages of the thread are unread.
pub(super) struct RawThread {
    root: LogRow,
    unread: i64,
}

/// These threads, in the same order.
pub(super) async fn read(tx: &mut Tx, roots: &[MessageKey], reader: UserId) -> Result<Vec<RawThread>, Error> {
    let mut rows: Vec<LogRow> = log::by_seq_each(tx, roots).await?.into_iter().flatten().filter(LogRow::is_message).collect();
    present::attach_for(tx, &mut rows, reader).await?;
    let keys: Vec<ThreadMemberKey> = rows.iter().filter_map(|row| Some((row.room, row.seq?, reader))).collect();
    let marks = threads::find_each(tx, &keys).await?;
    let total = |row: &LogRow| row.state().and_then(|state| state.thread.as_ref()).map_or(0, |thread| thread.total);
    let marked = rows.iter().zip(keys).zip(marks);
    let marked: Vec<(MessageKey, i64, i64)> =
        marked.map(|((row, (room, seq, _)), mark)| ((room, seq), mark.map_or(0, |mark| mark.read), total(row))).collect();
    let unread = threads::unread_each(tx, &marked).await?;
    Ok(rows.into_iter().zip(unread).map(|(root, unread)| RawThread { root, unread }).collect())
}

impl Messages {
    pub(super) async fn threads(&self, raw: Vec<RawThread>, reader: UserId) -> Result<Vec<Thread>, Refusal> {
        let mut counts = Vec::with_capacity(raw.len());
        let mut roots = Vec::with_capacity(raw.len());
        for RawThread { root, unread } in raw {
            let thread = root.state().and_then(|state| state.thread.clone()).unwrap_or_default();
            let last_at = thread.last.map_or(root.created_at, |(_, at)| at);
            counts.push((thread.total - thread.deleted, unread, last_at));
            roots.push(root);
        }
        let roots = self.resolver.messages(roots, reader).await?;
        let threads = roots.into_iter().zip(counts);
        Ok(threads.map(|(root, (replies, unread, last_at))| Thread { root, replies, unread, last_at }).collect())
    }
}
