//! The members of several rooms at once.

use crate::access;
use crate::get_rooms::at_most_1000;
use crate::list_channels::bad_after;
use crate::list_members::place;
use crate::service::Messages;
use crate::store::sets;
use contract::calls::messages::{MembersOf, OfRoom};
use contract::calls::users::UsersById;
use contract::{Answer, Caller, Placed, Refusal, User, UserId};
use std::collections::{BTreeSet, HashMap};

/// How many users one call asks for (the call's own bound).
const AT_ONCE: usize = 1_000;

impl Answer<MembersOf> for Messages {
    async fn answer(&self, who: &Caller, call: MembersOf) -> Result<Vec<OfRoom<Placed<User>>>, Refusal> {
        let reader = who.user()?.id;
        at_most_1000(&call.rooms)?;
        let after = call.after.map(|text| place(&text).ok_or_else(bad_after)).transpose()?;
        let limit = call.limit;
        let pairs: Vec<_> = call.rooms.iter().map(|room| (*room, reader)).collect();
        let (standings, members) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let standings = sets::standings(tx, &pairs).await?;
                    Ok((standings, sets::members(tx, &pairs, after, limit.get() + 1).await?))
                })
            })
            .await?;
        let found: Vec<_> = standings
            .into_iter()
            .zip(members)
            .map(|(standing, members)| {
                let standing = standing.ok_or_else(Refusal::no_room)?;
                access::member_only(standing.row.kind, standing.read.is_some())?;
                Ok(Placed::cut(members, limit, |(since, member)| format!("{since}.{member}")))
            })
            .collect();
        let ids: BTreeSet<UserId> = found.iter().flatten().flat_map(|page| &page.items).map(|(_, (_, member))| *member).collect();
        let mut users: HashMap<UserId, User> = HashMap::with_capacity(ids.len());
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            let some = self.bus.ask(&Caller::service("messages"), UsersById { ids: ids.to_vec() }).await?;
            users.extend(some.into_iter().map(|user| (user.id, user)));
        }
        let page = |page: Placed<(i64, UserId)>| Placed {
            items: page.items.into_iter().filter_map(|(place, (_, member))| Some((place, users.get(&member)?.clone()))).collect(),
            more: page.more,
        };
        Ok(call.rooms.into_iter().zip(found).map(|(room, found)| OfRoom { room, answer: found.map(page) }).collect())
    }
}
