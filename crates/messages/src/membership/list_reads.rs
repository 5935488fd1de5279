//! The read marks of a room's members, the longest-standing first.

use super::must_be_member;
use crate::access;
use crate::request::after_member;
use crate::service::Messages;
use crate::store::members;
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
                    let may = must_be_member(tx, room, reader).await?.and_then(|row| access::reads(row.member_count));
                    if let Err(refusal) = may {
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
