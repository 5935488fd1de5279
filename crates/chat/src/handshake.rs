//! From a connection to a live socket: a user authenticates, by the `auth` of CONNECT or by the first `authenticate`. The acknowledgement
//! comes first, then what was missed, then `ready`.

use crate::authenticated_user::VerifiedSession;
use crate::connection::Connection;
use crate::cut::{cut_slow, cut_unserved};
use crate::dispatch::dispatch;
use crate::event::read;
use crate::on_authenticate::no_token;
use crate::resume::{Resume, Stop};
use crate::start::start_while_open;
use crate::transport::Transport;
use contract::wire::{Authenticate, AuthenticateAck, client};
use contract::{Refusal, Warning};
use socketio::Incoming;
use std::sync::Arc;

/// The first `authenticate` of a connection, which holds all later events until it is answered.
pub(crate) fn authenticate_first(connection: Connection, event: Incoming) {
    start_while_open(Arc::clone(&connection.conn), async move {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            match authenticate(&connection, &event).await {
                Ok((verified, cursor, warnings)) => {
                    connection.answer(event.ack, Ok(AuthenticateAck { user: verified.user().clone() }), warnings);
                    return go_live(&connection, &verified, cursor).await;
                }
                Err(refusal) => {
                    connection.refuse(event.ack, refusal);
                    next = next_authenticate(&connection);
                }
            }
        }
    });
}

/// The `auth` of CONNECT has been verified.
pub(crate) async fn authenticated_at_connect(connection: Connection, verified: VerifiedSession, cursor: Option<String>) {
    let transport: Arc<dyn Transport> = connection.conn.clone();
    match connection.gateway.register(&connection.state, &verified, transport).await {
        Ok(()) => go_live(&connection, &verified, cursor).await,
        Err(refusal) => cut_unserved(&connection.conn, &refusal),
    }
}

async fn authenticate(connection: &Connection, event: &Incoming) -> Result<(VerifiedSession, Option<String>, Vec<Warning>), Refusal> {
    connection.gateway.must_not_drain()?;
    let (shown, warnings) = read::<Authenticate>(event)?;
    let verified = connection.gateway.verify(connection.address(), &shown).await?.ok_or_else(no_token)?;
    let transport: Arc<dyn Transport> = connection.conn.clone();
    connection.gateway.register(&connection.state, &verified, transport).await?;
    Ok((verified, shown.cursor, warnings))
}

/// Answers what was held, then serves the socket until it is live.
async fn go_live(connection: &Connection, verified: &VerifiedSession, cursor: Option<String>) {
    let (conn, user) = (&connection.conn, verified.user());
    tracing::debug!(conn = conn.id(), user = %user.username, resumes = cursor.is_some(), "authenticated");
    while let Some((user, event)) = connection.state.next_held(verified) {
        dispatch(connection.clone(), user, event);
    }
    let (gateway, transport) = (Arc::clone(&connection.gateway), Arc::clone(conn));
    let resume = Resume { gateway, user: user.clone(), key: connection.state.key, transport };
    match resume.run(cursor).await {
        Ok(()) => tracing::debug!(conn = conn.id(), user = %user.username, "live"),
        Err(Stop::Gone) => {}
        Err(Stop::Slow) => cut_slow(&**conn),
        Err(Stop::Failed(refusal)) => cut_unserved(conn, &refusal),
    }
}

/// Refuses the held events up to the next attempt to authenticate.
fn next_authenticate(connection: &Connection) -> Option<Incoming> {
    while let Some(event) = connection.state.next_held_unauthenticated() {
        if event.name == client::AUTHENTICATE {
            return Some(event);
        }
        connection.refuse(event.ack, Refusal::unauthenticated());
    }
    None
}
