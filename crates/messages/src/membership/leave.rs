//! Ending a membership: a member leaves, or the room's owner removes one. When the owner leaves, the longest-standing member becomes the
//! owner.

use crate::access;
use crate::rooms::view::{self, Parting};
use crate::service::Messages;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::RemoveMember;
use contract::{Answer, Caller, Refusal, Room, RoomId, UserId};

impl Answer<RemoveMember> for Messages {
    async fn answer(&self, who: &Caller, call: RemoveMember) -> Result<Room, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let subject = if call.username == who.username { Some(who.id) } else { self.user(&call.username).await?.map(|user| user.id) };
        let parting = self.writer()?.write(Leave { room: call.room, actor: who.id, subject }).await?;
        if subject != Some(who.id) {
            return self.room_for(who, call.room).await;
        }
        let (room, reader) = (call.room, who.id);
        let raw = self.db.read(move |tx| Box::pin(async move { view::when_left(tx, room, reader, parting).await })).await?;
        self.resolver.rooms(raw.into_iter().collect()).await?.pop().ok_or_else(Refusal::no_room)
    }
}

struct Leave {
    room: RoomId,
    actor: UserId,
    /// The leaving member; `None` if no user has the name.
    subject: Option<UserId>,
}

impl Operation for Leave {
    /// The room just after the leaving.
    type Done = Parting;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { heir: true, ..Needs::of(std::iter::once(self.actor).chain(self.subject)) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Parting, Denied> {
        let (kind, owner) = batch.room(self.room).await?.map(|room| (room.kind, room.owner)).ok_or_else(Refusal::no_room)?;
        let is_member = batch.member(self.room, self.actor).await?.is_some_and(|member| member.active);
        access::remove(kind, is_member, self.subject == Some(self.actor), owner == self.actor)?;
        let nobody = || Refusal::not_found("no member of this room has that name").about("username");
        let subject = self.subject.ok_or_else(nobody)?;
        if !batch.member(self.room, subject).await?.is_some_and(|member| member.active) {
            return Err(nobody().into());
        }
        let left = batch.leave(self.room, self.actor, subject).await?;
        if subject == owner
            && let Some(heir) = batch.heir(self.room).await?
            && let Some(room) = batch.room(self.room).await?
        {
            room.owner = heir;
        }
        batch.save(self.room);
        let (name, owner) = batch.room(self.room).await?.map(|room| (room.name.clone(), room.owner)).ok_or_else(Refusal::no_room)?;
        Ok(Parting { position: left.position, head: left.seq.unwrap_or(0), name, owner, member_count: left.member_count })
    }
}
