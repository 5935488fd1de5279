//! Puts beside rows of the log what is told with them as of an earlier seq: whoever has left a room hears nothing of what was said after it. What was
//! deleted since is a tombstone all the same.
//!
//! It is rare, so no table keeps it. The log is asked for the changes of the messages, and only where a message was changed after that seq.

use super::log::{Kind, LogRow, With};
use super::present;
use super::state::{MessageKey, MessageState, ReactionCount};
use contract::message::LISTED_REACTORS;
use contract::{Time, UserId};
use db::{Error, Row, Tx, Value, values};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Messages whose reactions are read at once: one may have had many thousands.
const AT_ONCE: usize = 16;

/// A message, and the seq as of which it is told.
type AsOf = (MessageKey, i64);

/// Like [`present::attach`], but each row is told as of the seq that `until` answers for it; where it answers none, the present. Where no message was
/// changed after its seq, this costs nothing more.
pub(crate) async fn attach(tx: &mut Tx, rows: &mut [LogRow], until: impl Fn(&LogRow) -> Option<i64>) -> Result<(), Error> {
    let seqs: Vec<Option<i64>> = rows.iter().map(until).collect();
    present::attach(tx, rows).await?;
    for (row, until) in rows.iter_mut().zip(&seqs) {
        // What came in a thread later is not told; what was there then is not counted again.
        if let (Some(until), Some(with)) = (until, row.with.as_deref_mut()) {
            with.thread = with.thread.take().filter(|thread| thread.last.is_some_and(|(seq, _)| seq <= *until));
        }
    }
    let mut wanted = Wanted::default();
    for (row, until) in rows.iter().zip(&seqs) {
        if let Some(until) = until {
            wanted.add(row, *until);
        }
    }
    if wanted.texts.is_empty() && wanted.reactions.is_empty() {
        return Ok(());
    }
    let past = Past { texts: texts(tx, wanted.texts).await?, reactions: reactions(tx, wanted.reactions).await? };
    for (row, until) in rows.iter_mut().zip(seqs) {
        if let Some(until) = until {
            past.put(row, until);
        }
    }
    Ok(())
}

/// What must be read. Rows about reactions tell the reactions alone, and rows about pins tell nothing of their message.
#[derive(Default)]
struct Wanted {
    /// Each with whether it was edited after the seq; if not, its text is the present one.
    texts: BTreeMap<AsOf, bool>,
    reactions: BTreeSet<AsOf>,
}

impl Wanted {
    fn add(&mut self, row: &LogRow, until: i64) {
        let about = row.with.as_ref().and_then(|with| with.message.as_deref());
        match row.kind {
            Kind::Message => self.add_text(row, until),
            Kind::MessageEdited => about.into_iter().for_each(|about| self.add_text(about, until)),
            Kind::ReactionsChanged => self.reactions.extend(about.and_then(|about| changed_after(about, until))),
            _ => {}
        }
    }

    fn add_text(&mut self, message: &LogRow, until: i64) {
        let replied = message.with.as_ref().and_then(|with| with.replied.as_deref());
        for message in [Some(message), replied].into_iter().flatten() {
            if let Some(key) = changed_after(message, until) {
                let edited = message.state().and_then(|state| state.edited);
                self.texts.insert(key, edited.is_some_and(|(seq, _)| seq > until));
            }
        }
    }
}

/// The message, if it was changed after this seq and is still there.
fn changed_after(message: &LogRow, until: i64) -> Option<AsOf> {
    let is_past = message.state().is_some_and(|state| state.rev > until && state.deleted.is_none());
    is_past.then_some(((message.room, message.seq?), until))
}

/// What an edited message said: the edit's seq and time, the text, and what there was besides.
type Edit = (i64, Time, Option<String>, Option<String>);

/// What a message was, as far as its text is concerned.
struct Text {
    /// The seq of the newest change; none if it had not been changed.
    rev: Option<i64>,
    /// The newest edit; none if it had not been edited. The present one holds if the whole is none.
    edit: Option<Option<Edit>>,
}

async fn texts(tx: &mut Tx, wanted: BTreeMap<AsOf, bool>) -> Result<HashMap<AsOf, Text>, Error> {
    const REV: &str = "SELECT MAX(seq) FROM log WHERE room = $1 AND ref_seq = $2 AND kind BETWEEN 6 AND 10 AND seq <= $3";
    const EDIT: &str = "SELECT seq, created_at, payload, extra FROM log WHERE room = $1 AND ref_seq = $2 AND kind = 6 AND seq <= $3
        ORDER BY seq DESC LIMIT 1";
    // Nothing changes a message before it is there.
    let is_there = |((_, seq), until): &AsOf| seq < until;
    let revs: Vec<AsOf> = wanted.keys().copied().filter(is_there).collect();
    let edits: Vec<AsOf> = wanted.iter().filter(|(_, was_edited)| **was_edited).map(|(key, _)| *key).filter(is_there).collect();
    let mut found: HashMap<AsOf, Text> =
        wanted.into_iter().map(|(key, was_edited)| (key, Text { rev: None, edit: was_edited.then_some(None) })).collect();
    let rev = |row: &Row<'_>| row.maybe_int(0);
    for (key, rev) in revs.iter().zip(tx.row_each(REV, &of_each(&revs), rev).await?) {
        if let Some(text) = found.get_mut(key) {
            text.rev = rev.flatten();
        }
    }
    let edit = |row: &Row<'_>| Ok((row.int(0)?, Time(row.int(1)?), row.maybe_text(2)?, row.maybe_text(3)?));
    for (key, edit) in edits.iter().zip(tx.row_each(EDIT, &of_each(&edits), edit).await?) {
        if let Some(text) = found.get_mut(key) {
            text.edit = Some(edit);
        }
    }
    Ok(found)
}

fn of_each(keys: &[AsOf]) -> Vec<Vec<Value>> {
    keys.iter().map(|((room, seq), until)| values![room.bytes(), *seq, *until].to_vec()).collect()
}

/// Reads the changes of each message's reactions once, and counts them up to each seq that is asked for.
async fn reactions(tx: &mut Tx, wanted: BTreeSet<AsOf>) -> Result<HashMap<AsOf, Vec<ReactionCount>>, Error> {
    const CHANGES: &str = "SELECT seq, actor, payload FROM log WHERE room = $1 AND ref_seq = $2 AND kind = 8 AND seq <= $3 ORDER BY seq";
    let mut seqs: BTreeMap<MessageKey, Vec<i64>> = BTreeMap::new();
    for (key, until) in wanted {
        seqs.entry(key).or_default().push(until);
    }
    let seqs: Vec<(MessageKey, Vec<i64>)> = seqs.into_iter().collect();
    let mut found = HashMap::new();
    for seqs in seqs.chunks(AT_ONCE) {
        let lasts: Vec<AsOf> = seqs.iter().filter_map(|(key, untils)| Some((*key, *untils.last()?))).collect();
        let change = |row: &Row<'_>| Ok((row.int(0)?, UserId::from_bytes(row.id(1)?), row.maybe_text(2)?));
        for ((key, untils), changes) in seqs.iter().zip(tx.rows_each(CHANGES, &of_each(&lasts), change).await?) {
            // Changes that were told together do not say what they were (`amend/tell.rs`), so their message is told with its present reactions.
            if changes.iter().any(|(_, _, payload)| payload.is_none()) {
                continue;
            }
            let (mut reactions, mut changes) = (Reactions::default(), changes.into_iter().peekable());
            for until in untils {
                while let Some((seq, member, payload)) = changes.next_if(|(seq, _, _)| seq <= until) {
                    reactions.change(seq, member, payload.as_deref().unwrap_or_default());
                }
                found.insert((*key, *until), reactions.counts());
            }
        }
    }
    Ok(found)
}

/// A message's reactions, in the order of their first use.
#[derive(Default)]
struct Reactions(Vec<Given>);

/// Who has reacted with an emoji, by the seq of the giving.
struct Given {
    emoji: String,
    members: BTreeMap<i64, UserId>,
    seqs: HashMap<UserId, i64>,
}

impl Reactions {
    /// Applies a row of the log: `+` or `-`, and the emoji.
    fn change(&mut self, seq: i64, member: UserId, payload: &str) {
        let Some((sign, emoji)) = payload.split_at_checked(1) else { return };
        let known = self.0.iter_mut().find(|given| given.emoji == emoji);
        match (known, sign == "+") {
            (Some(given), true) => {
                given.members.insert(seq, member);
                given.seqs.insert(member, seq);
            }
            (None, true) => {
                let (members, seqs) = (BTreeMap::from([(seq, member)]), HashMap::from([(member, seq)]));
                self.0.push(Given { emoji: emoji.to_owned(), members, seqs });
            }
            (Some(given), false) => {
                given.seqs.remove(&member).and_then(|seq| given.members.remove(&seq));
                self.0.retain(|given| !given.members.is_empty());
            }
            (None, false) => {}
        }
    }

    fn counts(&self) -> Vec<ReactionCount> {
        let count = |given: &Given| ReactionCount {
            emoji: given.emoji.clone(),
            count: i64::try_from(given.members.len()).unwrap_or(i64::MAX),
            first: given.members.values().take(LISTED_REACTORS).copied().collect(),
        };
        self.0.iter().map(count).collect()
    }
}

/// What was read.
struct Past {
    texts: HashMap<AsOf, Text>,
    reactions: HashMap<AsOf, Vec<ReactionCount>>,
}

impl Past {
    /// Puts beside a row what it was told with.
    fn put(&self, row: &mut LogRow, until: i64) {
        match row.kind {
            Kind::Message => self.put_text(row, until),
            Kind::MessageEdited => {
                if let Some(about) = row.with.as_mut().and_then(|with| with.message.as_mut()) {
                    self.put_text(Arc::make_mut(about), until);
                }
            }
            Kind::ReactionsChanged => {
                if let Some(about) = row.with.as_mut().and_then(|with| with.message.as_mut())
                    && let Some(reactions) = about.seq.and_then(|seq| self.reactions.get(&((about.room, seq), until)))
                {
                    let state = MessageState { reactions: reactions.clone(), ..MessageState::default() };
                    let with = With { state: Some(Arc::new(state)), ..With::default() };
                    // Its text is not told, and rows about one message need not each hold it.
                    *about = Arc::new(LogRow { payload: None, extra: None, with: Some(Box::new(with)), ..about.as_ref().clone() });
                }
            }
            _ => {}
        }
    }

    /// Makes a message, and the one that it answers, what they said then.
    fn put_text(&self, message: &mut LogRow, until: i64) {
        let key = message.seq.map(|seq| ((message.room, seq), until));
        let Some(with) = message.with.as_deref_mut() else { return };
        if let Some(text) = key.and_then(|key| self.texts.get(&key)) {
            with.state = text.rev.and_then(|rev| text.state(rev, with.state.as_deref()?)).map(Arc::new);
        }
        if let Some(replied) = &mut with.replied {
            self.put_text(Arc::make_mut(replied), until);
        }
    }
}

impl Text {
    /// The state then, of a message that had been changed; `now` is the present one. It tells neither reactions nor a pin, as no event does.
    fn state(&self, rev: i64, now: &MessageState) -> Option<MessageState> {
        let now = MessageState { rev, reactions: Vec::new(), pinned: None, ..now.clone() };
        Some(match &self.edit {
            None => now,
            Some(None) => MessageState { edits: 0, body: None, extra: None, edited: None, ..now },
            // That it was edited is told, not how often.
            Some(Some((seq, at, body, extra))) => {
                MessageState { edits: 1, body: body.clone(), extra: extra.clone(), edited: Some((*seq, *at)), ..now }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_are_counted_as_they_were_given_and_taken_back() {
        let member = |number: u8| UserId::from_bytes([number; 16]);
        let mut reactions = Reactions::default();
        let rows = [(1, "+a"), (2, "+a"), (3, "+b"), (1, "-a"), (1, "+a"), (3, "-b"), (4, "+c"), (4, "-d"), (5, "")];
        for (seq, (number, payload)) in (1..).zip(rows) {
            reactions.change(seq, member(number), payload);
        }
        let count = |emoji: &str, first: &[u8]| ReactionCount {
            emoji: emoji.to_owned(),
            count: first.len() as i64,
            first: first.iter().map(|number| member(*number)).collect(),
        };
        assert_eq!(reactions.counts(), [count("a", &[2, 1]), count("c", &[4])]);
    }
}
