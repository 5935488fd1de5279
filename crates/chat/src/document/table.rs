//! Every event, in one place: its name, who emits it, what it carries, what its acknowledgement adds, who gets it.

use super::examples as example;
use contract::Warning;
use contract::wire::{client, server};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Who emits an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Client,
    Server,
}

/// One event.
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) direction: Direction,
    /// What it is for.
    pub(super) about: &'static str,
    /// Who gets it, or what comes of it.
    pub(super) to: &'static str,
    pub(super) payload: Shape,
    /// What its acknowledgement adds to `{ok: true}`.
    pub(super) ack: Option<Shape>,
    /// The acknowledgement that says no.
    pub(super) refused: Shape,
}

impl Event {
    /// Its key in the document.
    pub(super) fn id(&self) -> String {
        let side = if self.direction == Direction::Client { "client" } else { "server" };
        format!("{side}_{}", self.name.replace(' ', "_"))
    }
}

/// A type as the document shows it.
pub(super) struct Shape {
    pub(super) name: String,
    /// Its own schema and all that it refers to.
    pub(super) schemas: Vec<(String, Value)>,
    pub(super) example: Value,
}

/// The shape of a value's type, with the value as its example.
fn shape<T: ToSchema + Serialize>(example: &T) -> Result<Shape, String> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    let schemas = schemas.into_iter().map(|(name, schema)| Ok((name, serde_json::to_value(schema)?)));
    let text = |error: serde_json::Error| error.to_string();
    Ok(Shape {
        name: T::name().into_owned(),
        schemas: schemas.collect::<Result<_, _>>().map_err(text)?,
        example: serde_json::to_value(example).map_err(text)?,
    })
}

/// An event that clients emit.
fn from_client<P, A>(name: &'static str, payload: &P, ack: &A, about: &'static str, to: &'static str) -> Result<Event, String>
where
    P: ToSchema + Serialize,
    A: ToSchema + Serialize,
{
    let (payload, ack, refused) = (shape(payload)?, Some(shape(ack)?), shape(&example::refused(name))?);
    Ok(Event { name, direction: Direction::Client, about, to, payload, ack, refused })
}

/// An event that the server emits.
fn from_server<P: ToSchema + Serialize>(name: &'static str, payload: &P, about: &'static str, to: &'static str) -> Result<Event, String> {
    let (payload, refused) = (shape(payload)?, shape(&example::refused(name))?);
    Ok(Event { name, direction: Direction::Server, about, to, payload, ack: None, refused })
}

/// What an acknowledgement of any event may warn of.
pub(super) fn warning() -> Result<Shape, String> {
    shape(&Warning::unknown_field("colour"))
}

/// All events.
pub(super) fn events() -> Result<Vec<Event>, String> {
    Ok(vec![
        from_client(
            client::AUTHENTICATE,
            &example::authenticate(),
            &example::authenticate_ack()?,
            "Says who you are, and up to where events have come through. An unauthenticated socket can do nothing else.",
            "Then come what you missed, and `ready`.",
        )?,
        from_client(
            client::CREATE_ROOM,
            &example::create_room()?,
            &example::create_room_ack()?,
            "Creates a room with you in it. Two people and no name are `direct`, and such a pair has one room for ever.",
            "Every member hears `room created`; of a room that was there already, nobody.",
        )?,
        from_client(
            client::MESSAGE,
            &example::send_message()?,
            &example::message_ack()?,
            "Sends a message. The acknowledgement means that it is on disk. With a `nonce` it can be sent again without fear.",
            "Every member hears `new message`, on all sockets, yours too.",
        )?,
        from_client(
            client::EDIT_MESSAGE,
            &example::edit_message()?,
            &example::edit_ack()?,
            "Changes a message of yours. What is left out stays.",
            "Every member hears `message edited`, unless nothing changes.",
        )?,
        from_client(
            client::DELETE_MESSAGE,
            &example::delete_message()?,
            &example::delete_ack()?,
            "Deletes a message of yours, or as the owner of a group or a channel anybody's. What it said goes for good.",
            "Every member hears `message deleted`, unless it was deleted already.",
        )?,
        from_client(
            client::REACT,
            &example::react()?,
            &example::react_ack()?,
            "Gives a reaction to a message, or takes it back.",
            "Every member hears `reactions changed`, unless nothing changes.",
        )?,
        from_client(
            client::PIN_MESSAGE,
            &example::pin_message(),
            &example::nothing_ack(),
            "Pins a message to its room. In a channel its owner may.",
            "Every member hears `message pinned`, unless it is pinned already.",
        )?,
        from_client(
            client::UNPIN_MESSAGE,
            &example::pin_message(),
            &example::nothing_ack(),
            "Unpins a message. In a channel its owner may.",
            "Every member hears `message unpinned`, unless it is not pinned.",
        )?,
        from_client(
            client::JOIN_ROOM,
            &example::in_room(),
            &example::room_ack()?,
            "Joins a channel. Being in already is fine.",
            "You hear `room created`, then every member `member joined`.",
        )?,
        from_client(
            client::LEAVE_ROOM,
            &example::in_room(),
            &example::room_ack()?,
            "Leaves a channel or a group.",
            "Every member hears `member left`, and you do.",
        )?,
        from_client(
            client::READ,
            &example::mark_read(),
            &example::read_ack(),
            "Moves your read mark, never back; past the head means the head.",
            "Members of rooms of up to 100 hear `read`, and your own sockets.",
        )?,
        from_client(
            client::TYPING,
            &example::set_typing(),
            &example::nothing_ack(),
            "Says that you type, or have stopped.",
            "The others in rooms of up to 100 hear `typing`, at most once a second and room; more is `ok` and dropped.",
        )?,
        from_server(
            server::READY,
            &example::ready()?,
            "You are authenticated, and all that you missed has been sent. `state` and `marks` are what has changed of your own since your cursor.",
            "To this socket. `resumed` is false without a cursor and after `resync`. With `state_reset`, read your own state and your rooms anew.",
        )?,
        from_server(
            server::ROOM_CREATED,
            &example::room_created()?,
            "You are a member of this room from here on.",
            "To every socket of every member of a new room, and of whoever is added later.",
        )?,
        from_server(
            server::NEW_MESSAGE,
            &example::new_message()?,
            "A message; its `nonce` only to its sender.",
            "To every socket of every member, the sender's too.",
        )?,
        from_server(server::MEMBER_JOINED, &example::member_changed()?, "Somebody became a member.", "To every member, the new one too.")?,
        from_server(
            server::MEMBER_LEFT,
            &example::member_changed()?,
            "Somebody is no member any more.",
            "To every member, and the one who left.",
        )?,
        from_server(
            server::ROOM_UPDATED,
            &example::room_updated()?,
            "The room's name, topic or metadata has changed; all of them are as they are now.",
            "To every member.",
        )?,
        from_server(
            server::MESSAGE_EDITED,
            &example::message_edited()?,
            "A message has changed. It comes whole: show it if its `rev` is higher than that of the one you have.",
            "To every member.",
        )?,
        from_server(
            server::MESSAGE_DELETED,
            &example::message_deleted()?,
            "A message was deleted. What is left of it comes with it.",
            "To every member.",
        )?,
        from_server(
            server::REACTIONS_CHANGED,
            &example::reactions_changed()?,
            "The reactions to a message have changed. They come whole, as they are now.",
            "To every member.",
        )?,
        from_server(server::MESSAGE_PINNED, &example::pin_changed()?, "A message was pinned.", "To every member.")?,
        from_server(
            server::MESSAGE_UNPINNED,
            &example::pin_changed()?,
            "A message was unpinned. A deleted message is unpinned without this event.",
            "To every member.",
        )?,
        from_server(
            server::EVENT,
            &example::unknown_event(),
            "Something durable of a kind that this server does not know; a newer server of the cluster wrote it. Keep its `cursor`; fetch the room anew when you show it.",
            "To every member, while a cluster is upgraded; with `seq` null to you alone.",
        )?,
        from_server(
            server::TYPING,
            &example::typing_now()?,
            "Somebody types, or has stopped.",
            "To the other members of rooms of up to 100. Not durable: it may be dropped for a slow client.",
        )?,
        from_server(
            server::READ,
            &example::read_now()?,
            "Somebody has read up to here.",
            "To members of rooms of up to 100, and to your own sockets with `unread` and `mentions`. Not durable: it may be dropped for a slow client.",
        )?,
        from_server(
            server::THREAD_READ,
            &example::thread_read_now(),
            "You have read a thread up to here, have written in it, or have begun to follow it.",
            "To your own sockets. Not durable: it may be dropped for a slow client.",
        )?,
        from_server(
            server::USER_ONLINE,
            &example::presence_now()?,
            "Somebody came online.",
            "To people who share a direct room or a group of up to 100 with that user.",
        )?,
        from_server(
            server::USER_OFFLINE,
            &example::presence_now()?,
            "Somebody is gone, 10 s after the last socket.",
            "To people who share a direct room or a group of up to 100 with that user.",
        )?,
        from_server(
            server::USER_UPDATED,
            &example::user_updated()?,
            "Somebody's display name, status or metadata has changed; all of them are as they are now.",
            "To people who share a direct room or a group of up to 100 with that user, and to the user. Not durable: it may be dropped for a slow client.",
        )?,
        from_server(
            server::STATE_CHANGED,
            &example::state_changed()?,
            "A value of your own state has changed; null is one that was removed. It is not in the log; whoever was away hears of it with `ready`.",
            "To your own sockets.",
        )?,
        from_server(
            server::RESYNC,
            &example::resync(),
            "Your cursor cannot be taken up: fetch rooms, members and history anew. `ready` follows.",
            "To a socket whose cursor is malformed, of another database or too far back.",
        )?,
        from_server(
            server::ERROR,
            &example::cut(),
            "Why the server is about to cut this socket.",
            "To the socket that is cut. After `unauthenticated` log in again; after `busy` reconnect.",
        )?,
    ])
}
