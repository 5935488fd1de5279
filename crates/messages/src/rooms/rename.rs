//! Renaming a room. Only its owner may.

use crate::access;
use crate::service::Messages;
use crate::store::log::Kind;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::RenameRoom;
use contract::{Answer, Caller, Refusal, Room, RoomId, UserId};

impl Answer<RenameRoom> for Messages {
    async fn answer(&self, who: &Caller, call: RenameRoom) -> Result<Room, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        self.writer()?.write(Rename { room: call.room, actor: who.id, name: call.name.into() }).await?;
        self.room_for(who, call.room).await
    }
}

struct Rename {
    room: RoomId,
    actor: UserId,
    name: String,
}

impl Operation for Rename {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs::of([self.actor])
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let room = batch.room(self.room).await?.ok_or_else(Refusal::no_room)?;
        let (kind, owner, same) = (room.kind, room.owner, room.name.as_ref() == Some(&self.name));
        let is_member = batch.member(self.room, self.actor).await?.is_some_and(|member| member.active);
        access::rename(kind, is_member, owner == self.actor)?;
        if same {
            return Ok(());
        }
        let payload = Some(self.name.clone());
        let new = NewRow { kind: Kind::RoomUpdated, actor: self.actor, subject: None, id: None, nonce: None, payload };
        batch.append(self.room, new).await?;
        if let Some(room) = batch.room(self.room).await? {
            room.name = Some(self.name.clone());
        }
        batch.save(self.room);
        Ok(())
    }
}
