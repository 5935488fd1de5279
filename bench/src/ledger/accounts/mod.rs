//! The accounts: every message from its first sending to its place in the log, every delivery, and what does not add up.
//!
//! It is told what happens, as it happens, and at the end what stands in the log. It knows nothing of sockets and servers, so that it
//! can be tried with losses of any kind.

mod audit;
mod changes;
mod row;
mod totals;
mod track;

use std::collections::{BTreeMap, HashMap, HashSet};

pub use audit::States;
pub use changes::{Change, ChangeKind, ChangeTotals, Changes, EMOJIS, Shown, Text};
pub use row::{Amendment, Row};
pub use totals::Totals;
use track::{Place, Track};

/// What is known of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No answer that settles it.
    Open,
    /// It is in the log under this seq, the server said; and when.
    Acked { seq: u64, at: u64 },
    /// It will not be in the log, the server said.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    room: usize,
    sender: usize,
    /// Whether the sender is a member: a stranger's message must be refused.
    welcome: bool,
    attempts: u32,
    sent_at: u64,
    state: State,
    /// Where it stands in the log that was read back.
    logged: Option<u64>,
}

/// All accounts of a run.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    messages: Vec<Message>,
    /// What members were shown under each seq of each room.
    shown: Vec<Vec<Option<Row>>>,
    tracks: HashMap<(usize, usize), Track>,
    /// What is done to messages.
    pub changes: Changes,
    /// The newest seq of each room, as far as the server has told it.
    heads: Vec<u64>,
    /// Each sending and each settling answer has its own number on this clock.
    clock: u64,
    /// The rooms and seqs of messages that were deleted at the end.
    gone: HashSet<(usize, u64)>,
    /// The messages of each room that were acknowledged, with their seqs.
    acked_of: Vec<Vec<(usize, u64)>>,
    totals: Totals,
    codes: BTreeMap<String, u64>,
    problems: Vec<String>,
}

/// More findings than this are only counted.
const TOLD: usize = 40;

impl Ledger {
    /// For so many rooms, which are empty.
    pub fn new(rooms: usize) -> Self {
        Self { shown: vec![Vec::new(); rooms], heads: vec![0; rooms], acked_of: vec![Vec::new(); rooms], ..Self::default() }
    }

    /// This user is a member of this room from its first seq on.
    pub fn member(&mut self, user: usize, room: usize) {
        self.tracks.insert((user, room), Track::default());
    }

    /// A new message, and its number. `welcome`: the sender is a member.
    pub fn write(&mut self, room: usize, sender: usize, welcome: bool) -> usize {
        self.totals.sent += 1;
        let sent_at = self.tick();
        self.messages.push(Message { room, sender, welcome, attempts: 0, sent_at, state: State::Open, logged: None });
        self.messages.len() - 1
    }

    /// It goes to the server, for the first time or once more.
    pub fn attempt(&mut self, number: usize) {
        if let Some(message) = self.messages.get_mut(number) {
            message.attempts += 1;
            self.totals.attempts += 1;
        }
    }

    /// Whether nothing has settled it yet.
    pub fn is_open(&self, number: usize) -> bool {
        self.messages.get(number).is_some_and(|message| message.state == State::Open)
    }

    /// Its room.
    pub fn room(&self, number: usize) -> usize {
        self.messages.get(number).map_or(usize::MAX, |message| message.room)
    }

    /// Its sender.
    pub fn sender(&self, number: usize) -> usize {
        self.messages.get(number).map_or(usize::MAX, |message| message.sender)
    }

    /// How many are acknowledged.
    pub fn acked_count(&self) -> u64 {
        self.totals.acked
    }

    /// The server says that it stands under this seq. True if that settles it.
    pub fn acked(&mut self, number: usize, seq: u64) -> bool {
        let at = self.tick();
        let Some(message) = self.messages.get_mut(number) else {
            self.totals.strayed += 1;
            self.problem(format!("an acknowledgement of message {number}, which was not sent"));
            return false;
        };
        let welcome = message.welcome;
        match message.state {
            State::Open => {
                message.state = State::Acked { seq, at };
                let room = message.room;
                self.head(room, seq);
                if let Some(acked) = self.acked_of.get_mut(room).filter(|_| welcome) {
                    acked.push((number, seq));
                }
                self.totals.acked += 1;
                if !welcome {
                    self.totals.strayed += 1;
                    self.problem(format!("message {number} of a stranger was taken"));
                }
                true
            }
            // Two tries were under way at once; both must name the same place.
            State::Acked { seq: first, .. } => {
                if first != seq {
                    self.totals.doubled += 1;
                    self.problem(format!("message {number} was acknowledged as seq {first} and as seq {seq}"));
                }
                false
            }
            State::Refused => {
                self.totals.strayed += 1;
                self.problem(format!("message {number} was refused, and then acknowledged as seq {seq}"));
                false
            }
        }
    }

    /// The server will not have it, for good. True if that settles it.
    pub fn refused(&mut self, number: usize, code: &str) -> bool {
        self.answered(code);
        self.clock += 1;
        let Some(message) = self.messages.get_mut(number).filter(|message| message.state == State::Open) else { return false };
        message.state = State::Refused;
        let welcome = message.welcome;
        if welcome {
            self.totals.wrongly_refused += 1;
            self.problem(format!("message {number} of a member was refused: {code}"));
        } else {
            self.totals.refused += 1;
        }
        true
    }

    /// An answer that is no acknowledgement, by its code.
    pub fn answered(&mut self, code: &str) {
        *self.codes.entry(code.to_owned()).or_default() += 1;
    }

    /// How often each code was answered.
    pub fn codes(&self) -> &BTreeMap<String, u64> {
        &self.codes
    }

    /// An event of this room comes to this user.
    pub fn delivered(&mut self, user: usize, room: usize, seq: u64, row: Row) {
        self.totals.delivered += 1;
        let place = self.tracks.get_mut(&(user, room)).map_or(Place::Foreign, |track| track.take(user, seq, row));
        let count = match place {
            Place::Next => None,
            // What is missing is counted at the end: it may come late.
            Place::AfterGap => {
                self.problem(format!("user {user} got seq {seq} of room {room} after a gap"));
                None
            }
            Place::Late => Some((&mut self.totals.late, "late")),
            Place::Again => Some((&mut self.totals.doubled_deliveries, "again")),
            Place::Foreign => Some((&mut self.totals.strayed, "while not a member")),
        };
        if let Some((count, words)) = count {
            *count += 1;
            self.problem(format!("user {user} got seq {seq} of room {room} {words}: {row:?}"));
        }
        self.show(user, room, seq, row);
    }

    /// All members must be shown the same under the same seq.
    fn show(&mut self, user: usize, room: usize, seq: u64, row: Row) {
        self.head(room, seq);
        let (Some(shown), Ok(place)) = (self.shown.get_mut(room), usize::try_from(seq.saturating_sub(1))) else { return };
        if shown.len() <= place {
            shown.resize(place + 1, None);
        }
        if let Some(slot) = shown.get_mut(place) {
            let first = *slot.get_or_insert(row);
            if first == Row::Gone && matches!(row, Row::Message(_)) {
                *slot = Some(row);
            }
            if !first.agrees(row) {
                self.totals.late += 1;
                self.problem(format!("user {user} was shown {row:?} as seq {seq} of room {room}, another member {first:?}"));
            }
        }
    }

    /// A message of this room that the server has acknowledged, drawn by `place`: its number and its seq.
    pub fn some_acked(&self, room: usize, place: usize) -> Option<(usize, u64)> {
        let recent = self.acked_of.get(room)?;
        let (number, seq) = *recent.get(recent.len().checked_sub(1 + place % recent.len().max(1))?)?;
        Some((number, seq))
    }

    /// Something came whose text, sender or room is not what was sent.
    pub fn changed(&mut self, what: String) {
        self.totals.changed += 1;
        self.problem(what);
    }

    /// The server told this user to read rooms anew, up to these heads.
    pub fn resync(&mut self, user: usize, heads: &[(usize, u64)]) {
        self.totals.resyncs += 1;
        self.problem(format!("user {user} was told to start anew (resync)"));
        for (room, head) in heads {
            if let Some(track) = self.tracks.get_mut(&(user, *room)) {
                track.skip_to(*head);
            }
        }
    }

    /// How many messages wait for an answer that settles them.
    pub fn open_count(&self) -> u64 {
        let totals = &self.totals;
        totals.sent - totals.acked - totals.refused - totals.wrongly_refused
    }

    /// The newest seq of this room is at least this.
    pub fn head(&mut self, room: usize, head: u64) {
        if let Some(known) = self.heads.get_mut(room) {
            *known = head.max(*known);
        }
    }

    /// How many events members have not got yet, of those that are known to be in the log.
    pub fn undelivered(&self) -> u64 {
        self.tracks.iter().map(|((_, room), track)| track.missing(self.heads.get(*room).copied().unwrap_or(0))).sum()
    }

    /// What was counted of changes.
    pub fn change_totals(&self) -> ChangeTotals {
        self.changes.totals
    }

    /// The first findings, in words.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn problem(&mut self, words: String) {
        if self.problems.len() < TOLD {
            self.problems.push(words);
        }
    }
}
