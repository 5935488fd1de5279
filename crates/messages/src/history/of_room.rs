//! A page of the messages of a room or of a thread, by seq, ascending.

use super::pages::Pages;
use crate::membership::must_be_member;
use crate::service::Messages;
use crate::store::present;
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
        let History { room, before, after, thread, limit } = call;
        let (rows, last) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    if let Err(refusal) = must_be_member(tx, room, reader).await? {
                        return Ok(Err(refusal));
                    }
                    let pages = match Pages::of(tx, room, thread).await? {
                        Ok(pages) => pages,
                        Err(refusal) => return Ok(Err(refusal)),
                    };
                    let mut rows = match after {
                        Some(after) => pages.after(tx, after, i64::from(limit)).await?,
                        None => {
                            let mut rows = pages.before(tx, before.unwrap_or(i64::MAX), i64::from(limit)).await?;
                            rows.reverse();
                            rows
                        }
                    };
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok(Ok((rows, pages.last())))
                })
            })
            .await??;
        // Whichever way the page was asked for, `after=next` brings what follows it.
        let next = rows.last().and_then(|row| row.seq).filter(|seq| *seq < last).map(|last| last.to_string());
        Ok(Page { items: self.resolver.messages(rows, reader).await?, next })
    }
}
