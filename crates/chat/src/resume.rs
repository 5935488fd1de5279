//! From a registered socket to a live one: first everything that it missed, at its own pace, then `ready`, then live events. Each event
//! comes exactly once and in order, because of this:
//!
//! - a replay never reads past what has been delivered, so the replay has sent none of the live events;
//! - the log's position and the socket's delivery state change together, under the registry's lock;
//! - nothing is read only where the registry has seen every entry since the cursor, and none was for this user;
//! - the last part of a replay ends at a fixed position, and the entries after it are held for this socket.
//!
//! What has changed of the user's own state and read marks since the cursor comes with `ready`. It is read while the socket holds what is told, so a
//! change is in the one or in the other, or in both. The cursors that come before `ready` say so (`client_cursor`).

use crate::client_cursor::{self, OwnSince};
use crate::delivery::{Delivery, Reached};
use crate::encode::{Frames, frame};
use crate::gateway::Gateway;
use crate::registry::{Key, LiveOutcome};
use crate::transport::Transport;
use contract::calls::messages::{Heads, Missed, ReadMissed};
use contract::calls::state::{Mark, StateNews, StateSince};
use contract::wire::{Ready, Resync, ServerInfo, StateChanged, server};
use contract::{Cursor, Refusal, User, UserRef};
use socketio::{Frame, SendError};
use std::sync::Arc;
use std::time::Duration;

/// How many entries are read at once.
const PAGE: u16 = 200;
/// A page is read, and an entry sent, once the client is at most so many bytes behind. That is far below what counts as too slow
/// ([`crate::Settings::max_behind`]), however large a page is.
const PACE: usize = 256 * 1024;
/// How soon a send is tried again after the bound in packets was met: nothing tells when there is room again.
const RETRY: Duration = Duration::from_millis(5);

/// A socket on its way to being live.
pub(crate) struct Resume {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) user: User,
    pub(crate) key: Key,
    pub(crate) transport: Arc<dyn Transport>,
}

/// Why a socket does not become live.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The connection is over.
    Gone,
    /// The client does not keep up.
    Slow,
    /// What the socket needs could not be read.
    Failed(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal)
    }
}

impl Resume {
    /// Serves the socket until it is live. `cursor` is the client's.
    pub(crate) async fn run(&self, cursor: Option<String>) -> Result<(), Stop> {
        // The registry's memberships of this user may be newer than what has been delivered. Until delivery has caught up, an older entry could
        // be judged by a newer membership.
        let as_of = self.gateway.registry.as_of(self.user.id).ok_or(Stop::Gone)?;
        self.delivery().reach(&as_of).await?;
        let Some(cursor) = cursor else {
            return self.live(self.gateway.registry.go_live(self.user.id, self.key, None, None, |here| self.ready(here, false, None)));
        };
        let (cursor, since) = client_cursor::parse(&cursor);
        let (from, resumed) = self.begin(cursor, &since).await?;
        let since = if resumed { since } else { OwnSince::Reset };
        let from = self.replay(from, None, &since).await?;
        let (told, nothing) = match &since {
            OwnSince::At(since) => (Some(since), Some(Own::default())),
            OwnSince::Reset => (None, None),
        };
        match self.gateway.registry.go_live(self.user.id, self.key, Some(&from), told, |here| self.ready(here, resumed, nothing)) {
            LiveOutcome::Behind => self.finish(from, resumed, &since).await,
            outcome => self.live(outcome),
        }
    }

    /// The cursor to replay from: the client's, or, after `resync`, that of its rooms as they are now.
    async fn begin(&self, cursor: &str, since: &OwnSince) -> Result<(Cursor, bool), Stop> {
        let why = match Cursor::parse(cursor) {
            None => "it is malformed".to_owned(),
            // A client that was ahead of this gateway a moment ago is not past the log's end.
            Some(shown) if !self.delivery().is_of(shown.epoch).await? => "it is of another epoch of the database".to_owned(),
            Some(shown) => match self.delivery().reach(&shown.positions).await? {
                Reached::PastTheEnd => "it is past the log's end, or of another database".to_owned(),
                // So it is for most clients of a storm that were disconnected for a moment: nothing is read to know that nothing was missed.
                Reached::Yes if self.gateway.registry.has_all(self.user.id, &shown) => return Ok((shown, true)),
                Reached::Yes => match self.page(cursor, &self.here()?, false, since).await? {
                    Page::Sent { cursor, .. } => return Ok((cursor, true)),
                    Page::TooFar(why) => why,
                },
            },
        };
        tracing::debug!(user = %self.user.username, why, "a cursor cannot be taken up; the client starts again with resync");
        metrics::counter!("guild_resyncs_total").increment(1);
        let heads = self.gateway.ask(Heads { user: self.user.id }).await?;
        if !self.delivery().is_of(heads.cursor.epoch).await? {
            return Err(Refusal::busy("the database has begun a new epoch; reconnect").into());
        }
        let resync = Resync { rooms: heads.rooms, cursor: client_cursor::text(&heads.cursor, &OwnSince::Reset) };
        self.send(&frame(server::RESYNC, &resync).ok_or(Stop::Gone)?).await?;
        self.delivery().reach(&heads.cursor.positions).await?;
        Ok((heads.cursor, false))
    }

    /// Sends what was missed after `from`, page by page, up to `until`, or until hardly anything is left.
    async fn replay(&self, mut from: Cursor, until: Option<&Cursor>, since: &OwnSince) -> Result<Cursor, Stop> {
        loop {
            let to = match until {
                Some(until) => until.clone(),
                None => self.here()?,
            };
            if from == to || until.is_none() && self.gateway.registry.has_all(self.user.id, &from) {
                return Ok(from);
            }
            match self.page(&from.to_string(), &to, true, since).await? {
                Page::Sent { cursor, more: false } => return Ok(cursor),
                Page::Sent { cursor, more: true } => from = cursor,
                Page::TooFar(why) => return Err(Refusal::busy(format!("a replay could not go on: {why}; reconnect")).into()),
            }
        }
    }

    /// The last part: new entries are held from now on until everything before them has been sent.
    async fn finish(&self, from: Cursor, resumed: bool, since: &OwnSince) -> Result<(), Stop> {
        let until = self.gateway.registry.hold(self.user.id, self.key).ok_or(Stop::Gone)?;
        self.replay(from, Some(&until), since).await?;
        let own = match since {
            OwnSince::At(since) => self.own_news(since).await,
            OwnSince::Reset => None,
        };
        // The held frames need room in the queue.
        if !self.transport.drained(PACE).await {
            return Err(Stop::Gone);
        }
        let ready = self.ready(&until, resumed, own).ok_or(Stop::Gone)?;
        self.live(self.gateway.registry.release(self.user.id, self.key, &ready))
    }

    /// Reads one page and sends it. Up to `until` everything has been delivered.
    async fn page(&self, from: &str, until: &Cursor, going_on: bool, since: &OwnSince) -> Result<Page, Stop> {
        if !self.transport.drained(PACE).await {
            return Err(Stop::Gone);
        }
        let user = UserRef { id: self.user.id, username: self.user.username.clone() };
        let call = ReadMissed { user, cursor: from.to_owned(), until: Some(until.clone()), limit: PAGE, going_on };
        let (entries, cursor, more) = match self.gateway.ask(call).await? {
            Missed::TooFar { why } => return Ok(Page::TooFar(why)),
            Missed::Entries { entries, cursor, more } => (entries, cursor, more),
        };
        let mut here = Cursor::parse(from).unwrap_or_else(|| cursor.clone());
        let count = entries.len();
        // Where nothing of the user's own has changed, the client has all of it with each of these entries.
        let is_told = matches!(since, OwnSince::At(since) if self.gateway.registry.has_all_own(self.user.id, since));
        for entry in &entries {
            // The partitions come merged, each ascending. So the last sent position of each partition is exactly what the client has got.
            if let Some(position) = here.positions.get_mut(usize::from(entry.partition)) {
                *position = entry.position;
            }
            let text = if is_told { here.to_string() } else { client_cursor::text(&here, since) };
            let mut frames = Frames::new(entry, text);
            self.send(frames.of(self.user.id).ok_or(Stop::Gone)?).await?;
        }
        metrics::counter!("guild_replayed_total").increment(count as u64);
        Ok(Page::Sent { cursor, more })
    }

    /// Sends at the client's pace: it is not slow for what it has had no time to take.
    async fn send(&self, frame: &Frame) -> Result<(), Stop> {
        loop {
            if !self.transport.drained(PACE).await {
                return Err(Stop::Gone);
            }
            match self.transport.send(frame) {
                Ok(()) => return Ok(()),
                Err(SendError::Closed) => return Err(Stop::Gone),
                Err(SendError::Full) => {
                    let give_up = self.gateway.settings.max_lag;
                    match tokio::time::timeout(give_up, self.transport.drained(self.transport.behind() / 2)).await {
                        Ok(true) => tokio::time::sleep(RETRY).await,
                        Ok(false) => return Err(Stop::Gone),
                        Err(_) => return Err(Stop::Slow),
                    }
                }
            }
        }
    }

    /// What has changed of the user's own since a cursor; `None` where the client has to read all of it.
    async fn own_news(&self, since: &Cursor) -> Option<Own> {
        if self.gateway.registry.has_all_own(self.user.id, since) {
            return Some(Own::default());
        }
        match self.gateway.ask(StateSince { user: self.user.id, cursor: since.clone() }).await {
            Ok(StateNews::Changes { values, marks }) => Some(Own { state: values.into_iter().map(StateChanged::from).collect(), marks }),
            Ok(StateNews::Reset) => None,
            Err(refusal) => {
                tracing::debug!(user = %self.user.username, %refusal, "what has changed of a user's own could not be read; it is read anew");
                None
            }
        }
    }

    fn ready(&self, cursor: &Cursor, resumed: bool, own: Option<Own>) -> Option<Frame> {
        let server = ServerInfo { version: self.gateway.settings.version.clone(), features: Vec::new() };
        let state_reset = own.is_none();
        let (state, marks) = own.map(|own| (own.state, own.marks)).unzip();
        frame(server::READY, &Ready { user: self.user.clone(), cursor: cursor.to_string(), resumed, server, state, marks, state_reset })
    }

    fn live(&self, outcome: LiveOutcome) -> Result<(), Stop> {
        match outcome {
            LiveOutcome::Live => Ok(()),
            LiveOutcome::Slow => Err(Stop::Slow),
            // A socket without a cursor is never behind.
            LiveOutcome::Gone | LiveOutcome::Behind => Err(Stop::Gone),
        }
    }

    fn here(&self) -> Result<Cursor, Stop> {
        self.gateway.registry.cursor().ok_or_else(|| Refusal::busy("the log's end is not known yet; reconnect").into())
    }

    fn delivery(&self) -> &Delivery {
        &self.gateway.delivery
    }
}

/// What has changed of the user's own, as `ready` tells it.
#[derive(Default)]
struct Own {
    state: Vec<StateChanged>,
    marks: Vec<Mark>,
}

enum Page {
    Sent { cursor: Cursor, more: bool },
    TooFar(String),
}
