//! Examples: values of the types that go over the wire.

use contract::calls::messages::RoomHead;
use contract::calls::state::Mark;
use contract::wire::{
    Authenticate, AuthenticateAck, CreateRoom, CreateRoomAck, Cut, DeleteMessage, Done, EditMessage, InRoom, MarkRead, MemberChanged,
    MessageAck, MessageDeleted, MessageEdited, NewMessage, NothingAck, PinChanged, PinMessage, PresenceNow, React, ReactAck,
    ReactionsChanged, ReadAck, ReadNow, Ready, Refused, Resync, RoomAck, RoomCreated, RoomUpdated, SendMessage, ServerInfo, SetTyping,
    StateChanged, ThreadReadNow, TypingNow, UnknownEvent, UserUpdated, client,
};
use contract::{
    Code, Cursor, Message, MessageId, Metadata, Patch, Reaction, Refusal, Room, RoomId, RoomKind, Stamp, StateValue, Time, User, UserId,
    Username,
};
use serde_json::{Map, Value};

type Made<T> = Result<T, String>;

/// 2026-11-24T09:30:00Z.
const NOW: Time = Time(1_795_512_600_000);

/// The acknowledgement that adds this.
pub(super) fn done(adds: &Value) -> Value {
    serde_json::to_value(Done::with(adds, Vec::new())).unwrap_or_default()
}

pub(super) fn refused(event: &str) -> Refused {
    match event {
        client::AUTHENTICATE => Refusal::unauthenticated(),
        client::CREATE_ROOM => Refusal::not_found("no such user: carol").about("usernames"),
        _ => Refusal::no_room(),
    }
    .into()
}

pub(super) fn authenticate() -> Authenticate {
    let token = "q0hkC1n3m1JvM0f9Yx2lq1s8Yb0m3Vw6m0c8rW5d7eQ".to_owned();
    Authenticate { token: Some(token), cursor: Some(cursor(41)), username: None }
}

pub(super) fn authenticate_ack() -> Made<AuthenticateAck> {
    Ok(AuthenticateAck { user: user()? })
}

pub(super) fn create_room() -> Made<CreateRoom> {
    let usernames = vec![bob()?];
    Ok(CreateRoom { usernames, name: None, kind: None, nonce: Some("c0ffee-1".try_into()?), sender: None, username: None })
}

pub(super) fn create_room_ack() -> Made<CreateRoomAck> {
    Ok(CreateRoomAck { room: room(None)?, created: true })
}

pub(super) fn send_message() -> Made<SendMessage> {
    Ok(SendMessage {
        room: room_id().to_string(),
        body: "hello".try_into()?,
        nonce: Some("c0ffee-2".try_into()?),
        message_type: None,
        format: None,
        metadata: None,
        reply_to: None,
        thread: None,
        also_in_room: false,
        mentions: None,
        clears: Some(format!("draft:{}", room_id()).try_into()?),
        sender: None,
        username: None,
    })
}

pub(super) fn edit_message() -> Made<EditMessage> {
    Ok(EditMessage {
        room: room_id().to_string(),
        seq: 1,
        body: Patch::Set("hello, Bob".try_into()?),
        format: Patch::Keep,
        metadata: Patch::Keep,
        mentions: Patch::Keep,
        if_rev: Some(1),
        sender: None,
        username: None,
    })
}

pub(super) fn delete_message() -> Made<DeleteMessage> {
    Ok(DeleteMessage { room: room_id().to_string(), seq: 1, reason: Some("off topic".try_into()?), sender: None, username: None })
}

pub(super) fn react() -> Made<React> {
    Ok(React { room: room_id().to_string(), seq: 1, emoji: "👍".try_into()?, on: true, sender: None, username: None })
}

pub(super) fn react_ack() -> Made<ReactAck> {
    let mine = Some(true);
    Ok(ReactAck { reactions: vec![Reaction { mine, ..reaction()? }] })
}

pub(super) fn pin_message() -> PinMessage {
    PinMessage { room: room_id().to_string(), seq: 1, sender: None, username: None }
}

pub(super) fn edit_ack() -> Made<MessageAck> {
    Ok(MessageAck { message: edited()? })
}

pub(super) fn delete_ack() -> Made<MessageAck> {
    Ok(MessageAck { message: deleted()? })
}

pub(super) fn message_ack() -> Made<MessageAck> {
    Ok(MessageAck { message: message()? })
}

pub(super) fn in_room() -> InRoom {
    InRoom { room: room_id().to_string(), sender: None, username: None }
}

pub(super) fn room_ack() -> Made<RoomAck> {
    let mut room = room(Some(message()?))?;
    (room.kind, room.name) = (RoomKind::Channel, Some("general".try_into()?));
    Ok(RoomAck { room })
}

pub(super) fn mark_read() -> MarkRead {
    MarkRead { room: room_id().to_string(), seq: 1, sender: None, username: None }
}

pub(super) fn read_ack() -> ReadAck {
    ReadAck { read: 1, unread: 0 }
}

pub(super) fn set_typing() -> SetTyping {
    SetTyping { room: room_id().to_string(), typing: true, sender: None, username: None }
}

pub(super) fn nothing_ack() -> NothingAck {
    NothingAck {}
}

pub(super) fn ready() -> Made<Ready> {
    let server = ServerInfo { version: env!("CARGO_PKG_VERSION").to_owned(), features: Vec::new() };
    let marks = vec![
        Mark { room: room_id(), thread: None, read: 1, unread: 0, mentions: 0 },
        Mark { room: room_id(), thread: Some(1), read: 5, unread: 2, mentions: 1 },
    ];
    Ok(Ready {
        user: user()?,
        cursor: cursor(42),
        resumed: true,
        server,
        state: Some(vec![state_changed()?]),
        marks: Some(marks),
        state_reset: false,
    })
}

pub(super) fn room_created() -> Made<RoomCreated> {
    Ok(RoomCreated { room: room(None)?, cursor: cursor(42) })
}

pub(super) fn new_message() -> Made<NewMessage> {
    Ok(NewMessage { message: message()?, cursor: cursor(43) })
}

pub(super) fn member_changed() -> Made<MemberChanged> {
    Ok(MemberChanged { room: room_id(), seq: 2, username: bob()?, cursor: cursor(44) })
}

pub(super) fn room_updated() -> Made<RoomUpdated> {
    let (name, topic) = (Some("plans".try_into()?), Some("Where we plan the summer".try_into()?));
    Ok(RoomUpdated { room: room_id(), seq: 3, by: Some(alice()?), name, topic, metadata: None, cursor: cursor(45) })
}

pub(super) fn message_edited() -> Made<MessageEdited> {
    Ok(MessageEdited { room: room_id(), seq: 2, ref_seq: 1, by: alice()?, message: edited()?, cursor: cursor(46) })
}

pub(super) fn message_deleted() -> Made<MessageDeleted> {
    let reason = Some("off topic".try_into()?);
    Ok(MessageDeleted { room: room_id(), seq: 3, ref_seq: 1, by: alice()?, reason, message: deleted()?, cursor: cursor(47) })
}

pub(super) fn reactions_changed() -> Made<ReactionsChanged> {
    Ok(ReactionsChanged {
        room: room_id(),
        seq: 2,
        ref_seq: 1,
        by: Some(bob()?),
        emoji: Some("👍".try_into()?),
        on: Some(true),
        reactions: vec![reaction()?],
        cursor: cursor(46),
    })
}

pub(super) fn pin_changed() -> Made<PinChanged> {
    Ok(PinChanged { room: room_id(), seq: 2, ref_seq: 1, by: alice()?, cursor: cursor(46) })
}

fn reaction() -> Made<Reaction> {
    Ok(Reaction { emoji: "👍".try_into()?, count: 1, usernames: vec![bob()?], mine: None })
}

pub(super) fn unknown_event() -> UnknownEvent {
    UnknownEvent { room: room_id(), seq: Some(4), kind: 99, cursor: cursor(46) }
}

pub(super) fn typing_now() -> Made<TypingNow> {
    Ok(TypingNow { room: room_id(), username: bob()?, typing: true })
}

pub(super) fn read_now() -> Made<ReadNow> {
    Ok(ReadNow { room: room_id(), username: bob()?, seq: 1, unread: None, mentions: None })
}

pub(super) fn state_changed() -> Made<StateChanged> {
    let key = format!("draft:{}", room_id()).try_into()?;
    let draft = [("body".to_owned(), Value::from("see you at"))];
    let value = StateValue::try_from(Value::Object(draft.into_iter().collect::<Map<_, _>>()))?;
    Ok(StateChanged { key, value: Some(value), stamp: Stamp::from_bytes(id(4)) })
}

pub(super) fn thread_read_now() -> ThreadReadNow {
    ThreadReadNow { room: room_id(), thread: 1, read: 5, unread: 2 }
}

pub(super) fn presence_now() -> Made<PresenceNow> {
    Ok(PresenceNow { username: bob()? })
}

pub(super) fn user_updated() -> Made<UserUpdated> {
    let office = [("office".to_owned(), Value::from("Lyon"))];
    let metadata = Metadata::try_from(office.into_iter().collect::<Map<_, _>>())?;
    Ok(UserUpdated { user: User { status: Some("Out for lunch 🍜".try_into()?), metadata: Some(metadata), ..user()? } })
}

pub(super) fn resync() -> Resync {
    Resync { rooms: vec![RoomHead { id: room_id(), head: 9_412 }], cursor: cursor(51_007) }
}

pub(super) fn cut() -> Cut {
    Cut { code: Code::Unauthenticated, detail: "this token is not valid any more; log in again".to_owned() }
}

fn cursor(position: i64) -> String {
    Cursor::new(0x5eed, vec![position]).to_string()
}

fn alice() -> Made<Username> {
    "alice".try_into()
}

fn bob() -> Made<Username> {
    "bob".try_into()
}

fn user() -> Made<User> {
    let id = UserId::from_bytes(id(1));
    Ok(User::plain(id, alice()?, "Alice".try_into()?, NOW))
}

fn room(last_message: Option<Message>) -> Made<Room> {
    let head = last_message.as_ref().map_or(0, |message| message.seq);
    Ok(Room {
        id: room_id(),
        kind: RoomKind::Direct,
        name: None,
        topic: None,
        metadata: None,
        rev: 0,
        created_by: alice()?,
        created_at: NOW,
        usernames: vec![alice()?, bob()?],
        member_count: 2,
        head,
        read: head,
        unread: 0,
        mentions: 0,
        unread_threads: 0,
        last_message,
    })
}

fn message() -> Made<Message> {
    let nonce = Some("c0ffee-2".try_into()?);
    Ok(Message { nonce, ..plain("hello")? })
}

fn plain(body: &str) -> Made<Message> {
    Ok(Message::plain(MessageId::from_bytes(id(3)), room_id(), 1, alice()?, body.try_into()?, NOW))
}

fn edited() -> Made<Message> {
    Ok(Message { rev: 2, edited_at: Some(NOW), ..plain("hello, Bob")? })
}

fn deleted() -> Made<Message> {
    Ok(Message { rev: 3, deleted_at: Some(NOW), deleted_by: Some(alice()?), ..plain("")? })
}

fn room_id() -> RoomId {
    RoomId::from_bytes(id(2))
}

/// A UUIDv7 of [`NOW`].
fn id(last: u8) -> [u8; 16] {
    [0x01, 0xa2, 0x0d, 0x85, 0x14, 0xc0, 0x7b, 0x1d, 0x9c, 0x3e, 0x5f, 0x08, 0x6a, 0xd2, 0x41, last]
}
