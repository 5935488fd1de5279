//! The end: the accounts are held against the log that was read back.

use std::collections::BTreeMap;

use super::{Ledger, Row, Shown, State, Text, Totals};

/// A message as it was read back: its seq, its sender, and its number where its body is one that was sent.
pub type Read = (u64, usize, Option<usize>);

/// What a room's messages are at the end, by their seqs.
pub type States = BTreeMap<u64, Shown>;

impl Ledger {
    /// What the messages of a room have become: every change that was acknowledged must be in it, and every screen must show it.
    pub fn read_back_states(&mut self, room: usize, states: &States) {
        let seen_all = self.tracks.iter().filter(|((_, of), track)| *of == room && track.has_seen_all());
        let users: Vec<usize> = seen_all.map(|((user, _), _)| *user).collect();
        let mut problems = self.changes.hold_screens_against(room, &users, states);
        problems.extend(self.changes.hold_against(room, states));
        problems.into_iter().for_each(|problem| self.problem(problem));
        self.gone.extend(states.iter().filter(|(_, state)| state.text == Text::Gone).map(|(seq, _)| (room, *seq)));
        // What was deleted tells no more which message it was. Its acknowledgement did.
        let gone: Vec<(usize, u64)> = self.acked_of.get(room).into_iter().flatten().copied().collect();
        for (number, seq) in gone.into_iter().filter(|(_, seq)| states.get(seq).is_some_and(|state| state.text == Text::Gone)) {
            if let Some(message) = self.messages.get_mut(number) {
                message.logged.get_or_insert(seq);
            }
        }
    }

    /// What the log of a room holds.
    pub fn read_back(&mut self, room: usize, log: &[Read]) {
        if let Some((newest, ..)) = log.last() {
            self.head(room, *newest);
        }
        let mut before = 0;
        for (seq, sender, number) in log {
            if *seq <= before {
                self.totals.reordered += 1;
                self.problem(format!("room {room} reads seq {seq} after seq {before}"));
            }
            before = *seq;
            match number.and_then(|number| Some((number, self.messages.get_mut(number)?))) {
                None => self.changed(format!("seq {seq} of room {room} is a message that nobody sent")),
                Some((number, message)) => {
                    let right = message.room == room && message.sender == *sender;
                    let first = *message.logged.get_or_insert(*seq);
                    if !right {
                        self.changed(format!("message {number} stands in room {room} as user {sender}'s"));
                    }
                    if first != *seq {
                        self.totals.doubled += 1;
                        self.problem(format!("message {number} stands in the log of room {room} as seq {first} and as seq {seq}"));
                    }
                    self.hold_against_shown(room, *seq, Row::Message(number));
                }
            }
        }
        self.hold_against_log(room, log);
    }

    /// What members were shown under this seq must be this.
    fn hold_against_shown(&mut self, room: usize, seq: u64, row: Row) {
        let shown = self.shown(room, seq);
        if shown.is_some_and(|shown| !shown.agrees(row)) {
            self.totals.late += 1;
            self.problem(format!("members were shown {shown:?} as seq {seq} of room {room}, where the log has {row:?}"));
        }
    }

    fn shown(&self, room: usize, seq: u64) -> Option<Row> {
        let place = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.shown.get(room)?.get(place).copied().flatten()
    }

    /// What members were shown must be in the log, and each must have been shown all of it.
    fn hold_against_log(&mut self, room: usize, log: &[Read]) {
        let head = self.heads.get(room).copied().unwrap_or(0);
        let shown_head = self.shown.get(room).map_or(0, |shown| shown.len() as u64);
        for seq in 1..=shown_head {
            let Some(Row::Message(number)) = self.shown(room, seq) else { continue };
            if log.binary_search_by_key(&seq, |(seq, ..)| *seq).is_err() && !self.gone.contains(&(room, seq)) {
                self.totals.strayed += 1;
                self.problem(format!("members were shown message {number} as seq {seq} of room {room}, where the log has none"));
            }
        }
        let missing: Vec<_> = self
            .tracks
            .iter()
            .filter(|((_, of), _)| *of == room)
            .map(|((user, _), track)| (*user, track.missing(head)))
            .filter(|(_, missing)| *missing > 0)
            .collect();
        for (user, missing) in missing {
            self.totals.undelivered += missing;
            self.problem(format!("user {user} has not got {missing} events of room {room}, whose head is {head}"));
        }
    }

    /// All rooms were read back: the sums.
    pub fn close(&mut self) -> Totals {
        for number in 0..self.messages.len() {
            let Some(message) = self.messages.get(number).copied() else { continue };
            match (message.state, message.logged) {
                (State::Open, logged) => {
                    self.totals.unanswered += 1;
                    self.problem(format!("message {number} was never settled; in the log: {logged:?}"));
                }
                (State::Acked { seq, .. }, None) => {
                    self.totals.lost += 1;
                    self.problem(format!("message {number} was acknowledged as seq {seq} of room {} and is not in the log", message.room));
                }
                (State::Acked { seq, .. }, Some(logged)) if seq != logged => {
                    self.totals.reordered += 1;
                    self.problem(format!("message {number} was acknowledged as seq {seq} and stands in the log as seq {logged}"));
                }
                // An earlier try may have been committed, its answer lost, and the later one refused. A stranger's may never.
                (State::Refused, Some(seq)) if message.attempts < 2 || !message.welcome => {
                    self.totals.strayed += 1;
                    self.problem(format!("message {number} was refused and stands in the log as seq {seq}"));
                }
                (State::Acked { .. } | State::Refused, _) => {}
            }
        }
        self.hold_against_time();
        self.totals.clone()
    }

    /// What was acknowledged before another was first sent must stand before it, whoever the senders are.
    fn hold_against_time(&mut self) {
        let mut by_place: Vec<(usize, u64, usize)> =
            self.messages.iter().enumerate().filter_map(|(number, message)| Some((message.room, message.logged?, number))).collect();
        by_place.sort_unstable();
        let (mut room_before, mut latest) = (usize::MAX, (0, 0));
        for (room, seq, number) in by_place {
            if room != room_before {
                (room_before, latest) = (room, (0, 0));
            }
            let Some(message) = self.messages.get(number).copied() else { continue };
            if let State::Acked { at, .. } = message.state
                && at < latest.0
            {
                self.totals.reordered += 1;
                let other = latest.1;
                self.problem(format!(
                    "message {number} (seq {seq} of room {room}) was acknowledged before message {other} was sent, and stands behind it"
                ));
            }
            latest = latest.max((message.sent_at, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two users in one room, and three messages that went as they should.
    fn run() -> Ledger {
        let mut ledger = Ledger::new(1);
        (0..2).for_each(|user| ledger.member(user, 0));
        for seq in 1..=3 {
            let number = ledger.write(0, 0, true);
            ledger.attempt(number);
            assert!(ledger.acked(number, seq));
            (0..2).for_each(|user| ledger.delivered(user, 0, seq, Row::Message(number)));
        }
        ledger
    }

    const LOG: [Read; 3] = [(1, 0, Some(0)), (2, 0, Some(1)), (3, 0, Some(2))];

    fn closed(mut ledger: Ledger, head: u64, log: &[Read]) -> Totals {
        ledger.head(0, head);
        ledger.read_back(0, log);
        let totals = ledger.close();
        assert_eq!(totals.is_sound(), ledger.problems().is_empty(), "{totals:?} {:?}", ledger.problems());
        totals
    }

    fn sound() -> Totals {
        Totals { sent: 3, attempts: 3, acked: 3, delivered: 6, ..Totals::default() }
    }

    #[test]
    fn what_adds_up_is_sound() {
        assert_eq!(closed(run(), 3, &LOG), sound());
        assert!(sound().is_sound());
    }

    #[test]
    fn an_acknowledged_message_that_is_not_in_the_log_is_lost() {
        let mut ledger = run();
        ledger.attempt(3);
        let number = ledger.write(0, 1, true);
        ledger.acked(number, 4);
        let totals = closed(ledger, 3, &LOG);
        assert_eq!((totals.lost, totals.undelivered), (1, 2));
        // Shown to members, and yet not there.
        assert_eq!(closed(run(), 3, &LOG[..2]), Totals { lost: 1, strayed: 1, ..sound() });
    }

    #[test]
    fn a_message_that_stands_twice_in_the_log_is_doubled() {
        let log = [LOG[0], LOG[1], LOG[2], (4, 0, Some(1))];
        let totals = closed(run(), 4, &log);
        assert_eq!((totals.doubled, totals.undelivered), (1, 2));
    }

    #[test]
    fn an_acknowledgement_of_another_place_is_doubled() {
        let mut ledger = run();
        assert!(!ledger.acked(1, 2));
        assert!(!ledger.acked(1, 7));
        assert_eq!(closed(ledger, 3, &LOG).doubled, 1);
    }

    #[test]
    fn a_delivery_that_comes_again_late_or_never_is_counted() {
        let mut ledger = run();
        ledger.delivered(1, 0, 3, Row::Message(2));
        assert_eq!(closed(ledger, 3, &LOG).doubled_deliveries, 1);
        let mut ledger = run();
        let number = ledger.write(0, 0, true);
        ledger.acked(number, 4);
        ledger.delivered(0, 0, 4, Row::Message(number));
        let log = [LOG[0], LOG[1], LOG[2], (4, 0, Some(3))];
        assert_eq!(ledger.undelivered(), 1);
        assert_eq!(closed(ledger.clone(), 4, &log).undelivered, 1);
        ledger.delivered(1, 0, 5, Row::Left(0));
        ledger.delivered(1, 0, 4, Row::Message(number));
        ledger.delivered(0, 0, 5, Row::Left(0));
        let totals = closed(ledger, 5, &log);
        assert_eq!((totals.late, totals.undelivered), (1, 0));
    }

    #[test]
    fn members_who_are_shown_another_order_than_the_log_has_are_noticed() {
        let log = [LOG[0], (2, 0, Some(2)), (3, 0, Some(1))];
        let totals = closed(run(), 3, &log);
        assert_eq!(totals.late, 2);
        // Each was acknowledged with another place, and the later one overtook the earlier.
        assert_eq!(totals.reordered, 3);
    }

    #[test]
    fn a_message_that_overtakes_one_acknowledged_before_is_reordered() {
        let mut ledger = Ledger::new(1);
        let [first, second] = [0, 1].map(|sender| {
            let number = ledger.write(0, sender, true);
            ledger.acked(number, 2 - sender as u64);
            number
        });
        let totals = closed(ledger, 2, &[(1, 1, Some(second)), (2, 0, Some(first))]);
        assert_eq!(totals.reordered, 1);
        // Sent before the other was acknowledged, they may stand either way.
        let mut ledger = Ledger::new(1);
        let [first, second] = [0, 1].map(|sender| ledger.write(0, sender, true));
        assert!(ledger.acked(first, 2) && ledger.acked(second, 1));
        assert!(closed(ledger, 2, &[(1, 1, Some(second)), (2, 0, Some(first))]).is_sound());
    }

    #[test]
    fn what_was_changed_on_its_way_is_noticed() {
        assert_eq!(closed(run(), 3, &[LOG[0], LOG[1], (3, 1, Some(2))]).changed, 1);
        let totals = closed(run(), 3, &[LOG[0], LOG[1], (3, 0, None)]);
        assert_eq!((totals.changed, totals.lost), (1, 1));
    }

    #[test]
    fn refusals_are_right_for_strangers_only_and_never_in_the_log() {
        let mut ledger = run();
        let stranger = ledger.write(0, 9, false);
        ledger.attempt(stranger);
        assert!(ledger.refused(stranger, "not_found"));
        let fine = closed(ledger.clone(), 3, &LOG);
        assert_eq!((fine.refused, fine.is_sound()), (1, true));
        assert_eq!(closed(ledger, 4, &[LOG[0], LOG[1], LOG[2], (4, 9, Some(stranger))]).strayed, 1);
        let mut ledger = run();
        let member = ledger.write(0, 1, true);
        ledger.refused(member, "conflict");
        assert_eq!(closed(ledger, 3, &LOG).wrongly_refused, 1);
        let mut ledger = run();
        let stranger = ledger.write(0, 9, false);
        ledger.acked(stranger, 4);
        assert_eq!(closed(ledger, 4, &[LOG[0], LOG[1], LOG[2], (4, 9, Some(stranger))]).strayed, 1);
    }

    #[test]
    fn a_message_without_an_answer_a_foreign_delivery_and_a_resync_are_counted() {
        let mut ledger = run();
        ledger.write(0, 1, true);
        assert_eq!(ledger.open_count(), 1);
        ledger.delivered(5, 0, 1, Row::Message(0));
        ledger.resync(1, &[(0, 3)]);
        let totals = closed(ledger, 3, &LOG);
        assert_eq!((totals.unanswered, totals.strayed, totals.resyncs), (1, 1, 1));
    }
}
