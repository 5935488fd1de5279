//! Creating a room. A pair that has a direct room gets that one, and a retry with the same nonce gets the first room.

use crate::send::rate_limit_token::RateLimitToken;
use crate::service::{Limits, Messages};
use crate::store::rooms::{NewRoom, RoomRow, pair};
use crate::writer::{Batch, Denied, Needs, Operation};
use contract::calls::messages::{CreateRoom, Created};
use contract::calls::users::UsersByName;
use contract::{Answer, Caller, Code, Refusal, RoomId, RoomKind, UserCaller, UserId, Username};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Answer<CreateRoom> for Messages {
    async fn answer(&self, who: &Caller, call: CreateRoom) -> Result<Created, Refusal> {
        let who = who.user()?;
        self.names.learn(who.id, &who.username);
        let most = self.settings.room_usernames;
        if most > 0 && call.usernames.len() > most {
            return Err(Refusal::invalid(
                "usernames",
                format!("a room is created with at most {most} usernames; add the others afterwards"),
            ));
        }
        let others: BTreeSet<Username> = call.usernames.iter().filter(|name| **name != who.username).cloned().collect();
        let kind = kind_of(&call, &others)?;
        let most = self.settings.room_members;
        if most > 0 && i64::try_from(others.len()).unwrap_or(i64::MAX) >= most {
            return Err(Refusal::invalid("usernames", format!("a room has at most {most} members")));
        }
        let request = request(kind, &call, &others);
        let others = self.ids(who, others).await?;
        let nonce = call.nonce.map(String::from);
        let pair = match (kind, others.first()) {
            (RoomKind::Direct, Some(other)) => Some(pair(who.id, *other)),
            _ => None,
        };
        // A pair or a nonce is unique, so it chooses the partition: one writer alone decides about it.
        let key = match (&pair, &nonce) {
            (Some(pair), _) => Some(pair.clone()),
            (None, Some(nonce)) => Some([who.id.bytes().as_slice(), nonce.as_bytes()].concat()),
            (None, None) => None,
        };
        let operation = Create {
            id: self.partitions.new_room(key.as_deref()),
            creator: who.id,
            kind,
            request,
            others,
            pair,
            name: call.name.map(String::from),
            nonce,
            limits: Arc::clone(&self.limits),
            token: RateLimitToken::default(),
        };
        let (room, created) = self.writer()?.write(operation).await?;
        match self.room_for(who, room).await {
            Ok(room) => Ok(Created { room, created }),
            // The creator has left the room since, and may see no more of it than any other non-member.
            Err(refusal) if !created && refusal.code == Code::NotFound => {
                let detail = "this nonce created a room that you are not in any more; use a new one for a new room";
                Err(Refusal::not_found(detail).about("nonce"))
            }
            Err(refusal) => Err(refusal),
        }
    }
}

impl Messages {
    /// The ids of these users, in the order of their names.
    async fn ids(&self, who: &UserCaller, usernames: BTreeSet<Username>) -> Result<Vec<UserId>, Refusal> {
        if usernames.is_empty() {
            return Ok(Vec::new());
        }
        let mut missing = usernames.clone();
        let mut found = self.bus.ask(&Caller::service("messages"), UsersByName { usernames: usernames.into_iter().collect() }).await?;
        found.sort_by(|a, b| a.username.cmp(&b.username));
        for user in &found {
            missing.remove(&user.username);
            self.names.learn(user.id, &user.username);
        }
        if missing.is_empty() {
            return Ok(found.into_iter().map(|user| user.id).filter(|id| *id != who.id).collect());
        }
        let missing: Vec<_> = missing.iter().map(Username::as_str).collect();
        Err(Refusal::not_found(format!("no such user: {}", missing.join(", "))).about("usernames"))
    }
}

/// The kind of room that the call asks for, or why there cannot be such a room.
fn kind_of(call: &CreateRoom, others: &BTreeSet<Username>) -> Result<RoomKind, Refusal> {
    let implied = if others.len() == 1 && call.name.is_none() { RoomKind::Direct } else { RoomKind::Group };
    let kind = call.kind.unwrap_or(implied);
    match kind {
        RoomKind::Direct if others.len() != 1 => Err(Refusal::invalid("usernames", "a direct room is for you and exactly one other user")),
        RoomKind::Direct if call.name.is_some() => Err(Refusal::invalid("name", "a direct room has no name; a named room is a group")),
        RoomKind::Channel if call.name.is_none() => Err(Refusal::invalid("name", "a channel needs a name")),
        RoomKind::Group if call.name.is_none() && others.is_empty() => {
            Err(Refusal::invalid("usernames", "name somebody else, or give the room a name"))
        }
        _ => Ok(kind),
    }
}

/// A hash of the request, to tell a retry from another request with the same nonce.
fn request(kind: RoomKind, call: &CreateRoom, others: &BTreeSet<Username>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(kind.as_str());
    // No username and no name holds a NUL, so it can separate the parts.
    for part in std::iter::once(call.name.as_ref().map_or("", |name| name.as_str())).chain(others.iter().map(Username::as_str)) {
        hash.update([0]);
        hash.update(part);
    }
    hash.finalize().to_vec()
}

struct Create {
    id: RoomId,
    creator: UserId,
    kind: RoomKind,
    /// The other members, at first.
    others: Vec<UserId>,
    /// The two of a direct room.
    pair: Option<Vec<u8>>,
    name: Option<String>,
    nonce: Option<String>,
    request: Vec<u8>,
    limits: Arc<Limits>,
    token: RateLimitToken,
}

impl Operation for Create {
    /// The room, and whether this created it.
    type Done = (RoomId, bool);

    fn room(&self) -> RoomId {
        self.id
    }

    fn needs(&self) -> Needs {
        let room_nonce = self.nonce.clone().map(|nonce| (self.creator, nonce));
        Needs { room_nonce, pair: self.pair.clone(), ..Needs::default() }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<Self::Done, Denied> {
        if let Some(room) = self.earlier(batch).await? {
            return Ok((room, false));
        }
        if let Err(wait) = self.token.take(&self.limits.rooms, self.creator) {
            metrics::counter!("guild_rate_limited_total", "what" => "create_room").increment(1);
            return Err(Refusal::rate_limited("you create rooms too fast; wait a little", wait).into());
        }
        let room = RoomRow {
            id: self.id,
            kind: self.kind,
            name: self.name.clone(),
            owner: self.creator,
            created_at: batch.now(),
            member_count: 0,
            topic: None,
            metadata: None,
            rev: 0,
        };
        let request = self.nonce.is_some().then(|| self.request.clone());
        batch.create(NewRoom { room, pair: self.pair.clone(), nonce: self.nonce.clone(), request });
        for member in std::iter::once(&self.creator).chain(&self.others) {
            batch.enter(self.id, self.creator, *member, false).await?;
        }
        batch.save(self.id);
        Ok((self.id, true))
    }
}

impl Create {
    /// The room that exists already: that of an earlier call with this nonce, or the pair's. Refused if the earlier call was another request.
    async fn earlier(&self, batch: &mut Batch<'_>) -> Result<Option<RoomId>, Denied> {
        let earlier = match &self.nonce {
            Some(nonce) => batch.rooms_of_nonce(self.creator, nonce).await?,
            None => Vec::new(),
        };
        if !earlier.is_empty() {
            self.give_token_back();
            if let Some(same) = earlier.iter().find(|earlier| earlier.request == self.request) {
                return Ok(Some(same.room));
            }
            let detail = "this nonce created another room; use a new one for a new room";
            return Err(Refusal::new(Code::NonceConflict, detail).about("nonce").into());
        }
        let Some(pair) = &self.pair else { return Ok(None) };
        let room = batch.room_of_pair(pair).await?;
        if room.is_some() {
            self.give_token_back();
        }
        Ok(room)
    }

    /// Gives back the token of an earlier attempt: another server has created the room since.
    fn give_token_back(&self) {
        self.token.give_back(&self.limits.rooms, self.creator);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(usernames: &[&str], name: Option<&str>, kind: Option<RoomKind>) -> Result<RoomKind, Option<String>> {
        let usernames: Vec<Username> = usernames.iter().map(|name| (*name).try_into().unwrap()).collect();
        let others = usernames.iter().cloned().collect();
        let call = CreateRoom { usernames, name: name.map(|name| name.try_into().unwrap()), kind, nonce: None };
        kind_of(&call, &others).map_err(|refusal| refusal.field)
    }

    #[test]
    fn the_kind_follows_from_who_and_what() {
        use RoomKind::{Channel, Direct, Group};
        let field = |name: &str| Err(Some(name.to_owned()));
        assert_eq!(call(&["b"], None, None), Ok(Direct));
        assert_eq!(call(&["b"], Some("x"), None), Ok(Group));
        assert_eq!(call(&["b"], None, Some(Group)), Ok(Group));
        assert_eq!(call(&["b", "c"], None, None), Ok(Group));
        assert_eq!(call(&[], Some("x"), None), Ok(Group));
        assert_eq!(call(&[], Some("x"), Some(Channel)), Ok(Channel));
        assert_eq!(call(&["b"], Some("x"), Some(Channel)), Ok(Channel));
        assert_eq!(call(&[], None, None), field("usernames"));
        assert_eq!(call(&[], None, Some(Direct)), field("usernames"));
        assert_eq!(call(&["b", "c"], None, Some(Direct)), field("usernames"));
        assert_eq!(call(&["b"], Some("x"), Some(Direct)), field("name"));
        assert_eq!(call(&[], None, Some(Channel)), field("name"));
    }
}
