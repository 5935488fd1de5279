//! Making several users members of a group in one transaction: all of them, or none.

use crate::access;
use crate::service::Messages;
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::AddMembers;
use contract::{Answer, Caller, Refusal, RoomId, UserId, Username};

/// Most users at once (rich.md, "Limits").
const MOST: usize = 100;

impl Answer<AddMembers> for Messages {
    async fn answer(&self, who: &Caller, call: AddMembers) -> Result<(), Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let AddMembers { room, usernames } = call;
        if usernames.len() > MOST {
            return Err(Refusal::invalid("usernames", format!("usernames: at most {MOST} at once, these are {}", usernames.len())));
        }
        let (subjects, unknown) = self.users_named(who, usernames).await?;
        // Decided in the operation: only a caller who may see the room learns which users there are.
        let operation = JoinMany { room, actor: who.id, subjects, unknown, most: self.settings.room_members };
        self.writer()?.write(operation).await
    }
}

struct JoinMany {
    room: RoomId,
    actor: UserId,
    /// The new members, each once.
    subjects: Vec<UserId>,
    /// Names that no user has.
    unknown: Vec<Username>,
    most: i64,
}

impl Operation for JoinMany {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs::of(std::iter::once(self.actor).chain(self.subjects.iter().copied()))
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let (kind, members) = batch.room(self.room).await?.map(|room| (room.kind, room.member_count)).ok_or_else(Refusal::no_room)?;
        let is_member = batch.member(self.room, self.actor).await?.is_some_and(|member| member.active);
        let is_oneself = self.unknown.is_empty() && self.subjects.iter().all(|subject| *subject == self.actor);
        access::add(kind, is_member, is_oneself).map_err(about_usernames)?;
        if !self.unknown.is_empty() {
            let unknown: Vec<_> = self.unknown.iter().map(Username::as_str).collect();
            return Err(Refusal::not_found(format!("no such user: {}", unknown.join(", "))).about("usernames").into());
        }
        let mut new = Vec::new();
        for subject in &self.subjects {
            if !batch.member(self.room, *subject).await?.is_some_and(|member| member.active) {
                new.push(*subject);
            }
        }
        let after = members.saturating_add(i64::try_from(new.len()).unwrap_or(i64::MAX));
        if self.most > 0 && !new.is_empty() && after > self.most {
            let (count, most) = (new.len(), self.most);
            return Err(Refusal::conflict(format!("this room has {members} members, {count} more are too many: {most} is the most"))
                .about("usernames")
                .into());
        }
        for subject in &new {
            batch.enter(self.room, self.actor, *subject, true).await?;
        }
        if members == 0
            && let Some(first) = new.first()
            && let Some(room) = batch.room(self.room).await?
        {
            // All members had left, the owner included.
            room.owner = *first;
        }
        if !new.is_empty() {
            batch.save(self.room);
        }
        Ok(())
    }
}

/// A refusal about one username is about a list of them here.
fn about_usernames(refusal: Refusal) -> Refusal {
    if refusal.field.as_deref() == Some("username") { refusal.about("usernames") } else { refusal }
}
