//! Messages of a room or of a thread around a seq.

use super::pages::Pages;
use crate::membership::must_be_member;
use crate::service::Messages;
use crate::store::present;
use contract::calls::messages::{Around, HistoryPage};
use contract::{Answer, Caller, Patch, Refusal};

impl Answer<Around> for Messages {
    async fn answer(&self, who: &Caller, call: Around) -> Result<HistoryPage, Refusal> {
        let reader = who.user()?.id;
        if call.seq < 0 {
            return Err(Refusal::invalid("around", "around is a seq: a whole number, 0 or more"));
        }
        let Around { room, seq, thread, limit } = call;
        let (rows, has_earlier, newest) = self
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
                    let half = i64::from(limit) / 2;
                    let mut rows = pages.before(tx, seq, half + 1).await?;
                    let has_earlier = rows.len() as i64 > half;
                    rows.truncate(usize::try_from(half).unwrap_or(0));
                    rows.reverse();
                    let rest = i64::from(limit) - rows.len() as i64;
                    rows.extend(pages.after(tx, seq - 1, rest).await?);
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok(Ok((rows, has_earlier, pages.last())))
                })
            })
            .await??;
        let before = rows.first().and_then(|row| row.seq).filter(|_| has_earlier).map_or(Patch::Clear, Patch::Set);
        let next = rows.last().and_then(|row| row.seq).filter(|last| *last < newest).map(|last| last.to_string());
        Ok(HistoryPage { items: self.resolver.messages(rows, reader).await?, before, next })
    }
}
