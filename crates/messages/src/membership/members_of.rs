//! The members of several rooms at once.

use crate::access;
use crate::request::{after_member, at_most};
use crate::service::Messages;
use crate::store::sets;
use contract::calls::messages::{MembersOf, OfRoom};
use contract::calls::users::UsersById;
use contract::{Answer, Caller, Limit, Placed, Refusal, User, UserId};
use std::collections::{BTreeSet, HashMap};

/// Most users that `UsersById` takes.
const AT_ONCE: usize = 1_000;

/// Most members in one answer, of all rooms together: 100 of 100 rooms, which are some 3 MB. With more rooms the pages are shorter.
const MEMBERS: i64 = 10_000;

/// How many members each of so many rooms gets.
fn of_each(limit: Limit, rooms: usize) -> Limit {
    let share = MEMBERS / i64::try_from(rooms.max(1)).unwrap_or(i64::MAX);
    Limit::try_from(i64::from(limit).min(share).max(1)).unwrap_or(limit)
}

impl Answer<MembersOf> for Messages {
    async fn answer(&self, who: &Caller, call: MembersOf) -> Result<Vec<OfRoom<Placed<User>>>, Refusal> {
        let reader = who.user()?.id;
        at_most(1_000, &call.rooms)?;
        let after = after_member(call.after)?;
        let limit = of_each(call.limit, call.rooms.len());
        let pairs: Vec<_> = call.rooms.iter().map(|room| (*room, reader)).collect();
        let (rooms, members) = self
            .db
            .read_slowly(move |tx| {
                Box::pin(async move {
                    let rooms = sets::rooms_for_readers(tx, &pairs).await?;
                    Ok((rooms, sets::members(tx, &pairs, after, limit.get() + 1).await?))
                })
            })
            .await?;
        let found: Vec<_> = rooms
            .into_iter()
            .zip(members)
            .map(|(room, members)| {
                let room = room.ok_or_else(Refusal::no_room)?;
                access::member_only(room.row.kind, room.read.is_some())?;
                Ok(Placed::cut(members, limit, |(since, member)| format!("{since}.{member}")))
            })
            .collect();
        let ids: BTreeSet<UserId> = found.iter().flatten().flat_map(|page| &page.items).map(|(_, (_, member))| *member).collect();
        let mut users: HashMap<UserId, User> = HashMap::with_capacity(ids.len());
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(AT_ONCE) {
            let some = self.bus.ask(&Caller::service("messages"), UsersById { ids: ids.to_vec(), brief: true }).await?;
            users.extend(some.into_iter().map(|user| (user.id, user)));
        }
        let page = |page: Placed<(i64, UserId)>| Placed {
            items: page.items.into_iter().filter_map(|(place, (_, member))| Some((place, users.get(&member)?.clone()))).collect(),
            more: page.more,
        };
        Ok(call.rooms.into_iter().zip(found).map(|(room, found)| OfRoom { room, answer: found.map(page) }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rooms_share_the_bound() {
        let each = |limit, rooms| i64::from(of_each(Limit::try_from(limit).unwrap(), rooms));
        assert_eq!([each(100, 0), each(100, 100), each(7, 1_000), each(50, 1_000), each(100, 1_000_000)], [100, 100, 7, 10, 1]);
    }
}
