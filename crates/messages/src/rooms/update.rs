//! Changing a room's name, topic and metadata. Only its owner may; a direct room has no name, and both of its people may change the rest.

use crate::access;
use crate::extra::RoomExtra;
use crate::service::Messages;
use crate::store::log::Kind;
use crate::store::rooms::Details;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use contract::calls::messages::UpdateRoom;
use contract::metadata::{ROOM_BYTES, changed};
use contract::{Answer, Caller, Patch, Refusal, Room, RoomId, Topic, UserId};
use serde_json::{Map, Value};

impl Answer<UpdateRoom> for Messages {
    async fn answer(&self, who: &Caller, call: UpdateRoom) -> Result<Room, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let UpdateRoom { room, name, topic, metadata, if_rev } = call;
        self.writer()?.write(Update { room, actor: who.id, name: name.map(String::from), topic, metadata, if_rev }).await?;
        self.room_for(who, room).await
    }
}

struct Update {
    room: RoomId,
    actor: UserId,
    name: Option<String>,
    topic: Patch<Topic>,
    metadata: Patch<Map<String, Value>>,
    if_rev: Option<i64>,
}

impl Operation for Update {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { details: true, ..Needs::of([self.actor]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let room = batch.room(self.room).await?.ok_or_else(Refusal::no_room)?;
        let (kind, is_owner, name_before) = (room.kind, room.owner == self.actor, room.name.clone());
        let is_member = batch.member(self.room, self.actor).await?.is_some_and(|member| member.active);
        access::member_only(kind, is_member)?;
        if self.name.is_some() {
            access::rename(kind, is_member, is_owner)?;
        }
        if !self.topic.is_keep() || !self.metadata.is_keep() {
            access::describe(kind, is_member, is_owner)?;
        }
        let before = batch.details(self.room).await?;
        let (name, after) = (self.name.clone().or_else(|| name_before.clone()), self.details(&before)?);
        if name == name_before && after == before {
            return Ok(());
        }
        if self.if_rev.is_some_and(|if_rev| if_rev != before.rev) {
            let detail = "this room has another rev: somebody has changed it since, or it has none such yet; read it again";
            return Err(Refusal::conflict(detail).about("if_rev").into());
        }
        let extra = row_extra(&after, name.is_none())?;
        let new = NewRow { payload: name.clone(), extra, ..NewRow::new(Kind::RoomUpdated, self.actor) };
        let row = batch.append(self.room, new).await?;
        if let Some(room) = batch.room(self.room).await? {
            room.name = name;
        }
        // Before an upgrade is finished, older programs change rooms without a rev; `guild upgrade finish` notes all of them.
        if batch.writes(Kind::MessageEdited) {
            let rev = row.and_then(|row| row.seq).unwrap_or(before.rev);
            batch.set_details(self.room, Details { rev, ..after });
        }
        batch.save(self.room);
        Ok(())
    }
}

impl Update {
    /// What the room is about after the change.
    fn details(&self, before: &Details) -> Result<Details, Refusal> {
        let topic = self.topic.clone().applied(before.topic.clone().and_then(|topic| topic.try_into().ok()));
        let metadata = before.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok());
        let metadata = changed(metadata, &self.metadata, ROOM_BYTES)?;
        Ok(Details {
            topic: topic.map(String::from).filter(|topic| !topic.is_empty()),
            metadata: metadata.and_then(|metadata| serde_json::to_string(&metadata).ok()),
            rev: before.rev,
        })
    }
}

/// What the row tells besides the name. A program that knows no topics tells a row without it.
fn row_extra(details: &Details, is_nameless: bool) -> Result<Option<String>, Refusal> {
    if details.topic.is_none() && details.metadata.is_none() && !is_nameless {
        return Ok(None);
    }
    let broken = |why: String| edge::incident(&format!("what a room is about breaks the rules: {why}"));
    let topic = details.topic.clone().map(Topic::try_from).transpose().map_err(broken)?;
    let metadata = details.metadata.as_deref().map(serde_json::from_str).transpose().map_err(|why| broken(why.to_string()))?;
    serde_json::to_string(&RoomExtra { topic, metadata }).map(Some).map_err(|why| broken(why.to_string()))
}
