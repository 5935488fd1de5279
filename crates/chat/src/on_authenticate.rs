//! `authenticate`: a socket says who it is. The acknowledgement comes first, then what was missed, then `ready`.

use crate::client::Proven;
use crate::events::{self, Event, read};
use crate::line::Line;
use crate::outbound::{Outbound, cut_slow, tell_why};
use crate::resume::{Resume, Stop};
use contract::wire::{Authenticate, AuthenticateAck, client};
use contract::{Code, Refusal};
use socketio::Incoming;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection stays open after it was told why it ends. python-socketio's `connect()` looks at the connection a moment after
/// CONNECT was answered; if it is gone by then, the call fails and the client does not come back.
const HEARD: Duration = Duration::from_millis(250);

/// The first one of a connection, which holds all later events until it is answered.
pub(crate) fn first(line: Line, event: Incoming) {
    events::start_while_open(Arc::clone(&line.conn), async move {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            match authenticate(&line, &event).await {
                Ok((proven, cursor)) => {
                    line.answer(event.ack, Ok(AuthenticateAck { user: proven.user().clone() }));
                    return settle(&line, &proven, cursor).await;
                }
                Err(refusal) => {
                    line.refuse(event.ack, refusal);
                    next = next_authenticate(&line);
                }
            }
        }
    });
}

/// Another one, by somebody who is known: fine as oneself, and from then on the socket lives by the newer token.
pub(crate) async fn again(event: Event, shown: Authenticate) -> Result<AuthenticateAck, Refusal> {
    let Event { line, known, .. } = event;
    let proven = line.gateway.prove(line.address(), &shown).await?.ok_or_else(no_token)?;
    if proven.user().id != known.user.id {
        return Err(Refusal::conflict(format!("this socket is {}'s; open another one for another user", known.user.username)));
    }
    let session = &proven.session;
    if line.gateway.registry.renew(known.user.id, line.client.key, session.token, session.expires_at) {
        line.client.renew(&proven);
    }
    if let Err(refusal) = line.gateway.must_still_hold(&proven).await {
        cut(&line, &refusal);
        return Err(refusal);
    }
    Ok(AuthenticateAck { user: session.user.clone() })
}

/// Somebody has been proven by the `auth` of CONNECT.
pub(crate) async fn at_connect(line: Line, proven: Proven, cursor: Option<String>) {
    let out: Arc<dyn Outbound> = line.conn.clone();
    match line.gateway.admit(&line.client, &proven, out).await {
        Ok(()) => settle(&line, &proven, cursor).await,
        Err(refusal) => cut(&line, &refusal),
    }
}

async fn authenticate(line: &Line, event: &Incoming) -> Result<(Proven, Option<String>), Refusal> {
    line.gateway.must_not_drain()?;
    let shown: Authenticate = read(event)?;
    let proven = line.gateway.prove(line.address(), &shown).await?.ok_or_else(no_token)?;
    let out: Arc<dyn Outbound> = line.conn.clone();
    line.gateway.admit(&line.client, &proven, out).await?;
    Ok((proven, shown.cursor))
}

/// Answers what was held, then serves the socket until it is live.
async fn settle(line: &Line, proven: &Proven, cursor: Option<String>) {
    let user = proven.user();
    tracing::debug!(conn = line.conn.id(), user = %user.username, resumes = cursor.is_some(), "authenticated");
    while let Some((known, event)) = line.client.next_held(proven) {
        events::answer(line.clone(), known, event);
    }
    let resume = Resume { gateway: Arc::clone(&line.gateway), user: user.clone(), key: line.client.key, out: line.conn.clone() };
    match resume.run(cursor).await {
        Ok(()) => tracing::debug!(conn = line.conn.id(), user = %user.username, "live"),
        Err(Stop::Gone) => {}
        Err(Stop::Slow) => cut_slow(&*line.conn),
        Err(Stop::Failed(refusal)) => cut(line, &refusal),
    }
}

/// What could not be served now may be tried again at once; who is not let in must not.
pub(crate) fn cut(line: &Line, refusal: &Refusal) {
    if refusal.code == Code::Unauthenticated {
        return crate::outbound::cut_for(&*line.conn, refusal);
    }
    if refusal.code == Code::RateLimited {
        tracing::debug!(conn = line.conn.id(), %refusal, "refused a connection; it may come back a little later");
    } else {
        tracing::warn!(conn = line.conn.id(), %refusal, "a connection could not be served and is cut; it may come back at once");
    }
    tell_why(&*line.conn, refusal);
    let conn = Arc::clone(&line.conn);
    events::start_while_open(Arc::clone(&conn), async move {
        tokio::time::sleep(HEARD).await;
        conn.hang_up(crate::cut::FAILED);
    });
}

/// Refuses what was held for nobody, up to the next attempt to authenticate.
fn next_authenticate(line: &Line) -> Option<Incoming> {
    while let Some(event) = line.client.next_held_of_nobody() {
        if event.name == client::AUTHENTICATE {
            return Some(event);
        }
        line.refuse(event.ack, Refusal::unauthenticated());
    }
    None
}

fn no_token() -> Refusal {
    Refusal::invalid("token", "token: it is needed (the one that a login gave)")
}
