//! A room's members, the longest-standing first.

use crate::access;
use crate::request::after_member;
use crate::service::Messages;
use crate::store::{members, rooms};
use contract::calls::messages::ListMembers;
use contract::calls::users::UsersById;
use contract::{Answer, Caller, Page, Refusal, User, UserId};
use std::collections::HashMap;

impl Answer<ListMembers> for Messages {
    async fn answer(&self, who: &Caller, call: ListMembers) -> Result<Page<User>, Refusal> {
        let reader = who.user()?.id;
        let after = after_member(call.after)?;
        let (room, limit) = (call.room, call.limit);
        let found = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let Some(row) = rooms::find(tx, room).await? else { return Ok(None) };
                    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
                    Ok(Some((row.kind, is_member, members::by_age(tx, room, after, limit.and_one()).await?)))
                })
            })
            .await?;
        let (kind, is_member, members) = found.ok_or_else(Refusal::no_room)?;
        access::member_only(kind, is_member)?;
        let page = Page::cut(members, limit, |(since, member)| format!("{since}.{member}"));
        let ids: Vec<UserId> = page.items.iter().map(|(_, member)| *member).collect();
        let users = self.bus.ask(&Caller::service("messages"), UsersById { ids: ids.clone(), brief: false }).await?;
        let mut users: HashMap<UserId, User> = users.into_iter().map(|user| (user.id, user)).collect();
        Ok(Page { items: ids.into_iter().filter_map(|id| users.remove(&id)).collect(), next: page.next })
    }
}
