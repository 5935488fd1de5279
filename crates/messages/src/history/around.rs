//! Messages of a room around a seq.

use crate::access;
use crate::service::Messages;
use crate::store::{log, members, present, rooms};
use contract::calls::messages::{Around, HistoryPage};
use contract::{Answer, Caller, Patch, Refusal};

impl Answer<Around> for Messages {
    async fn answer(&self, who: &Caller, call: Around) -> Result<HistoryPage, Refusal> {
        let reader = who.user()?.id;
        if call.seq < 0 {
            return Err(Refusal::invalid("around", "around is a seq: a whole number, 0 or more"));
        }
        let Around { room, seq, limit } = call;
        let (rows, has_earlier, newest) = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let Some(row) = rooms::find(tx, room).await? else { return Ok(Err(Refusal::no_room())) };
                    let is_member = members::find(tx, room, reader).await?.is_some_and(|member| member.active);
                    if let Err(refusal) = access::member_only(row.kind, is_member) {
                        return Ok(Err(refusal));
                    }
                    let newest = log::head(tx, room).await?.map_or(0, |head| head.newest);
                    let half = i64::from(limit) / 2;
                    let mut rows = log::messages_before(tx, room, seq, half + 1).await?;
                    let has_earlier = rows.len() as i64 > half;
                    rows.truncate(usize::try_from(half).unwrap_or(0));
                    rows.reverse();
                    let rest = i64::from(limit) - rows.len() as i64;
                    rows.extend(log::messages_after(tx, room, seq - 1, rest).await?);
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok(Ok((rows, has_earlier, newest)))
                })
            })
            .await??;
        let before = rows.first().and_then(|row| row.seq).filter(|_| has_earlier).map_or(Patch::Clear, Patch::Set);
        let next = rows.last().and_then(|row| row.seq).filter(|last| *last < newest).map(|last| last.to_string());
        Ok(HistoryPage { items: self.resolver.messages(rows, reader).await?, before, next })
    }
}
