//! What a message said, version by version.

use super::target::read_target;
use crate::access;
use crate::extra::Extra;
use crate::service::Messages;
use crate::store::log::{self, LogRow};
use contract::calls::messages::Versions;
use contract::message::Version;
use contract::{Answer, Caller, Refusal};

/// A message has as many edits at the most ([`super::edit`]), but an older program may have had another bound.
const MOST: i64 = 1_000;

impl Answer<Versions> for Messages {
    async fn answer(&self, who: &Caller, call: Versions) -> Result<Vec<Version>, Refusal> {
        let reader = who.user()?.id;
        let Versions { room, seq } = call;
        let rows = self
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let target = match read_target(tx, room, reader, seq).await? {
                        Ok(target) => target,
                        Err(refusal) => return Ok(Err(refusal)),
                    };
                    if let Err(refusal) = access::versions(target.kind, target.message.actor == reader, target.is_owner) {
                        return Ok(Err(refusal));
                    }
                    Ok(Ok(log::versions(tx, (room, seq), MOST).await?))
                })
            })
            .await??;
        // A deleted message has no texts any more.
        rows.into_iter().filter(|row| row.payload.is_some()).map(version).collect()
    }
}

fn version(row: LogRow) -> Result<Version, Refusal> {
    let Extra { format, metadata, .. } = Extra::read(row.extra.as_deref());
    let body = row.payload.unwrap_or_default().try_into();
    let body = body.map_err(|why| edge::incident(&format!("the row at position {} breaks the rules: {why}", row.position)))?;
    Ok(Version { body, format, metadata, rev: row.seq.unwrap_or(0), at: row.created_at })
}
