//! What has changed of users' own state and read marks: where in the log, so that a client which missed nothing costs no read.

use super::apply::{Applied, push_frame};
use super::{Inner, Loading, Registry, UserEntry};
use contract::{Cursor, StateKey, UserId};
use socketio::Frame;

/// Where nothing has changed. A change may stand at 0, before the first entry of a partition.
const NEVER: i64 = -1;

impl Registry {
    /// Notes that these values have changed at this place or before it, and answers those of users who have a socket here.
    pub(crate) fn note_own_changes(&self, (partition, position): (u16, i64), keys: &[(UserId, StateKey)]) -> Vec<(UserId, StateKey)> {
        let mut inner = self.lock();
        let mut here = Vec::new();
        for (user, key) in keys {
            let Some(entry) = inner.users.get_mut(user) else { continue };
            entry.note_own_change(partition, position);
            if !entry.sockets.is_empty() {
                here.push((*user, key.clone()));
            }
        }
        here
    }

    /// Notes that something of this user's own has changed at this place or before it.
    pub(crate) fn note_own_change(&self, user: UserId, (partition, position): (u16, i64)) {
        if let Some(entry) = self.lock().users.get_mut(&user) {
            entry.note_own_change(partition, position);
        }
    }

    /// Notes that read marks may have moved up to here without a word.
    pub(crate) fn note_lost_marks(&self) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for entry in inner.users.values_mut() {
            for (partition, here) in (0..).zip(&inner.positions) {
                entry.note_own_change(partition, *here);
            }
        }
    }

    /// Whether it is known here that nothing of this user's own has changed at this cursor or later.
    pub(crate) fn has_all_own(&self, user: UserId, since: &Cursor) -> bool {
        self.lock().has_all_own(user, since)
    }

    /// Sends a frame after which none may be missing to every socket of a user. A socket that replays gets what it tells with `ready`.
    pub(crate) fn push_to_user(&self, user: UserId, frame: &Frame, applied: &mut Applied) {
        if let Some(entry) = self.lock().users.get_mut(&user) {
            entry.sockets.iter_mut().for_each(|socket| push_frame(socket, frame, applied));
        }
    }
}

impl UserEntry {
    pub(super) fn note_own_change(&mut self, partition: u16, position: i64) {
        let partition = usize::from(partition);
        if self.own_changed.len() <= partition {
            self.own_changed.resize(partition + 1, NEVER);
        }
        if let Some(last) = self.own_changed.get_mut(partition) {
            *last = position.max(*last);
        }
    }

    /// Takes what the messages service has told, for so many partitions. One of a version before tells nothing; then it is not known.
    pub(super) fn load_own_changes(&mut self, changed: &[i64], partitions: usize) {
        for partition in 0..u16::try_from(partitions).unwrap_or(u16::MAX) {
            let told = if changed.is_empty() { i64::MAX } else { changed.get(usize::from(partition)).copied().unwrap_or(NEVER) };
            self.note_own_change(partition, told);
        }
    }
}

impl Inner {
    pub(super) fn has_all_own(&self, user: UserId, since: &Cursor) -> bool {
        let Some(entry) = self.users.get(&user).filter(|entry| matches!(entry.load, Loading::Done)) else { return false };
        let nothing = |(last, since): (&i64, &i64)| last < since || *last == NEVER;
        since.epoch == self.epoch
            && entry.own_changed.len() == since.positions.len()
            && entry.own_changed.iter().zip(&since.positions).all(nothing)
    }
}
