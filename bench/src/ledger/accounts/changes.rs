//! The accounts of what is done to messages: each change from its first asking to what the log has at the end, and what each member's screen shows.
//!
//! A screen keeps of each message the state with the higher rev, as every client does; its reactions are those of the newest event about them.
//! At the end all screens must show what the log has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is done to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Its sender gives it another text.
    Edit,
    /// Its sender deletes it.
    Delete,
    /// Somebody reacts with this emoji.
    React(u8),
    /// Somebody pins it.
    Pin,
}

/// One change.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// In which room.
    pub room: usize,
    /// By whom.
    pub by: usize,
    /// Of the message under this seq.
    pub seq: u64,
    /// Of this message.
    pub message: usize,
    /// What.
    pub kind: ChangeKind,
    state: ChangeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChangeState {
    Open,
    /// Done; and the message's rev then, where the answer tells it.
    Acked(u64),
    /// It does not go together with what had been done before.
    Conflict,
}

/// What a message says: its own text, that of an edit (by the edit's number), or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Text {
    /// What was sent.
    #[default]
    First,
    /// What this change made of it.
    Edited(usize),
    /// It was deleted.
    Gone,
}

/// A message as a screen or the log shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The rev of the text.
    pub text_rev: u64,
    /// The rev of the newest change of any kind.
    pub rev: u64,
    /// The seq of the event that the reactions are of. A message in an event has no reactions, so its rev says nothing of theirs.
    pub reactions_rev: u64,
    /// The text.
    pub text: Text,
    /// How often each emoji was used.
    pub reactions: BTreeMap<String, u64>,
}

/// What was counted; everything below `told` must be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeTotals {
    /// Changes asked for.
    pub asked: u64,
    /// Changes acknowledged.
    pub acked: u64,
    /// Changes that did not go together with what had been done before.
    pub conflicts: u64,
    /// Messages on screens that were held against the log.
    pub compared: u64,
    /// Changes that nothing has settled.
    pub unanswered: u64,
    /// Changes acknowledged of which the log has nothing.
    pub lost: u64,
    /// Changes refused for good with another reason than a conflict.
    pub wrongly_refused: u64,
    /// Messages on screens that are not as the log has them.
    pub diverged: u64,
}

impl ChangeTotals {
    /// Whether everything adds up.
    pub fn is_sound(&self) -> bool {
        let Self { asked, acked, conflicts, compared, .. } = *self;
        *self == Self { asked, acked, conflicts, compared, ..Self::default() }
    }
}

/// The emojis of reactions.
pub const EMOJIS: [&str; 3] = ["👍", ":party:", "❤"];

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    changes: Vec<Change>,
    /// What each user's screen shows of messages that were changed, by the room and the seq.
    screens: HashMap<(usize, usize, u64), Shown>,
    pub(super) totals: ChangeTotals,
}

impl Changes {
    /// A new change, and its number.
    pub fn ask(&mut self, room: usize, by: usize, (message, seq): (usize, u64), kind: ChangeKind) -> usize {
        self.totals.asked += 1;
        self.changes.push(Change { room, by, seq, message, kind, state: ChangeState::Open });
        self.changes.len() - 1
    }

    /// This change.
    pub fn get(&self, number: usize) -> Option<&Change> {
        self.changes.get(number)
    }

    /// Whether nothing has settled it yet.
    pub fn is_open(&self, number: usize) -> bool {
        self.changes.get(number).is_some_and(|change| change.state == ChangeState::Open)
    }

    /// How many nothing has settled yet.
    pub fn open_count(&self) -> u64 {
        self.totals.asked - self.totals.acked - self.totals.conflicts - self.totals.wrongly_refused
    }

    /// The server says that it is done. True if that settles it.
    pub fn acked(&mut self, number: usize, rev: u64) -> bool {
        let Some(change) = self.changes.get_mut(number).filter(|change| change.state == ChangeState::Open) else { return false };
        change.state = ChangeState::Acked(rev);
        self.totals.acked += 1;
        true
    }

    /// The server will not do it. True if that settles it.
    pub fn refused(&mut self, number: usize, code: &str) -> bool {
        let Some(change) = self.changes.get_mut(number).filter(|change| change.state == ChangeState::Open) else { return false };
        change.state = ChangeState::Conflict;
        if code == "conflict" {
            self.totals.conflicts += 1
        } else {
            self.totals.wrongly_refused += 1
        }
        true
    }

    /// A message comes to a screen, with a rev of its text.
    pub fn text(&mut self, screen: (usize, usize, u64), rev: u64, text: Text) {
        let (_, _, seq) = screen;
        // Plain messages need no memory: a screen without an entry shows what was sent.
        if rev == seq && !self.screens.contains_key(&screen) {
            return;
        }
        let shown = self.screens.entry(screen).or_default();
        if rev > shown.text_rev {
            (shown.text_rev, shown.text) = (rev, text);
            if text == Text::Gone {
                shown.reactions.clear();
            }
        }
        shown.rev = shown.rev.max(rev);
    }

    /// A message's reactions come to a screen, with the event of this seq.
    pub fn reactions(&mut self, screen: (usize, usize, u64), seq: u64, reactions: BTreeMap<String, u64>) {
        let shown = self.screens.entry(screen).or_default();
        if seq > shown.reactions_rev {
            shown.reactions_rev = seq;
            shown.reactions = if shown.text == Text::Gone { BTreeMap::new() } else { reactions };
        }
        shown.rev = shown.rev.max(seq);
    }

    /// Another change of a message comes to a screen: a pin, an unpin.
    pub fn other(&mut self, screen: (usize, usize, u64), seq: u64) {
        let shown = self.screens.entry(screen).or_default();
        shown.rev = shown.rev.max(seq);
    }

    /// Holds the screens of these users against what the log has of a room's messages. Answers what is not the same.
    pub fn hold_screens_against(&mut self, room: usize, users: &[usize], log: &BTreeMap<u64, Shown>) -> Vec<String> {
        let mut wrong = Vec::new();
        let first = |seq: u64| Shown { rev: seq, ..Shown::default() };
        for user in users {
            for (seq, has) in log {
                self.totals.compared += 1;
                let shown = self.screens.get(&(*user, room, *seq)).cloned().unwrap_or_else(|| first(*seq));
                // An entry that began with a reaction has not noted the rev of the first text.
                let rev = shown.rev.max(*seq);
                if (rev, shown.text, &shown.reactions) != (has.rev, has.text, &has.reactions) {
                    self.totals.diverged += 1;
                    wrong.push(format!("user {user} sees seq {seq} of room {room} as {shown:?}, the log has {has:?}"));
                }
            }
        }
        wrong
    }

    /// Holds every acknowledged change against what the log has of a room's messages. Answers what is lost.
    pub fn hold_against(&mut self, room: usize, log: &BTreeMap<u64, Shown>) -> Vec<String> {
        let mut lost = Vec::new();
        let mut reacted: BTreeMap<(u64, u8), BTreeSet<usize>> = BTreeMap::new();
        for (number, change) in self.changes.iter().enumerate().filter(|(_, change)| change.room == room) {
            let ChangeState::Acked(rev) = change.state else {
                if change.state == ChangeState::Open {
                    self.totals.unanswered += 1;
                    lost.push(format!("change {number} was never settled: {change:?}"));
                }
                continue;
            };
            let has = log.get(&change.seq).cloned().unwrap_or_default();
            let is_gone = has.text == Text::Gone;
            let is_there = match change.kind {
                ChangeKind::Delete => is_gone,
                ChangeKind::Edit => is_gone || matches!(has.text, Text::Edited(_)),
                ChangeKind::React(emoji) => {
                    if !is_gone {
                        reacted.entry((change.seq, emoji)).or_default().insert(change.by);
                    }
                    true
                }
                ChangeKind::Pin => true,
            };
            if !is_there || has.rev < rev {
                self.totals.lost += 1;
                lost.push(format!("change {number} was acknowledged, and the log has {has:?}: {change:?}"));
            }
        }
        for ((seq, emoji), users) in reacted {
            let emoji = EMOJIS.get(usize::from(emoji)).copied().unwrap_or_default();
            let counted = log.get(&seq).and_then(|has| has.reactions.get(emoji)).copied().unwrap_or(0);
            if counted != users.len() as u64 {
                self.totals.lost += 1;
                lost.push(format!("{} users reacted to seq {seq} of room {room} with {emoji}, and the log counts {counted}", users.len()));
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(rev: u64, text: Text, reactions: &[(&str, u64)]) -> BTreeMap<u64, Shown> {
        let reactions = reactions.iter().map(|(emoji, count)| ((*emoji).to_owned(), *count)).collect();
        BTreeMap::from([(1, Shown { text_rev: 0, rev, reactions_rev: 0, text, reactions })])
    }

    #[test]
    fn a_screen_that_has_heard_everything_shows_what_the_log_has() {
        let mut changes = Changes::default();
        let edit = changes.ask(0, 0, (0, 1), ChangeKind::Edit);
        assert!(changes.acked(edit, 2) && !changes.acked(edit, 2));
        changes.text((7, 0, 1), 1, Text::First);
        changes.text((7, 0, 1), 2, Text::Edited(edit));
        changes.reactions((7, 0, 1), 3, BTreeMap::from([("👍".to_owned(), 1)]));
        let react = changes.ask(0, 7, (0, 1), ChangeKind::React(0));
        changes.acked(react, 0);
        let log = log(3, Text::Edited(edit), &[("👍", 1)]);
        assert!(changes.hold_screens_against(0, &[7], &log).is_empty());
        assert!(changes.hold_against(0, &log).is_empty());
        assert!(changes.totals.is_sound() && changes.totals.compared == 1);
    }

    #[test]
    fn what_a_screen_has_missed_is_noticed() {
        for heard in 0..3 {
            let mut changes = Changes::default();
            if heard > 0 {
                changes.text((7, 0, 1), 2, Text::Edited(0));
            }
            if heard > 1 {
                changes.text((7, 0, 1), 3, Text::Edited(1));
            }
            let wrong = changes.hold_screens_against(0, &[7], &log(4, Text::Gone, &[]));
            assert_eq!((wrong.len(), changes.totals.diverged), (1, 1), "{heard}");
        }
    }

    #[test]
    fn an_acknowledged_change_that_the_log_has_not_is_lost() {
        for (kind, log) in [
            (ChangeKind::Edit, log(2, Text::First, &[])),
            (ChangeKind::Delete, log(2, Text::Edited(0), &[])),
            (ChangeKind::React(0), log(2, Text::First, &[])),
            (ChangeKind::Edit, log(1, Text::Edited(0), &[])),
        ] {
            let mut changes = Changes::default();
            let number = changes.ask(0, 0, (0, 1), kind);
            changes.acked(number, 2);
            changes.hold_against(0, &log);
            assert_eq!(changes.totals.lost, 1, "{kind:?}");
        }
        let mut changes = Changes::default();
        changes.ask(0, 0, (0, 1), ChangeKind::Pin);
        let refused = changes.ask(0, 0, (0, 1), ChangeKind::Edit);
        changes.refused(refused, "conflict");
        let forbidden = changes.ask(0, 0, (0, 1), ChangeKind::Edit);
        changes.refused(forbidden, "forbidden");
        changes.hold_against(0, &log(1, Text::First, &[]));
        let totals = changes.totals;
        assert_eq!((totals.unanswered, totals.conflicts, totals.wrongly_refused), (1, 1, 1));
    }

    #[test]
    fn reactions_are_merged_by_their_own_events() {
        let mut changes = Changes::default();
        let reactions = |emojis: &[&str]| emojis.iter().map(|emoji| ((*emoji).to_owned(), 1)).collect::<BTreeMap<_, _>>();
        // A replay tells the message as it is now. The events that are read later tell each reaction as it was then, or as it is now.
        changes.text((7, 0, 1), 3, Text::First);
        changes.reactions((7, 0, 1), 2, reactions(&["👍"]));
        changes.reactions((7, 0, 1), 3, reactions(&["👍", "❤"]));
        changes.reactions((7, 0, 1), 2, reactions(&["👍"]));
        assert!(changes.hold_screens_against(0, &[7], &log(3, Text::First, &[("👍", 1), ("❤", 1)])).is_empty());
    }

    #[test]
    fn an_old_state_never_replaces_a_newer_one() {
        let mut changes = Changes::default();
        changes.text((7, 0, 1), 3, Text::Edited(1));
        changes.text((7, 0, 1), 2, Text::Edited(0));
        changes.text((7, 0, 1), 1, Text::First);
        assert!(changes.hold_screens_against(0, &[7], &log(3, Text::Edited(1), &[])).is_empty());
    }
}
