//! The mentions that come with a send or an edit: read before the writer's transaction, judged in it.

use crate::access;
use crate::extra::MentionIds;
use crate::service::Messages;
use crate::store::log::LogRow;
use crate::writer::{Batch, Denied};
use contract::message::{MOST_MENTIONED, Mentions};
use contract::{Refusal, RoomId, UserCaller, UserId};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenMentions {
    pub ids: MentionIds,
    /// Whether a name is no user's.
    has_unknown: bool,
}

impl Messages {
    /// Finds the users that a request mentions.
    pub(crate) async fn given_mentions(&self, who: &UserCaller, mentions: Mentions) -> Result<GivenMentions, Refusal> {
        let Mentions { users, room } = mentions;
        if users.len() > MOST_MENTIONED {
            let detail = format!("a message mentions at most {MOST_MENTIONED} users by name, these are {}", users.len());
            return Err(Refusal::invalid("mentions", detail));
        }
        let (users, unknown) = if users.is_empty() { (Vec::new(), Vec::new()) } else { self.users_named(who, users).await? };
        Ok(GivenMentions { ids: MentionIds { users, room }, has_unknown: !unknown.is_empty() })
    }
}

impl GivenMentions {
    /// Whom the message will mention, and whether the mention of everybody was dropped, because the sender may not. Whom it mentions already
    /// it may go on to mention, so that an edit can be repeated after somebody has left.
    pub(crate) async fn judged(
        &self,
        batch: &mut Batch<'_>,
        room: RoomId,
        sender: UserId,
        before: &MentionIds,
    ) -> Result<(MentionIds, bool), Denied> {
        let no_member = || Refusal::invalid("mentions", "a message mentions members of its room; one of these names is no member's");
        if self.has_unknown {
            return Err(no_member().into());
        }
        for user in self.ids.users.iter().filter(|user| !before.users.contains(user)) {
            if !batch.member(room, *user).await?.is_some_and(|member| member.active) {
                return Err(no_member().into());
            }
        }
        let mut ids = self.ids.clone();
        let mut dropped = false;
        if ids.room
            && !before.room
            && let Some(state) = batch.room(room).await?
            && !access::mention_everybody(state.member_count, state.owner == sender)
        {
            (ids.room, dropped) = (false, true);
        }
        Ok((ids, dropped))
    }
}

/// Whoever is mentioned in a thread follows it, from its first message on. `last` is the thread's newest message.
pub(crate) fn follow_of_mentioned(batch: &mut Batch<'_>, message: &LogRow, mentioned: &MentionIds, last: i64) {
    let Some(place) = message.thread else { return };
    for user in mentioned.users.iter().filter(|user| **user != message.actor) {
        batch.thread_changes().stand((message.room, place.root, *user), None, 0, last);
    }
}
