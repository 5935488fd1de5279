//! One message.

use crate::amend::{no_message, read_target};
use crate::service::Messages;
use crate::store::log::LogRow;
use crate::store::present;
use contract::calls::messages::GetMessage;
use contract::{Answer, Caller, Message, Refusal, UserId};
use std::sync::Arc;

impl Answer<GetMessage> for Messages {
    async fn answer(&self, who: &Caller, call: GetMessage) -> Result<Message, Refusal> {
        let reader = who.user()?.id;
        let GetMessage { room, seq } = call;
        let row = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let target = match read_target(tx, room, reader, seq).await? {
                        Ok(target) => target,
                        Err(refusal) => return Ok(Err(refusal)),
                    };
                    let mut rows = [Arc::unwrap_or_clone(target.message)];
                    present::attach_for(tx, &mut rows, reader).await?;
                    Ok(Ok(rows))
                })
            })
            .await??;
        self.resolver.messages(row.into(), reader).await?.pop().ok_or_else(no_message)
    }
}

impl Messages {
    /// A message as a change has left it, for the one who made the change.
    pub(crate) async fn message_after(&self, row: Arc<LogRow>, reader: UserId) -> Result<Message, Refusal> {
        let mut rows = [Arc::unwrap_or_clone(row)];
        if rows.iter().any(|row| row.state().is_some_and(|state| !state.reactions.is_empty())) {
            let read = self.db.read(move |tx| {
                Box::pin(async move {
                    present::attach_own_reactions(tx, rows.iter_mut().map(|row| (reader, row))).await?;
                    Ok(rows)
                })
            });
            rows = read.await?;
        }
        self.resolver.messages(rows.into(), reader).await?.pop().ok_or_else(no_message)
    }
}
