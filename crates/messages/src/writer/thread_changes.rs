//! What a batch has decided about threads and not written yet: how members stand in them, whose marks have moved, and in which something came or went.

use crate::store::mentions;
use crate::store::state::MessageKey;
use crate::store::threads::{self, ThreadMemberChange, ThreadMemberKey};
use contract::{RoomId, UserId};
use db::{Error, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Default)]
pub(crate) struct ThreadChanges {
    /// By key, so that two batches which write the same rows do it in one order.
    members: BTreeMap<ThreadMemberKey, ThreadMemberChange>,
    /// Threads with a new message, each with the newest one.
    came: BTreeMap<MessageKey, i64>,
    /// Threads in which a message was deleted, each with the newest one that is left, 0 for none.
    went: BTreeMap<MessageKey, i64>,
    /// Whose marks have moved since the batch began. They are stamped at its end.
    moved: BTreeSet<ThreadMemberKey>,
}

impl ThreadChanges {
    /// How somebody stands in a thread from here on. Who stands there already keeps whether they follow, unless `following` says it. `read` is
    /// where the mark moves, which the caller knows to be forward, and 0 where it stays. `last` is the thread's newest message that was not
    /// deleted, 0 for none.
    pub(crate) fn stand(&mut self, key: ThreadMemberKey, following: Option<bool>, read: i64, last: i64) {
        let change = self.members.entry(key).or_insert(ThreadMemberChange { following, read, last });
        *change = ThreadMemberChange { following: following.or(change.following), read: read.max(change.read), last };
        if read > 0 {
            self.moved.insert(key);
        }
    }

    /// A message came in a thread.
    pub(crate) fn came(&mut self, thread: MessageKey, seq: i64) {
        self.came.insert(thread, seq);
        self.went.remove(&thread);
        self.is_last(thread, seq);
    }

    /// A message in a thread was deleted; this one is the newest that is left, 0 for none.
    pub(crate) fn went(&mut self, thread: MessageKey, last: i64) {
        // Followers who had read everything before the batch have something unread only if what came in it is still there.
        if let Some(came) = self.came.get_mut(&thread) {
            *came = last;
        }
        self.went.insert(thread, last);
        self.is_last(thread, last);
    }

    fn is_last(&mut self, (room, thread): MessageKey, last: i64) {
        let changes = self.members.range_mut((room, thread, UserId::from_bytes([0; 16]))..=(room, thread, UserId::from_bytes([0xff; 16])));
        changes.for_each(|(_, change)| change.last = last);
    }

    /// Whether anything is to be written about somebody in a thread.
    pub(crate) fn contains(&self, key: &ThreadMemberKey) -> bool {
        self.members.contains_key(key)
    }

    /// A member has left the room.
    pub(crate) fn forget(&mut self, room: RoomId, member: UserId) {
        self.members.retain(|(of, _, who), _| (*of, *who) != (room, member));
        self.moved.retain(|(of, _, who)| (*of, *who) != (room, member));
    }

    /// Whether nothing but stamps waits.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { members, came, went, moved: _ } = self;
        members.is_empty() && came.is_empty() && went.is_empty()
    }

    /// Writes all of it but stamps. Answers what is left.
    pub(super) async fn write(self, tx: &mut Tx) -> Result<Self, Error> {
        let Self { members, came, went, moved } = self;
        let members: Vec<_> = members.into_iter().collect();
        threads::save_each(tx, &members).await?;
        let marks = members.iter().filter(|(_, change)| change.read > 0);
        mentions::saw_each(tx, &marks.map(|((room, thread, member), change)| (*member, *room, *thread, change.read)).collect::<Vec<_>>())
            .await?;
        threads::something_came(tx, &came.into_iter().collect::<Vec<_>>()).await?;
        threads::something_went(tx, &went.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self { moved, ..Self::default() })
    }

    /// Stamps the marks that have moved with the partition's last position: once, at the batch's end, because a cursor may stand at any position
    /// before it.
    pub(super) async fn write_stamps(&mut self, tx: &mut Tx, position: i64) -> Result<(), Error> {
        threads::stamp_each(tx, &std::mem::take(&mut self.moved).into_iter().collect::<Vec<_>>(), position).await
    }
}
