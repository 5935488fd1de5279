//! A room as one reader sees it, with ids instead of names.

use crate::store::lists::{AT_ONCE, RoomAndReader};
use crate::store::log::{self, LogRow};
use crate::store::rooms::{self, RoomRow};
use crate::store::{members, mentions, present, sets, state, threads};
use contract::room::LISTED_MEMBERS;
use contract::{RoomId, RoomKind, UserId};
use db::{Error, Tx};
use std::collections::HashSet;

/// See the module.
pub(crate) struct RawRoom {
    pub row: RoomRow,
    /// The reader.
    pub reader: UserId,
    /// Whether the reader is a member now.
    pub is_member: bool,
    /// The first members, the longest-standing first.
    pub members: Vec<UserId>,
    pub head: i64,
    /// The reader's mark, and how many messages lie past it; both 0 if the reader is not a member.
    pub read: i64,
    pub unread: i64,
    /// How many of the threads that the reader follows have something unread.
    pub unread_threads: i64,
    /// How many unread messages mention the reader.
    pub mentions: i64,
    /// The newest message; only for a member.
    pub last: Option<LogRow>,
}

impl RawRoom {
    /// The room of a `room created` for a reader who has left since: as it was at that row, and nothing of what it has become. A channel stays
    /// as it is, because anybody may look at it.
    pub(crate) fn for_who_left(mut self, row: &LogRow) -> Self {
        if !self.is_member && self.row.kind != RoomKind::Channel {
            (self.row.name, self.row.owner, self.row.member_count) = (None, row.actor, row.member_count);
            (self.row.topic, self.row.metadata, self.row.rev) = (None, None, 0);
            (self.members, self.head) = (vec![self.reader], 0);
        }
        self
    }

    /// Adds the users whose names are needed to show it.
    pub(crate) fn people(&self, ids: &mut HashSet<UserId>) {
        ids.extend(&self.members);
        ids.insert(self.row.owner);
        self.last.iter().for_each(|row| row.people(ids));
    }
}

/// One room as `reader` sees it; `None` if there is no such room. The caller decides whether the reader may see it.
pub(crate) async fn one(tx: &mut Tx, id: RoomId, reader: UserId) -> Result<Option<RawRoom>, Error> {
    match rooms::find(tx, id).await? {
        Some(row) => of(tx, row, reader).await.map(Some),
        None => Ok(None),
    }
}

/// What a room was just after a member left it.
#[derive(Clone, Debug)]
pub(crate) struct Parting {
    /// The position of the `member left` row.
    pub position: i64,
    /// Its seq.
    pub head: i64,
    pub name: Option<String>,
    pub owner: UserId,
    pub member_count: i64,
}

/// The room for a reader who has just left it: as it was then, and nothing of what it has become since. A channel stays as it is.
pub(crate) async fn when_left(tx: &mut Tx, id: RoomId, reader: UserId, parting: Parting) -> Result<Option<RawRoom>, Error> {
    let Some(mut view) = one(tx, id, reader).await? else { return Ok(None) };
    if !view.is_member && view.row.kind != RoomKind::Channel {
        let Parting { position, head, name, owner, member_count } = parting;
        (view.row.name, view.row.owner, view.row.member_count, view.head) = (name, owner, member_count, head);
        (view.row.topic, view.row.metadata, view.row.rev) = (None, None, 0);
        let members = members::by_age(tx, id, None, LISTED_MEMBERS as i64).await?;
        view.members = members.into_iter().filter(|(since, _)| *since < position).map(|(_, member)| member).collect();
    }
    Ok(Some(view))
}

/// These rooms for these readers, in the same order; none for a room that does not exist. Up to 256 of them cost three statements.
pub(crate) async fn several(tx: &mut Tx, wanted: &[RoomAndReader]) -> Result<Vec<Option<RawRoom>>, Error> {
    let mut views = Vec::with_capacity(wanted.len());
    for wanted in wanted.chunks(AT_ONCE) {
        let rooms = sets::rooms_for_readers(tx, wanted).await?;
        let heads = sets::heads(tx, wanted).await?;
        let members = sets::members(tx, wanted, None, LISTED_MEMBERS).await?;
        for (((room, (head, newest)), members), (_, reader)) in rooms.into_iter().zip(heads).zip(members).zip(wanted) {
            views.push(room.map(|sets::RoomForReader { row, read, deleted, unread_threads, mentions }| {
                let members = members.into_iter().map(|(_, member)| member).collect();
                let is_member = read.is_some();
                let (read, messages_read) = read.unwrap_or((0, head.messages));
                let (unread, last) = (head.messages - messages_read - deleted, newest.filter(|_| is_member));
                let (unread_threads, mentions) = if is_member { (unread_threads, mentions) } else { (0, 0) };
                RawRoom { row, reader: *reader, is_member, members, head: head.seq, read, unread, unread_threads, mentions, last }
            }));
        }
    }
    attach_last(tx, views.iter_mut().flatten()).await?;
    Ok(views)
}

/// Puts beside the newest messages of these rooms what is told with them.
async fn attach_last(tx: &mut Tx, views: impl Iterator<Item = &mut RawRoom>) -> Result<(), Error> {
    let mut views: Vec<&mut RawRoom> = views.filter(|view| view.last.is_some()).collect();
    let mut rows: Vec<LogRow> = views.iter_mut().filter_map(|view| view.last.take()).collect();
    present::attach(tx, &mut rows).await?;
    present::attach_own_reactions(tx, views.iter().map(|view| view.reader).zip(rows.iter_mut())).await?;
    views.iter_mut().zip(rows).for_each(|(view, row)| view.last = Some(row));
    Ok(())
}

/// The same where all of them exist.
pub(crate) async fn some(tx: &mut Tx, wanted: Vec<RoomAndReader>) -> Result<Vec<RawRoom>, Error> {
    let views = several(tx, &wanted).await?.into_iter().zip(&wanted);
    views.map(|(view, (id, _))| view.ok_or_else(|| Error::Failed(format!("the log names room {id}, which does not exist")))).collect()
}

/// A room whose row is known.
pub(crate) async fn of(tx: &mut Tx, row: RoomRow, reader: UserId) -> Result<RawRoom, Error> {
    let id = row.id;
    let member = members::find(tx, id, reader).await?.filter(|member| member.active);
    let head = log::head(tx, id).await?;
    let members = members::by_age(tx, id, None, LISTED_MEMBERS as i64).await?.into_iter().map(|(_, member)| member).collect();
    let mut view = RawRoom {
        row,
        reader,
        is_member: member.is_some(),
        members,
        head: 0,
        read: 0,
        unread: 0,
        unread_threads: 0,
        mentions: 0,
        last: None,
    };
    if let Some(head) = head {
        view.head = head.seq.unwrap_or(0);
        if let Some(member) = member {
            view.read = member.read;
            let deleted = state::deleted_between(tx, id, member.read, view.head).await?;
            view.unread = head.messages - log::messages_up_to(tx, id, member.read).await? - deleted;
            view.unread_threads = threads::unread_threads(tx, id, reader).await?;
            view.mentions = mentions::unread(tx, id, reader, member.read).await?;
            view.last = if head.newest == view.head { Some(head) } else { log::by_seq(tx, id, head.newest).await? };
            attach_last(tx, std::iter::once(&mut view)).await?;
        }
    }
    Ok(view)
}
