//! A page of a room's messages, by seq, ascending.

use crate::access;
use crate::service::Messages;
use crate::store::{log, members, present, rooms};
use contract::calls::messages::History;
use contract::{Answer, Caller, Message, Page, Refusal};

impl Answer<History> for Messages {
    async fn answer(&self, who: &Caller, call: History) -> Result<Page<Message>, Refusal> {
        let reader = who.user()?.id;
        if call.before.is_some() && call.after.is_some() {
            return Err(Refusal::invalid("after", "give before or after, not both"));
        }
        for (field, seq) in [("before", call.before), ("after", call.after)] {
            if seq.is_some_and(|seq| seq < 0) {
                return Err(Refusal::invalid(field, format!("{field} is a seq: a whole number, 0 or more")));
            }
        }
        let History { room, before, after, limit } = call;
        let found = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let Some(row) = rooms::find(tx, room).await? else { return Ok(None) };
                    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
                    if !is_member {
                        return Ok(Some((row.kind, false, Vec::new(), 0)));
                    }
                    let newest = log::head(tx, room).await?.map_or(0, |head| head.newest);
                    let mut rows = match after {
                        Some(after) => log::messages_after(tx, room, after, i64::from(limit)).await?,
                        None => {
                            let mut rows = log::messages_before(tx, room, before.unwrap_or(i64::MAX), i64::from(limit)).await?;
                            rows.reverse();
                            rows
                        }
                    };
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok(Some((row.kind, true, rows, newest)))
                })
            })
            .await?;
        let (kind, is_member, rows, newest) = found.ok_or_else(Refusal::no_room)?;
        access::member_only(kind, is_member)?;
        // Whichever way the page was asked for, `after=next` brings what follows it.
        let next = rows.last().and_then(|row| row.seq).filter(|last| *last < newest).map(|last| last.to_string());
        Ok(Page { items: self.resolver.messages(rows, reader).await?, next })
    }
}
