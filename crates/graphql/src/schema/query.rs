//! What can be asked once.

use super::found::Finds;
use super::message::Message;
use super::room::Room;
use super::user::{self, User, Users};
use crate::batch_loader::{FoundRoom, RoomBatch};
use crate::paging::{limit, times};
use crate::refuse::refuse;
use crate::request_context::RequestContext;
use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Object, Result};
use contract::calls::messages::{GetRoom, MyRoomsPlaced, Recent, Search};
use contract::calls::users::{GetUser, ListOnline, Me};
use contract::{Code, Limit, Refusal, RoomId, Username};
use std::sync::Arc;

/// The root of all queries.
pub(crate) struct Query;

/// Everything here is asked in your name: you see what REST would show you. What can fail is null then, and nothing beside it is lost.
#[Object]
impl Query {
    /// Yourself.
    async fn me(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(Some(User::me(RequestContext::of(ctx)?.ask(Me {}).await.map_err(refuse)?)))
    }

    /// Somebody by name; null where there is nobody of this name.
    async fn user(&self, ctx: &Context<'_>, username: String) -> Result<Option<User>> {
        let Ok(username) = Username::try_from(username) else { return Ok(None) };
        Ok(none_if_not_found(RequestContext::of(ctx)?.ask(GetUser { username }).await)?.map(User::new))
    }

    /// Everyone with a live connection anywhere, by username.
    #[graphql(complexity = "5 + times(&[first], 50) * child_complexity")]
    async fn online(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor, a username.")] after: Option<String>,
    ) -> Result<Option<Users>> {
        let (limit, goes_on) = (limit("first", first).map_err(refuse)?, after.is_some());
        Ok(Some(user::directory(RequestContext::of(ctx)?.ask(ListOnline { after, limit }).await.map_err(refuse)?, goes_on)))
    }

    /// Your rooms, newest activity first.
    #[graphql(complexity = "5 + times(&[first], 50) * child_complexity")]
    async fn rooms(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Result<Option<Connection<String, Room, EmptyFields, EmptyFields>>> {
        let (limit, goes_on) = (limit("first", first).map_err(refuse)?, after.is_some());
        let page = RequestContext::of(ctx)?.ask(MyRoomsPlaced { after, limit }).await.map_err(refuse)?;
        let (places, rooms): (Vec<String>, Vec<_>) = page.items.into_iter().map(|(place, room)| (place, FoundRoom::new(room))).unzip();
        let group = RoomBatch::new(rooms.clone());
        let mut connection = Connection::new(goes_on, page.more);
        connection.edges.extend(places.into_iter().zip(&rooms).map(|(place, room)| Edge::new(place, Room::new(room, &group))));
        Ok(Some(connection))
    }

    /// One of your rooms, or any channel; null for every other.
    #[graphql(complexity = "5 + child_complexity")]
    async fn room(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Room>> {
        let Some(room) = RoomId::parse(&id) else { return Ok(None) };
        let room = none_if_not_found(RequestContext::of(ctx)?.ask(GetRoom { room }).await)?.map(FoundRoom::new);
        Ok(room.map(|room| Room::new(&room, &RoomBatch::new(vec![Arc::clone(&room)]))))
    }

    /// What others sent you lately in all of your rooms, since you joined each, newest first.
    #[graphql(complexity = "20 + times(&[first], 100) * child_complexity")]
    async fn recent_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only from this sender, by username.")] from: Option<String>,
        #[graphql(desc = "How many days back: 1-3650.", default = 30)] days: i32,
        #[graphql(desc = "How many: 1-100, 100 when absent.")] first: Option<i32>,
    ) -> Result<Option<Vec<Message>>> {
        let from = by_name("from", from).map_err(refuse)?;
        let limit = first.map_or(Ok(Limit::MOST), |first| limit("first", Some(first))).map_err(refuse)?;
        // What is no such number of days is refused by the service, in its words.
        let days = u16::try_from(days).unwrap_or(0);
        let recently = RequestContext::of(ctx)?.look(Recent { from, days, limit }, |recently| recently.looked_at).await.map_err(refuse)?;
        Ok(Some(Message::all(recently.messages)))
    }

    /// Looks for text in your rooms, newest first: words, `prefixes*` and `"phrases"`, all of which a message must have. Without `q` it finds all
    /// messages of a sender or of a thread, all that mention you, or all that are pinned.
    #[graphql(complexity = "100 + times(&[first], 50) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field in the schema")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What for; at most 500 characters. It may be left out with a sender, a thread, `mentionsMe: true` or `pinned: true`."
        )]
        q: Option<String>,
        #[graphql(desc = "Only in this room.")] room: Option<ID>,
        #[graphql(desc = "Only from this sender, by username.")] sender: Option<String>,
        #[graphql(desc = "The older name of `sender`.")] from: Option<String>,
        #[graphql(desc = "`true`: only messages that are pinned now.")] pinned: Option<bool>,
        #[graphql(desc = "Only messages in the thread that begins with this seq; needs `room`.")] thread: Option<i64>,
        #[graphql(desc = "`true`: only messages that mention you, by name or with everybody.")] mentions_me: Option<bool>,
        #[graphql(desc = "How many: 1-100, 50 when absent.")] first: Option<i32>,
        #[graphql(desc = "The next of an earlier answer to the same search: only what is older.")] after: Option<String>,
    ) -> Result<Option<Finds>> {
        let room = room.map(|id| RoomId::parse(&id).ok_or_else(|| refuse(Refusal::no_room()))).transpose()?;
        let (sender, from) = (by_name("sender", sender).map_err(refuse)?, by_name("from", from).map_err(refuse)?);
        let limit = limit("first", first).map_err(refuse)?;
        let (q, pinned, mentions_me) = (q.unwrap_or_default(), pinned.unwrap_or(false), mentions_me.unwrap_or(false));
        let search = Search { q, room, sender, from, pinned, thread, mentions_me, before: after, limit };
        let searched = RequestContext::of(ctx)?.look(search, |searched| searched.looked_at).await.map_err(about_after).map_err(refuse)?;
        Ok(Some(Finds::new(searched.page)))
    }
}

/// The username in this argument. Nobody has what is none.
fn by_name(argument: &str, name: Option<String>) -> Result<Option<Username>, Refusal> {
    name.map(Username::try_from).transpose().map_err(|_| Refusal::not_found("no such user").about(argument))
}

/// The service's `before` is this edge's `after`.
fn about_after(refusal: Refusal) -> Refusal {
    match refusal.field.as_deref() {
        Some("before") => Refusal::invalid("after", "after is the next of an earlier answer to the same search"),
        _ => refusal,
    }
}

/// What is not there, or not yours, is null.
fn none_if_not_found<T>(answer: Result<T, Refusal>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(refusal) if refusal.code == Code::NotFound => Ok(None),
        Err(refusal) => Err(refuse(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::House;
    use contract::{Clock, Time};
    use edge::{Admission, AdmissionSettings};
    use std::fmt::Write;

    #[tokio::test]
    async fn as_many_small_searches_as_a_query_may_have_are_answered() {
        let house = House::new();
        let admission = Admission::new(&AdmissionSettings::default(), &Clock::from_fn(|| Time(0)));
        let mut query = String::new();
        for number in 0..8 {
            write!(query, "s{number}: search(q: \"word\", first: 1) {{ next }} r{number}: recentMessages(first: 1) {{ seq }} ").unwrap();
        }
        let answer = house.ask(&admission, &format!("{{ {query} }}")).await;
        assert_eq!(answer.errors, []);
        // Of 300: one for each field, and four for the 976 values.
        for reads in [50, 50, 50, 50, 50, 30] {
            let _ = admission.take_reads(house.ann.id, reads).unwrap();
        }
        assert!(admission.take_reads(house.ann.id, 1).is_err());
    }
}
