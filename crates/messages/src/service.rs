//! The service: what all its operations share, and what it answers on the bus.

use crate::access;
use crate::log_version::{CannotServe, MinVersion};
use crate::membership::memberships::{self, Memberships};
use crate::names::Names;
use crate::partitions::Partitions;
use crate::resolve::Resolver;
use crate::rooms::view;
use crate::search::index;
use crate::send::publish::Publisher;
use crate::send::turns::Turns;
use crate::settings::Settings;
use crate::writer::Writer;
use bus::Bus;
use contract::calls::{mentions, messages as calls, state, threads};
use contract::{Clock, Refusal, Room, RoomId, UserCaller, UserId};
use db::{Db, Error, Tx};
use edge::Buckets;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use vital::Vital;

/// The messages service. Answers the calls of [`contract::calls::messages`].
pub struct Messages {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) clock: Clock,
    pub(crate) names: Names,
    pub(crate) resolver: Resolver,
    pub(crate) settings: Settings,
    pub(crate) limits: Arc<Limits>,
    pub(crate) turns: Turns,
    pub(crate) memberships: Memberships,
    pub(crate) partitions: Partitions,
    /// Told when changes of reactions wait to be told.
    pub(crate) held_back: Arc<Notify>,
    min_version: MinVersion,
    writer: Mutex<Option<Writer>>,
    writing: Mutex<JoinSet<()>>,
    vital: Vital,
}

/// How often users may do things; shared with operations that decide in the writer.
pub(crate) struct Limits {
    pub sends: Buckets<UserId>,
    pub rooms: Buckets<UserId>,
}

impl Messages {
    /// Starts the service on a database that has its tables ([`crate::MIGRATIONS`]). Needs a tokio runtime.
    pub fn new(db: Db, bus: Bus, settings: Settings, clock: Clock) -> Arc<Self> {
        let names = Names::new(bus.clone());
        let resolver = Resolver { db: db.clone(), names: names.clone() };
        let vital = Vital::new();
        let publisher = |part| Publisher::start(part, resolver.clone(), bus.clone(), &vital);
        let (min_version, held_back) = (MinVersion::default(), Arc::default());
        let (writer, writing) = Writer::start(&db, &clock, &vital, &min_version, &held_back, publisher);
        let partitions = Partitions::of(&db);
        let limits = Arc::new(Limits {
            sends: Buckets::new(f64::from(settings.sends_per_second), settings.sends_burst, clock.clone()),
            rooms: Buckets::new(f64::from(settings.rooms_per_minute) / 60.0, settings.rooms_per_minute, clock.clone()),
        });
        for what in ["send", "create_room"] {
            // An operator's alert needs the series before its first event.
            metrics::counter!("guild_rate_limited_total", "what" => what).increment(0);
        }
        let (writer, writing) = (Mutex::new(Some(writer)), Mutex::new(writing));
        let memberships = memberships::start(db.clone());
        Arc::new(Self {
            db,
            bus,
            clock,
            names,
            resolver,
            settings,
            limits,
            turns: Turns::default(),
            memberships,
            partitions,
            held_back,
            min_version,
            writer,
            writing,
            vital,
        })
    }

    /// Lets it write every kind that it knows.
    #[cfg(test)]
    pub(crate) fn writes_all_kinds(&self) {
        self.min_version.set(crate::LOG_VERSION);
    }

    /// Reads which kinds of rows may be written to the database.
    ///
    /// # Errors
    /// Its minimal version is newer than this program, or cannot be read.
    pub async fn start_check(&self) -> Result<(), CannotServe> {
        self.min_version.start(&self.db).await
    }

    /// Reads the log's minimal version again and again, for as long as it is polled, to notice when an upgrade is finished.
    pub fn keep_version(&self) -> impl Future<Output = ()> + Send + use<> {
        self.vital.keep("the reading of the log's version", self.min_version.clone().keep_reading(self.db.clone()))
    }

    /// Registers what this service answers.
    pub fn serve(this: &Arc<Self>, bus: &Bus) {
        bus.serve::<calls::CreateRoom, _>(this)
            .serve::<calls::GetRoom, _>(this)
            .serve::<calls::GetRooms, _>(this)
            .serve::<calls::ListChannels, _>(this)
            .serve::<calls::MyRooms, _>(this)
            .serve::<calls::MyRoomsPlaced, _>(this)
            .serve::<calls::UpdateRoom, _>(this)
            .serve::<calls::ListMembers, _>(this)
            .serve::<calls::MembersOf, _>(this)
            .serve::<calls::AddMember, _>(this)
            .serve::<calls::AddMembers, _>(this)
            .serve::<calls::RemoveMember, _>(this)
            .serve::<calls::Send, _>(this)
            .serve::<calls::GetMessage, _>(this)
            .serve::<calls::EditMessage, _>(this)
            .serve::<calls::DeleteMessage, _>(this)
            .serve::<calls::DeleteMessages, _>(this)
            .serve::<calls::Versions, _>(this)
            .serve::<calls::React, _>(this)
            .serve::<calls::Reactors, _>(this)
            .serve::<calls::Pin, _>(this)
            .serve::<calls::Pins, _>(this)
            .serve::<calls::PinsOf, _>(this)
            .serve::<calls::Around, _>(this)
            .serve::<calls::RoomEvents, _>(this)
            .serve::<calls::History, _>(this)
            .serve::<calls::Histories, _>(this)
            .serve::<calls::Recent, _>(this)
            .serve::<calls::Search, _>(this)
            .serve::<calls::MarkRead, _>(this)
            .serve::<mentions::MyMentions, _>(this)
            .serve::<mentions::MyMentionsPlaced, _>(this)
            .serve::<threads::FollowThread, _>(this)
            .serve::<threads::MarkThreadRead, _>(this)
            .serve::<threads::RoomThreads, _>(this)
            .serve::<threads::ThreadsOf, _>(this)
            .serve::<threads::RepliesOf, _>(this)
            .serve::<threads::MyThreads, _>(this)
            .serve::<threads::MyThreadsPlaced, _>(this)
            .serve::<calls::ListReads, _>(this)
            .serve::<state::ListState, _>(this)
            .serve::<state::GetState, _>(this)
            .serve::<state::PutState, _>(this)
            .serve::<state::RemoveState, _>(this)
            .serve::<state::StateSince, _>(this)
            .serve::<state::StateEnds, _>(this)
            .serve::<state::StateKeysAfter, _>(this)
            .serve::<state::StatesNow, _>(this)
            .serve::<calls::RoomsOf, _>(this)
            .serve::<calls::RoomOf, _>(this)
            .serve::<calls::Head, _>(this)
            .serve::<calls::ReadLog, _>(this)
            .serve::<calls::ReadMissed, _>(this)
            .serve::<calls::Heads, _>(this);
    }

    /// Indexes for search, for as long as it is polled, what is not indexed yet: after an update, after a copy, or while servers of an older
    /// version write too.
    pub fn keep_index(&self) -> impl Future<Output = ()> + Send + use<> {
        self.vital.keep("the indexing for search", index::keep_catching_up(self.db.clone()))
    }

    /// What this service cannot do without.
    pub fn vital(&self) -> Vital {
        self.vital.clone()
    }

    /// Takes no more operations, and waits until all earlier ones are committed and answered.
    pub async fn close(&self) {
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut writing = std::mem::take(&mut *self.writing.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(ended) = writing.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a writer ended with an error");
            }
        }
    }

    /// Reads in a snapshot, and answers the database's epoch with it. The database server may be exchanged during the read; then this is
    /// refused, because the rows would not belong to the epoch.
    pub(crate) async fn read_in_epoch<T, F>(&self, work: F) -> Result<(u64, T), Refusal>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        let epoch = self.db.epoch();
        let read = self.db.read(work).await?;
        if self.db.epoch() != epoch {
            return Err(Refusal::busy("a new epoch of the database has just begun; try again"));
        }
        Ok((epoch, read))
    }

    /// The writers, while the service has not been closed.
    pub(crate) fn writer(&self) -> Result<Writer, Refusal> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        writer.ok_or_else(|| Refusal::busy("the server is stopping; try again when it is back"))
    }

    /// A room as the caller sees it. A non-member sees only channels.
    pub(crate) async fn room_for(&self, who: &UserCaller, room: RoomId) -> Result<Room, Refusal> {
        let reader = who.id;
        let raw = self.db.read(move |tx| Box::pin(view::one(tx, room, reader))).await?.ok_or_else(Refusal::no_room)?;
        access::look(raw.row.kind, raw.is_member)?;
        self.resolver.rooms(vec![raw]).await?.pop().ok_or_else(Refusal::no_room)
    }
}
