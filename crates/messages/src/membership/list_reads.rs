//! The read marks of a room's members, the longest-standing first.

use crate::access;
use crate::request::after_member;
use crate::service::Messages;
use crate::store::{members, rooms};
use contract::calls::messages::{ListReads, MemberRead};
use contract::{Answer, Caller, Page, Refusal};

impl Answer<ListReads> for Messages {
    async fn answer(&self, who: &Caller, call: ListReads) -> Result<Page<MemberRead>, Refusal> {
        let reader = who.user()?.id;
        let after = after_member(call.after)?;
        let (room, limit) = (call.room, call.limit);
        let marks = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let Some(row) = rooms::find(tx, room).await? else { return Ok(Err(Refusal::no_room())) };
                    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
                    if let Err(refusal) = access::member_only(row.kind, is_member).and_then(|()| access::reads(row.member_count)) {
                        return Ok(Err(refusal));
                    }
                    members::reads_by_age(tx, room, after, limit.and_one()).await.map(Ok)
                })
            })
            .await??;
        let page = Page::cut(marks, limit, |((since, member), _)| format!("{since}.{member}"));
        let names = self.names.of(page.items.iter().map(|((_, member), _)| *member).collect()).await?;
        let mark = |((_, member), read)| Ok(MemberRead { username: names.name(member)?, read });
        Ok(Page { items: page.items.into_iter().map(mark).collect::<Result<_, Refusal>>()?, next: page.next })
    }
}
