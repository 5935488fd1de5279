//! The writer where the database, or an operation, fails; and where somebody else writes.

use super::house::{House, caller, service, unlimited, user};
use crate::log_version::MinVersion;
use crate::names::Names;
use crate::resolve::Resolver;
use crate::send::publish::Publisher;
use crate::store::log::Kind;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation, Writer};
use crate::{MIGRATIONS, Settings};
use bus::Heard;
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::log;
use contract::{Clock, Code, MessageId, Refusal, RoomId, Time};
use db::{Access, Db, values};
use futures_util::future::join_all;
use vital::Vital;

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
    /// Not when it decides, but when the batch asks what it will look at. That is asked on a shared database alone.
    PanicBefore,
}

impl Operation for Write {
    /// The message's seq.
    type Done = i64;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        assert!(self.then != Then::PanicBefore, "a test");
        Needs::of([])
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<i64, Denied> {
        let (actor, payload) = (user(1).id, Some("x".to_owned()));
        let new = NewRow { id: Some(MessageId::new()), payload, ..NewRow::new(Kind::Message, actor) };
        let seq = batch.append(self.room, new).await?.and_then(|row| row.seq).unwrap_or(0);
        match self.then {
            Then::Done | Then::PanicBefore => {}
            // A position that is taken.
            Then::Fail => {
                let sql = "UPDATE log SET position = 1 WHERE room = $1 AND seq = $2";
                batch.tx().await?.execute(sql, &values![self.room.bytes(), seq]).await?;
            }
            Then::Panic => panic!("a test"),
        }
        Ok(seq)
    }
}

/// What became of these, which were all waiting when the writer began.
async fn written(house: &House, room: RoomId, all: &[Then]) -> Vec<Result<i64, Refusal>> {
    written_by(house, &MinVersion::default(), all.iter().map(|then| Write { room, then: *then }).collect()).await
}

/// The same of any operations, in a database of this minimal version.
pub async fn written_by<O: Operation>(house: &House, min_version: &MinVersion, all: Vec<O>) -> Vec<Result<O::Done, Refusal>> {
    let names = Names::new(house.bus.clone());
    let resolver = Resolver { db: house.db.clone(), names };
    let publisher = |part| Publisher::start(part, resolver.clone(), house.bus.clone(), &Vital::new());
    let clock = Clock::from_fn(|| Time(2_000_000_000_000));
    let (writer, running) = Writer::start(&house.db, &clock, &Vital::new(), min_version, &std::sync::Arc::default(), publisher);
    let outcomes = join_all(all.into_iter().map(|operation| writer.write(operation))).await;
    drop(writer);
    running.join_all().await;
    outcomes
}

/// The same without what else a refusal says.
fn codes(outcomes: Vec<Result<i64, Refusal>>) -> Vec<Result<i64, Code>> {
    outcomes.into_iter().map(|outcome| outcome.map_err(|refusal| refusal.code)).collect()
}

pub async fn what_cannot_be_written_takes_no_neighbour_with_it(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let outcomes = written(&house, room, &[Then::Done, Then::Fail, Then::Done, Then::Fail, Then::Done]).await;
    assert_eq!(codes(outcomes), [Ok(1), Err(Code::Internal), Ok(2), Err(Code::Internal), Ok(3)]);
    house.must_be_sound().await;
    let log =
        house.ask(&service(), calls::ReadLog { epoch: house.db.epoch(), partition: house.part(room), after: 0, limit: 100 }).await.unwrap();
    assert_eq!(log.len(), 2 + 3, "what was tried again is there once");
}

/// A panic costs the operation that it is in, nothing of which is written, and no other.
pub async fn a_panic_takes_no_neighbour_with_it(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let mut outcomes = written(&house, room, &[Then::Done, Then::Panic, Then::Done, Then::Panic, Then::Done]).await;
    for _ in 0..2 {
        let refusal = outcomes.iter().position(Result::is_err).map(|at| outcomes.remove(at).unwrap_err()).unwrap();
        assert_eq!(refusal.code, Code::Internal);
        assert!(refusal.incident.is_some_and(|id| refusal.detail.contains(&id)), "the log says why under this id");
    }
    assert_eq!(codes(outcomes), [Ok(1), Ok(2), Ok(3)]);
    house.must_be_sound().await;
    let log =
        house.ask(&service(), calls::ReadLog { epoch: house.db.epoch(), partition: house.part(room), after: 0, limit: 100 }).await.unwrap();
    assert_eq!(log.len(), 2 + 3, "what was tried again is there once, and nothing of what panicked");
    // Outside of what an operation decides, too.
    let shared = house.db.engine() == db::Engine::Postgres;
    let outcomes = codes(written(&house, room, &[Then::Done, Then::PanicBefore, Then::Done]).await);
    assert_eq!(outcomes, if shared { [Ok(4), Err(Code::Internal), Ok(5)] } else { [Ok(4), Ok(5), Ok(6)] });
    house.must_be_sound().await;
}

/// What cannot be written costs the others of its batch a commit or two more, and not one each.
pub async fn neighbours_are_committed_together_all_the_same(house: House) {
    let mut hints = house.bus.subscribe::<log::Batch>();
    let mut heard = 0;
    // In how many commits the log went on up to this position.
    let mut commits_up_to = async |end| {
        let mut commits = 0;
        while heard < end {
            let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
            assert_eq!(batch.first, heard + 1);
            (heard, commits) = (batch.last, commits + 1);
        }
        commits
    };
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    assert_eq!(commits_up_to(2).await, 1);
    for (n, wrong) in (1..).zip([Then::Fail, Then::Panic]) {
        let mut all = vec![Then::Done; 300];
        all[100] = wrong;
        let outcomes = codes(written(&house, room, &all).await);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 299);
        assert_eq!(outcomes[100], Err(Code::Internal));
        assert_eq!(commits_up_to(2 + 299 * n).await, 2, "what came before it, and what came after it");
    }
    house.must_be_sound().await;
}

/// Looks at messages, and appends one.
struct Look {
    room: RoomId,
    seqs: Vec<i64>,
}

impl Operation for Look {
    type Done = usize;

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { messages: self.seqs.clone(), ..Needs::of([]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<usize, Denied> {
        let mut seen = 0;
        for seq in &self.seqs {
            seen += usize::from(batch.message(self.room, *seq).await?.is_some());
        }
        let new = NewRow { id: Some(MessageId::new()), payload: Some("x".to_owned()), ..NewRow::new(Kind::Message, user(1).id) };
        batch.append(self.room, new).await?;
        Ok(seen)
    }
}

/// A batch holds some MiB of texts at the most; what does not fit into it is the next one, in the same order.
pub async fn long_texts_end_a_batch_early(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let long = "\u{1F600}".repeat(8_000);
    for _ in 0..300 {
        house.send(1, room, &long).await;
    }
    let mut hints = house.bus.subscribe::<log::Batch>();
    let end = house.ask(&service(), calls::Head {}).await.unwrap().positions[usize::from(house.part(room))];
    let mut heard = end;
    let mut batches_up_to = async |end: i64| {
        let mut batches = Vec::new();
        while heard < end {
            let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
            if batch.last > heard {
                heard = batch.last;
                batches.push(batch.entries.len());
            }
        }
        batches
    };
    // Thirty of 32,000 bytes in each: together 20 MiB, as they are counted.
    let all: Vec<Look> = (0..10).map(|n| Look { room, seqs: (n * 30 + 1..n * 30 + 31).collect() }).collect();
    let seen: Vec<usize> = written_by(&house, &MinVersion::default(), all).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [30; 10]);
    let batches = batches_up_to(end + 10).await;
    assert_eq!((batches.len(), batches.iter().sum::<usize>()), (2, 10), "{batches:?}");
    // The same messages again and again are one text each; and what is no message has none.
    let all = (0..10).map(|_| Look { room, seqs: (1..100).chain([0, -1, i64::MIN, i64::MAX]).collect() }).collect();
    let seen: Vec<usize> = written_by(&house, &MinVersion::default(), all).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [99; 10]);
    assert_eq!(batches_up_to(end + 20).await, [10]);
    // One that needs more than a batch holds is one of its own.
    let all = vec![Look { room, seqs: (1..=300).collect() }, Look { room, seqs: vec![1] }];
    let seen: Vec<usize> = written_by(&house, &MinVersion::default(), all).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(seen, [300, 1]);
    assert_eq!(batches_up_to(end + 22).await, [1, 1]);
    // Long sends, too: 400 of them are some 25 MiB.
    let all: Vec<Append> = (0..400).map(|_| Append { room, body: long.clone() }).collect();
    assert!(written_by(&house, &MinVersion::default(), all).await.iter().all(Result::is_ok));
    let batches = batches_up_to(end + 422).await;
    assert_eq!((batches.len(), batches.iter().sum::<usize>()), (2, 400), "{batches:?}");
    house.must_be_sound().await;
}

/// Appends a message.
struct Append {
    room: RoomId,
    body: String,
}

impl Operation for Append {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs::of([])
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let new = NewRow { id: Some(MessageId::new()), payload: Some(self.body.clone()), ..NewRow::new(Kind::Message, user(1).id) };
        batch.append(self.room, new).await?;
        Ok(())
    }
}

/// An operation takes one token, however often the writer has to try it.
pub async fn what_is_tried_again_takes_one_token(house: House) {
    let house = house.with(Settings { sends_per_second: 1, sends_burst: 3, rooms_per_minute: 2, ..unlimited() });
    let mut rooms = Vec::new();
    while rooms.len() < house.ask(&service(), calls::Head {}).await.unwrap().positions.len() {
        let room = house.room(10 + rooms.len() as u64, Channel, Some("c"), &[]).await.id;
        house.turn_clock(60_000);
        if rooms.iter().all(|other| house.part(*other) != house.part(room)) {
            house.add(1, room, 1).await.unwrap();
            rooms.push(room);
        }
    }
    let writer = house.messages.writer().unwrap();
    // All of them wait when the writer begins, so the one that cannot be written fails the others' batch.
    let fail = |room| writer.write(Write { room, then: Then::Fail });
    let send = |body| house.try_send(1, rooms[0], body, None);
    let (a, b, failed, c) = tokio::join!(send("a"), send("b"), fail(rooms[0]), send("c"));
    assert_eq!(failed.unwrap_err().code, Code::Internal);
    assert_eq!([a, b, c].map(|sent| sent.map(|sent| sent.message.seq).map_err(|refusal| refusal.code)), [Ok(2), Ok(3), Ok(4)]);
    assert_eq!(send("d").await.unwrap_err().code, Code::RateLimited, "three tokens were taken");

    let create = || {
        let call = calls::CreateRoom { usernames: vec![], name: Some("n".try_into().unwrap()), kind: Some(Group), nonce: None };
        async { house.ask(&caller(1), call).await.map(|created| created.created).map_err(|refusal| refusal.code) }
    };
    let failing = join_all(rooms.iter().map(|room| fail(*room)));
    let (a, b, failed) = tokio::join!(create(), create(), failing);
    assert!(failed.iter().all(Result::is_err));
    assert_eq!([a, b, create().await], [Ok(true), Ok(true), Err(Code::RateLimited)]);
    house.must_be_sound().await;
}

/// Two servers are asked for one room at once: the one that finds the other's has taken no token.
pub async fn a_room_that_another_server_created_takes_no_token(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    let other = House::on(house.db.clone());
    let house = house.with(Settings { rooms_per_minute: 20, ..unlimited() });
    let direct = |number| calls::CreateRoom { usernames: vec![user(number).username], name: None, kind: None, nonce: None };
    let mut created = 0;
    for n in 0..20 {
        let (mine, theirs) = (caller(1), caller(100 + n));
        let (mine, theirs) = tokio::join!(house.ask(&mine, direct(100 + n)), other.ask(&theirs, direct(1)));
        let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
        assert!(mine.room.id == theirs.room.id && mine.created != theirs.created);
        created += u32::from(mine.created);
    }
    for n in created..20 {
        assert!(house.ask(&caller(1), direct(200 + u64::from(n))).await.unwrap().created);
    }
    assert_eq!(house.ask(&caller(1), direct(300)).await.unwrap_err().code, Code::RateLimited);
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

/// A log that has lost its end (a standby was promoted before it had everything) is gone on with from where it ends now.
pub async fn a_log_that_became_shorter_is_gone_on_with(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        // Whatever changes a file under a server is another process's write.
        return;
    }
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for body in ["a", "b", "lost"] {
        house.send(1, room, body).await;
    }
    for sql in ["DELETE FROM log WHERE room = $1 AND seq = 3", "UPDATE members SET read = 2 WHERE room = $1 AND read > 2"] {
        house.db.write(move |tx| Box::pin(async move { tx.execute(sql, &values![room.bytes()]).await })).await.unwrap();
    }
    assert_eq!(house.send(1, room, "c").await.seq, 3);
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
