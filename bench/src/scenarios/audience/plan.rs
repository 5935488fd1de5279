//! Who is in which room, and who sends to it.

use std::ops::Range;

/// Who is there, and how much is said.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Receivers.
    pub clients: usize,
    /// Receivers of a room; each is in one.
    pub members: usize,
    /// Messages a second, over all rooms in turn.
    pub rate: usize,
    /// Whether who comes back shows its cursor.
    pub cursor: bool,
    /// How many may be on their way in at a time.
    pub at_once: usize,
}

impl Plan {
    /// How many rooms that is; the last one may be smaller.
    pub fn rooms(&self) -> usize {
        self.clients.div_ceil(self.members.max(1))
    }

    /// Where a receiver is.
    pub fn room_of(&self, client: usize) -> usize {
        client / self.members.max(1)
    }

    /// Who receives what is sent to a room.
    pub fn receivers(&self, room: usize) -> Range<usize> {
        (room * self.members.max(1)).min(self.clients)..((room + 1) * self.members.max(1)).min(self.clients)
    }

    /// How many senders there are.
    pub fn senders(&self) -> usize {
        self.rooms().clamp(1, SENDERS)
    }

    /// Who sends to a room.
    pub fn sender(&self, room: usize) -> usize {
        self.clients + room % self.senders()
    }
}

/// Senders, at most.
const SENDERS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_room_takes_who_is_left() {
        let plan = Plan { clients: 23, members: 10, rate: 1, cursor: true, at_once: 1 };
        assert_eq!(plan.rooms(), 3);
        assert_eq!([0, 1, 2].map(|room| plan.receivers(room).len()), [10, 10, 3]);
        assert!((0..23).all(|client| plan.receivers(plan.room_of(client)).contains(&client)));
        assert_eq!([0, 1, 2].map(|room| plan.sender(room)), [23, 24, 25]);
        assert_eq!(Plan { clients: 5_000, ..plan }.sender(499), 5_049);
    }
}
