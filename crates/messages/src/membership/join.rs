//! Becoming a member: a member of a group adds somebody, or a user joins a channel. One transaction appends two rows: the room for the new
//! member alone, then the join for all members.

use crate::access;
use crate::service::Messages;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::AddMember;
use contract::calls::users::UsersByName;
use contract::{Answer, Caller, Refusal, Room, RoomId, UserId, UserRef, Username};

impl Answer<AddMember> for Messages {
    async fn answer(&self, who: &Caller, call: AddMember) -> Result<Room, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        // Decided in the operation: only a caller who may see the room learns whether there is such a user.
        let subject = if call.username == who.username { Some(who.id) } else { self.user(&call.username).await?.map(|user| user.id) };
        let operation = Join { room: call.room, actor: who.id, subject, most: self.settings.room_members };
        self.writer()?.write(operation).await?;
        self.room_for(who, call.room).await
    }
}

impl Messages {
    /// The user of this name; `None` if there is none.
    pub(crate) async fn user(&self, username: &Username) -> Result<Option<UserRef>, Refusal> {
        let users = self.bus.ask(&Caller::service("messages"), UsersByName { usernames: vec![username.clone()] }).await?;
        Ok(users.into_iter().next().inspect(|user| self.names.learn(user.id, &user.username)))
    }
}

struct Join {
    room: RoomId,
    actor: UserId,
    /// The new member; `None` if no user has the name.
    subject: Option<UserId>,
    most: i64,
}

impl Operation for Join {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs::of(std::iter::once(self.actor).chain(self.subject))
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let (kind, members) = batch.room(self.room).await?.map(|room| (room.kind, room.member_count)).ok_or_else(Refusal::no_room)?;
        let is_member = batch.member(self.room, self.actor).await?.is_some_and(|member| member.active);
        access::add(kind, is_member, self.subject == Some(self.actor))?;
        let subject = self.subject.ok_or_else(|| Refusal::not_found("no such user").about("username"))?;
        if batch.member(self.room, subject).await?.is_some_and(|member| member.active) {
            return Ok(());
        }
        if self.most > 0 && members >= self.most {
            return Err(Refusal::conflict(format!("this room is full: it has {members} members, and {} is the most", self.most)).into());
        }
        batch.enter(self.room, self.actor, subject, true).await?;
        if members == 0
            && let Some(room) = batch.room(self.room).await?
        {
            // All members had left, the owner included.
            room.owner = subject;
        }
        batch.save(self.room);
        Ok(())
    }
}
