//! The writer where the database, or an operation, fails; and where somebody else writes.

use super::house::{House, caller, service, user};
use crate::MIGRATIONS;
use crate::names::Names;
use crate::publish::Publisher;
use crate::resolve::Resolver;
use crate::store::log::Kind;
use crate::writer::{Batch, Denied, NewRow, Operation, Writer};
use contract::RoomKind::{Direct, Group};
use contract::calls::messages as calls;
use contract::{Clock, Code, MessageId, Refusal, RoomId, Time};
use db::{Access, Db, values};
use futures_util::future::join_all;

/// Appends a message, and then goes wrong in one way or in none.
struct Write {
    room: RoomId,
    then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Done,
    Fail,
    Panic,
}

impl Operation for Write {
    /// The message's seq.
    type Done = i64;

    fn room(&self) -> RoomId {
        self.room
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<i64, Denied> {
        let (actor, payload) = (user(1).id, Some("x".to_owned()));
        let new = NewRow { kind: Kind::Message, actor, subject: None, id: Some(MessageId::new()), nonce: None, payload };
        let seq = batch.append(self.room, new).await?.and_then(|row| row.seq).unwrap_or(0);
        match self.then {
            Then::Done => {}
            // A position that is taken.
            Then::Fail => _ = batch.tx().await?.execute("UPDATE log SET position = 1 WHERE seq = $1", &values![seq]).await?,
            Then::Panic => panic!("a test"),
        }
        Ok(seq)
    }
}

/// What became of these, which were all waiting when the writer began.
async fn written(house: &House, room: RoomId, all: &[Then]) -> Vec<Result<i64, Code>> {
    let names = Names::new(house.bus.clone());
    let resolver = Resolver { db: house.db.clone(), names };
    let publisher = |part| Publisher::start(part, resolver.clone(), house.bus.clone());
    let (writer, running) = Writer::start(&house.db, &Clock::from_fn(|| Time(2_000_000_000_000)), publisher);
    let outcomes = join_all(all.iter().map(|then| writer.write(Write { room, then: *then }))).await;
    drop(writer);
    running.join_all().await;
    outcomes.into_iter().map(|outcome| outcome.map_err(|refusal: Refusal| refusal.code)).collect()
}

pub async fn what_cannot_be_written_takes_no_neighbour_with_it(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let outcomes = written(&house, room, &[Then::Done, Then::Fail, Then::Done, Then::Fail, Then::Done]).await;
    assert_eq!(outcomes, [Ok(1), Err(Code::Internal), Ok(2), Err(Code::Internal), Ok(3)]);
    house.must_be_sound().await;
    let log = house.ask(&service(), calls::ReadLog { partition: house.part(room), after: 0, limit: 100 }).await.unwrap();
    assert_eq!(log.len(), 2 + 3, "what was tried again is there once");
}

pub async fn a_panic_in_a_transaction_leaves_nothing_behind(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let outcomes = written(&house, room, &[Then::Done, Then::Panic, Then::Done]).await;
    assert_eq!(outcomes, [Err(Code::Internal); 3], "nobody is told of a commit that was not");
    assert_eq!(written(&house, room, &[Then::Done]).await, [Ok(1)]);
    house.must_be_sound().await;
}

/// Two servers over one database: each decides upon what the other has written, and what both have written is one log.
pub async fn two_servers_write_one_log(house: House) {
    let other = House::on(house.db.clone());
    if house.db.engine() == db::Engine::Sqlite {
        // One server at a time has a SQLite file.
        return;
    }
    let mut rooms = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        rooms.push(house.room(1, Group, Some(name), &[2, 3, 4]).await.id);
    }
    let (house, other) = (&house, &other);
    let sends = rooms.iter().flat_map(|room| {
        (0..40).map(move |n| async move {
            let nonce = format!("{}", n / 2);
            // Each nonce goes through both.
            let server = if n % 2 == 0 { house } else { other };
            server.try_send(1 + n / 2 % 3, *room, &nonce, Some(&nonce)).await.unwrap()
        })
    });
    let sent = join_all(sends).await;
    assert_eq!(sent.iter().filter(|sent| sent.created).count(), rooms.len() * 20, "each nonce once");
    // A membership that ended at one server has ended at the other; so has what is remembered of a room.
    other.send(3, rooms[0], "remembered").await;
    house.remove(1, rooms[0], 3).await.unwrap();
    assert_eq!(other.try_send(3, rooms[0], "no member any more", None).await.unwrap_err().code, Code::NotFound);
    // A read mark that moved at one server does not fall back at the other.
    other.send(1, rooms[1], "newer").await;
    let mark = async |server: &House, seq| server.ask(&caller(4), calls::MarkRead { room: rooms[1], seq }).await.unwrap().read;
    assert_eq!([mark(house, 3).await, mark(other, 20).await, mark(house, 5).await, mark(other, 4).await], [3, 20, 20, 20]);
    house.must_be_sound().await;
}

/// Two servers are asked for one room, at once.
pub async fn two_servers_create_a_room_once(house: House) {
    let other = House::on(house.db.clone());
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    for n in 0..20_u64 {
        let (one, two) = ([100 + n], [200 + n]);
        let (a, b) = tokio::join!(house.room(100 + n, Direct, None, &two), other.room(200 + n, Direct, None, &one));
        assert_eq!(a.id, b.id);
    }
    house.must_be_sound().await;
}

#[tokio::test]
async fn what_another_process_has_written_is_decided_upon() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("guild.db").display()).parse().unwrap();
    let house = House::on(Db::open(&url, &[MIGRATIONS], Access::Server).await.unwrap());
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(2, room, "remembered").await;
    let tool = Db::open(&url, &[MIGRATIONS], Access::Tool).await.unwrap();
    let sql = "UPDATE members SET state = 'left' WHERE member = $1";
    tool.write(move |tx| Box::pin(async move { tx.execute(sql, &values![user(2).id.bytes()]).await })).await.unwrap();
    assert_eq!(house.try_send(2, room, "no member any more", None).await.unwrap_err().code, Code::NotFound);
}
