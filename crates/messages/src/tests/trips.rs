//! How often a database that is some way off is asked, and that no transaction waits for another partition's.

use super::house::{House, caller, service, user};
use contract::RoomKind::{Channel, Direct, Group};
use contract::calls::messages as calls;
use contract::calls::threads::MarkThreadRead;
use contract::{Code, Limit, Refusal, RoomId, RoomKind};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What a batch may cost, whatever it is made of and however much: the lock, the partition's end, what others have appended; rooms, heads,
/// members, nonces, nonces of rooms, pairs, heirs; new rooms, rows of the log, ends and beginnings of memberships, who came and who left, rooms
/// that changed, read marks; and where so much has gathered for the index, its mark, what to index, the index and its mark again.
const OF_A_BATCH: u64 = 3 + 7 + 7 + 4;

type Call<'a> = BoxFuture<'a, Result<(), Refusal>>;

impl House {
    fn create<'a>(&'a self, by: u64, kind: RoomKind, others: &[u64], nonce: Option<String>) -> Call<'a> {
        let name = (kind != Direct).then(|| "n".try_into().unwrap());
        let usernames = others.iter().map(|number| user(*number).username).collect();
        let call = calls::CreateRoom { usernames, name, kind: Some(kind), nonce: nonce.map(|nonce| nonce.try_into().unwrap()) };
        async move { self.ask(&caller(by), call).await.map(|_| ()) }.boxed()
    }

    /// A thousand operations of all kinds, each of which is to be done.
    fn mixed<'a>(&'a self, rooms: &'a [RoomId]) -> Vec<Call<'a>> {
        let of = |n: u64| rooms[usize::try_from(n).unwrap() % rooms.len()];
        let mut all: Vec<Call<'a>> = Vec::new();
        for n in 0..400 {
            let nonce = (n % 2 == 0).then(|| format!("s{n}"));
            all.push(async move { self.try_send(1, of(n), "x", nonce.as_deref()).await.map(|_| ()) }.boxed());
        }
        for n in 0..200 {
            all.push(async move { self.ask(&caller(2 + n % 8), calls::MarkRead { room: of(n), seq: 1 }).await.map(|_| ()) }.boxed());
        }
        for n in 0..150 {
            all.push(async move { self.add(1_000 + n, of(n), 1_000 + n).await.map(|_| ()) }.boxed());
        }
        for n in 0..64 {
            all.push(async move { self.remove(2 + n % 8, of(n / 8), 2 + n % 8).await.map(|_| ()) }.boxed());
        }
        for n in 0..36 {
            let name = format!("named {n}");
            let call = calls::UpdateRoom::name(of(n), name.as_str().try_into().unwrap());
            all.push(async move { self.ask(&caller(1), call).await.map(|_| ()) }.boxed());
        }
        for n in 0..50 {
            all.push(self.create(1, Direct, &[2_000 + n], None));
            all.push(self.create(1, Group, &[3_000 + n], Some(format!("r{n}"))));
            all.push(self.create(1, Channel, &[], None));
        }
        all
    }

    /// Does all of it while the writers wait for their partitions' locks, so that what waits is committed together.
    async fn together(&self, all: Vec<Call<'_>>) -> Vec<Result<(), Refusal>> {
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (is_held, may_end) = (Arc::clone(&held), Arc::clone(&release));
        let holding = self.db.write(move |tx| {
            Box::pin(async move {
                for part in 0..4 {
                    tx.lock(crate::partitions::lock(part)).await?;
                }
                is_held.notify_one();
                may_end.notified().await;
                Ok(())
            })
        });
        let doing = async {
            held.notified().await;
            let (outcomes, ()) = tokio::join!(join_all(all), async {
                // All have come as far as the writers' queues by then.
                tokio::time::sleep(Duration::from_millis(500)).await;
                release.notify_one();
            });
            outcomes
        };
        let (held, outcomes) = tokio::join!(holding, doing);
        held.unwrap();
        outcomes
    }
}

pub async fn a_batch_costs_a_fixed_number_of_ways_to_the_database(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    let mut rooms = Vec::new();
    for _ in 0..16 {
        let room = house.room(1, Channel, Some("c"), &[2, 3, 4, 5, 6, 7, 8, 9]).await.id;
        house.send(1, room, "x").await;
        rooms.push(room);
    }
    // Nothing is remembered by a server that has just started.
    let fresh = House::on(house.db.clone());
    let before = house.db.trips().writes;
    let outcomes = fresh.together(fresh.mixed(&rooms)).await;
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(outcomes.len(), 1_000);
    // The first operation of a partition waits alone for the lock, and all others behind it. The four locks that were held are four ways.
    let trips = house.db.trips().writes - before - 4;
    println!("{trips} ways for 1,000 operations in 4 partitions, which may cost {}", 4 * 2 * OF_A_BATCH);
    assert!(trips <= 4 * 2 * OF_A_BATCH, "{trips}");
    house.must_be_sound().await;
}

pub async fn marks_in_threads_are_written_together(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    let readers: Vec<u64> = (2..=65).collect();
    let room = house.room(1, Group, Some("g"), &readers).await.id;
    house.send(1, room, "root").await;
    house.reply(1, room, 1, "one").await.unwrap();
    let marks = readers.iter().map(|reader| {
        let (house, by) = (&house, caller(*reader));
        async move { house.ask(&by, MarkThreadRead { room, thread: 1, seq: 2 }).await.map(|_| ()) }.boxed()
    });
    let before = house.db.trips().writes;
    let outcomes = house.together(marks.collect()).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    // Two batches, and the four locks that were held.
    let trips = house.db.trips().writes - before - 4;
    assert!(trips <= 2 * OF_A_BATCH, "{trips}");
    let stamped = "SELECT COUNT(*) FROM thread_members WHERE read_position IS NOT NULL";
    let stamped = house.db.read(move |tx| Box::pin(async move { tx.row(stamped, &[], |row| row.int(0)).await })).await.unwrap();
    assert_eq!(stamped, Some(65));
    house.must_be_sound().await;
}

/// Whoever is first, and whichever server is asked: a nonce and a pair make one room, and nobody waits for who waits in turn.
pub async fn two_servers_create_rooms_with_crossing_nonces_and_pairs(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    let other = House::on(house.db.clone());
    let began = std::time::Instant::now();
    for round in 0..10 {
        let nonce = |n: u64| Some(format!("{round} {n}"));
        let create = |server, n: u64| -> Vec<Call<'_>> {
            let server: &House = server;
            let with = 10_000 + round * 100 + n;
            // One nonce for a group and for a direct room is another request each time, and each pair is asked for by both of its two.
            vec![
                server.create(1, Group, &[2], nonce(n)),
                server.create(1, Direct, &[with], nonce(n)),
                server.create(with, Direct, &[1], nonce(n)),
                server.create(with, Group, &[1], nonce(n)),
            ]
        };
        let here = join_all((0..40).flat_map(|n| create(&house, n)));
        let there = join_all((0..40).rev().flat_map(|n| create(&other, n)));
        let (here, there) = tokio::join!(here, there);
        for outcome in here.into_iter().chain(there) {
            match outcome {
                Ok(()) => {}
                Err(refusal) => assert_eq!(refusal.code, Code::NonceConflict, "{refusal:?}"),
            }
        }
    }
    // PostgreSQL looks for a deadlock after a second of waiting, and then undoes one of the two.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let doubled =
        "SELECT COUNT(*) FROM (SELECT 1 FROM rooms WHERE nonce IS NOT NULL AND pair IS NULL GROUP BY creator, nonce HAVING COUNT(*) > 1
        UNION ALL SELECT 1 FROM rooms WHERE pair IS NOT NULL GROUP BY pair HAVING COUNT(*) > 1) AS d";
    let doubled = house.db.read(move |tx| Box::pin(async move { tx.row(doubled, &[], |row| row.int(0)).await })).await.unwrap();
    assert_eq!(doubled, Some(0));
    house.must_be_sound().await;
}

pub async fn reads_cost_a_fixed_number_of_ways_to_the_database(house: House) {
    if house.db.engine() == db::Engine::Sqlite {
        return;
    }
    let start = house.ask(&service(), calls::Head {}).await.unwrap();
    let cost = async |rooms: u64| {
        for _ in 0..rooms {
            let room = house.room(1, Group, Some("g"), &[2]).await.id;
            house.send(1, room, "x").await;
            house.send(3 - 1, room, "y").await;
        }
        let mut costs = Vec::new();
        let before = house.db.trips().reads;
        let call = calls::ReadMissed { user: user(2), cursor: start.to_string(), until: None, limit: 200, going_on: true };
        house.ask(&service(), call).await.unwrap();
        costs.push(house.db.trips().reads - before);
        let before = house.db.trips().reads;
        house.ask(&service(), calls::Heads { user: user(2).id }).await.unwrap();
        costs.push(house.db.trips().reads - before);
        let before = house.db.trips().reads;
        let asker = service();
        join_all([1, 2].map(|number| house.ask(&asker, calls::RoomsOf { user: user(number).id }))).await;
        costs.push(house.db.trips().reads - before);
        for from in [None, Some(user(1).username)] {
            let before = house.db.trips().reads;
            let call = calls::Recent { from, days: 3650, limit: Limit::try_from(10).unwrap() };
            assert_eq!(house.ask(&caller(2), call).await.unwrap().messages.len(), 10.min(usize::try_from(rooms).unwrap()));
            costs.push(house.db.trips().reads - before);
        }
        costs
    };
    let (few, many) = (cost(8).await, cost(80).await);
    println!("resume, heads, rooms, recent, recent of one: {few:?} ways with 8 rooms, {many:?} with 88");
    // A resume: ends, what is for one alone, stretches, their places; rows of each partition with their states, twice as many each time up to a
    // page; four for rooms as they are now.
    assert!(many[0] <= 4 + 4 * 6 + 4, "{many:?}");
    assert_eq!(many[1], few[1]);
    // Ends, rooms with read marks, own state, in two snapshots at the most.
    assert!(many[2] <= 2 * 3, "{many:?}");
    // The rooms, their heads, and three for each sixteen that were looked into.
    assert!(many[3] <= 2 + 3 * 2 && many[4] <= 2 + 4 * 2, "{many:?}");
}
