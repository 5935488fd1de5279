//! Puts beside rows of the log what is told with them: what a message is now, which message an amendment is about, which one a reply
//! answers, and what came in a thread. So history, replays, search and GraphQL all tell the present.

use super::log::{self, Kind, LogRow, With};
use super::state::{self, MessageKey, ThreadState};
use super::threads;
use crate::extra::Extra;
use contract::{RoomId, UserId};
use db::{Error, Tx};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// See the module. The rows are in any order.
pub(crate) async fn attach(tx: &mut Tx, rows: &mut [LogRow]) -> Result<(), Error> {
    let refs: BTreeSet<MessageKey> = rows.iter().filter_map(LogRow::about).collect();
    let mut messages = messages(tx, refs).await?;
    attach_states(tx, rows).await?;
    let replied: BTreeSet<MessageKey> =
        rows.iter().chain(messages.values()).filter_map(|row| Some((row.room, Extra::reply_to(row.extra_now()?)?))).collect();
    let replied: HashMap<MessageKey, Arc<LogRow>> =
        self::messages(tx, replied).await?.into_iter().map(|(key, row)| (key, Arc::new(row))).collect();
    let answer = |row: &mut LogRow| {
        if let Some(seq) = row.extra_now().and_then(Extra::reply_to) {
            row.with().replied = replied.get(&(row.room, seq)).cloned();
        }
    };
    messages.values_mut().for_each(answer);
    let messages: HashMap<MessageKey, Arc<LogRow>> = messages.into_iter().map(|(key, row)| (key, Arc::new(row))).collect();
    for row in rows.iter_mut() {
        answer(row);
        if let Some(about) = row.about() {
            row.with().message = messages.get(&about).cloned();
        }
    }
    attach_threads(tx, rows).await
}

/// Attaches what came in the threads that messages are in, and that those messages are in which were deleted.
async fn attach_threads(tx: &mut Tx, rows: &mut [LogRow]) -> Result<(), Error> {
    let thread = |row: &LogRow| {
        let about = row.with.as_ref().filter(|_| row.kind == Kind::MessageDeleted).and_then(|with| with.message.as_deref());
        threads::thread_of(row).or_else(|| threads::thread_of(about?))
    };
    let roots: BTreeSet<MessageKey> = rows.iter().filter_map(thread).collect();
    if roots.is_empty() {
        return Ok(());
    }
    let roots: Vec<MessageKey> = roots.into_iter().collect();
    let states = state::find_each(tx, &roots).await?;
    let threads: HashMap<MessageKey, Arc<ThreadState>> =
        roots.into_iter().zip(states).filter_map(|(root, state)| Some((root, state?.thread?))).collect();
    for row in rows {
        if let Some(root) = thread(row) {
            row.with().thread = threads.get(&root).cloned();
        }
    }
    Ok(())
}

/// The same for an answer to a reader, who is told with what they have reacted.
pub(crate) async fn attach_for(tx: &mut Tx, rows: &mut [LogRow], reader: UserId) -> Result<(), Error> {
    attach(tx, rows).await?;
    attach_own_reactions(tx, rows.iter_mut().map(|row| (reader, row))).await
}

/// Puts beside messages to which [`attach`] was given: with what each one's reader has reacted.
pub(crate) async fn attach_own_reactions<'a>(tx: &mut Tx, rows: impl Iterator<Item = (UserId, &'a mut LogRow)>) -> Result<(), Error> {
    let mut unknown: Vec<((UserId, MessageKey), &mut LogRow)> = Vec::new();
    for (reader, row) in rows {
        match row.state().map(|state| state.reactions_of(reader)) {
            None => {}
            Some(Some(mine)) if mine.is_empty() => {}
            Some(Some(mine)) => row.with().mine = mine,
            // So many have reacted that not all are named.
            Some(None) => unknown.extend(row.seq.map(|seq| ((reader, (row.room, seq)), row))),
        }
    }
    let Some(((reader, _), _)) = unknown.first() else { return Ok(()) };
    let (reader, keys): (UserId, Vec<MessageKey>) = (*reader, unknown.iter().map(|((_, key), _)| *key).collect());
    match page(&keys).filter(|_| unknown.iter().all(|((other, _), _)| *other == reader)) {
        Some(page) => {
            let mut each = state::reactions_between(tx, reader, page).await?;
            for ((_, (_, seq)), row) in unknown {
                row.with().mine = each.remove(&seq).unwrap_or_default();
            }
        }
        None => {
            let keys: Vec<(UserId, MessageKey)> = unknown.iter().map(|(key, _)| *key).collect();
            for ((_, row), mine) in unknown.into_iter().zip(state::reactions_of_each(tx, &keys).await?) {
                row.with().mine = mine;
            }
        }
    }
    Ok(())
}

/// These messages, each with its state. What is no message is left out.
async fn messages(tx: &mut Tx, keys: BTreeSet<MessageKey>) -> Result<HashMap<MessageKey, LogRow>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<MessageKey> = keys.into_iter().collect();
    let mut rows: Vec<LogRow> = log::by_seq_each(tx, &keys).await?.into_iter().flatten().filter(LogRow::is_message).collect();
    attach_states(tx, &mut rows).await?;
    Ok(rows.into_iter().filter_map(|row| Some(((row.room, row.seq?), row))).collect())
}

/// Attaches the states of those rows that are messages.
pub(crate) async fn attach_states(tx: &mut Tx, rows: &mut [LogRow]) -> Result<(), Error> {
    let keys: Vec<MessageKey> = rows.iter().filter(|row| row.is_message()).filter_map(|row| Some((row.room, row.seq?))).collect();
    let messages = rows.iter_mut().filter(|row| row.is_message() && row.seq.is_some());
    if let Some(page) = page(&keys) {
        let states = state::find_between(tx, page).await?;
        for ((_, seq), row) in keys.into_iter().zip(messages) {
            if let Some((_, state)) = states.binary_search_by_key(&seq, |(seq, _)| *seq).ok().and_then(|at| states.get(at)) {
                row.with().state = Some(Arc::clone(state));
            }
        }
    } else {
        for (state, row) in state::find_each(tx, &keys).await?.into_iter().zip(messages) {
            if let Some(state) = state {
                row.with().state = Some(Arc::new(state));
            }
        }
    }
    Ok(())
}

/// The room and the range of seqs, where these are a page of one room. Where its messages lie far apart, each is looked up.
fn page(keys: &[MessageKey]) -> Option<(RoomId, i64, i64)> {
    let (room, _) = *keys.first()?;
    let (from, to) = (keys.iter().map(|(_, seq)| *seq).min()?, keys.iter().map(|(_, seq)| *seq).max()?);
    let is_near = to - from < 4 * i64::try_from(keys.len()).ok()?;
    (is_near && keys.iter().all(|(other, _)| *other == room)).then_some((room, from, to))
}

impl LogRow {
    /// What is attached, to be changed.
    pub(crate) fn with(&mut self) -> &mut With {
        self.with.get_or_insert_default()
    }
}
