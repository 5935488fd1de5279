//! Rows that a newer program has written: of kinds, and of versions of kinds, that this one does not know.

use super::house::{House, caller, service, user};
use super::missed::brief;
use super::writer::written_by;
use crate::log_version::{self, LOG_VERSION, MinVersion};
use crate::search::index;
use crate::store::log::Kind;
use crate::writer::{Batch, Denied, Needs, NewRow, Operation};
use bus::Heard;
use contract::RoomKind::Group;
use contract::calls::messages as calls;
use contract::log::{Batch as Told, Event};
use contract::{Code, Limit, MessageId, RoomId};
use db::{numbers, values};

/// A row that a newer program writes.
struct Newer {
    room: RoomId,
    kind: i64,
    version: i64,
    nonce: Option<&'static str>,
}

impl Newer {
    fn of(room: RoomId, kind: i64, version: i64) -> Self {
        Self { room, kind, version, nonce: None }
    }
}

impl Operation for Newer {
    type Done = ();

    fn room(&self) -> RoomId {
        self.room
    }

    fn needs(&self) -> Needs {
        Needs { nonce: self.nonce.map(|nonce| (user(1).id, nonce.to_owned())), ..Needs::of([]) }
    }

    async fn decide(&self, batch: &mut Batch<'_>) -> Result<(), Denied> {
        let new = NewRow {
            id: Some(MessageId::new()),
            nonce: self.nonce.map(str::to_owned),
            payload: Some("words of tomorrow".to_owned()),
            ..NewRow::new(Kind::Unknown { number: self.kind, version: self.version }, user(1).id)
        };
        batch.append(self.room, new).await?;
        Ok(())
    }
}

impl House {
    async fn write_newer(&self, rows: Vec<Newer>) {
        for outcome in written_by(self, &MinVersion::of(i64::MAX), rows).await {
            outcome.unwrap();
        }
    }

    /// What a newer program tells somebody alone.
    async fn address_newer(&self, room: RoomId, to: u64) {
        let sql = "INSERT INTO log (position, part, room, seq, kind, version, actor, subject, messages, newest, member_count, created_at)
            SELECT (SELECT MAX(position) + 1 FROM log WHERE part = l.part), part, room, NULL, 999, 1, actor, $2, messages, newest,
                member_count, created_at FROM log l WHERE room = $1 AND seq = (SELECT MAX(seq) FROM log WHERE room = $1)";
        let values = values![room.bytes(), user(to).id.bytes()];
        self.db.write(move |tx| Box::pin(async move { tx.execute(sql, &values).await })).await.unwrap();
    }

    /// What this user has missed since the beginning.
    async fn all_missed(&self, number: u64) -> Vec<String> {
        let cursor = contract::Cursor::new(self.db.epoch(), vec![0; usize::from(self.messages.partitions.count())]);
        let call = calls::ReadMissed { user: user(number), cursor: cursor.to_string(), until: None, limit: 100, going_on: false };
        let calls::Missed::Entries { entries, more, .. } = self.ask(&service(), call).await.unwrap() else { panic!("too far") };
        assert!(!more);
        entries.iter().map(brief).collect()
    }

    async fn finds(&self, q: &str) -> Vec<String> {
        let call = calls::Search { q: q.to_owned(), limit: Limit::MOST, ..calls::Search::default() };
        let page = self.ask(&caller(2), call).await.unwrap().page;
        page.items.into_iter().map(|found| found.message.body.to_string()).collect()
    }
}

pub async fn rows_of_a_newer_program_pass_on_every_path(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    house.send(1, room, "words of today").await;
    let of_today = house.send(1, room, "more words").await;
    let seen = house.see(2, room).await.unwrap();
    house
        .write_newer(vec![Newer::of(room, 999, 1), Newer::of(room, 3, 99), Newer { nonce: Some("again"), ..Newer::of(room, 2, 99) }])
        .await;
    house.address_newer(room, 2).await;

    // The newest row is one of them. The room is seen, and what comes next follows it without a gap.
    let room_now = house.see(2, room).await.unwrap();
    assert_eq!((seen.head, room_now.head), (2, 5));
    assert_eq!(room_now.member_count, seen.member_count);
    assert_eq!(room_now.last_message, Some(of_today));
    assert_eq!(house.send(2, room, "after all").await.seq, 6);

    let kinds = ["1 words of today", "2 more words", "Some(3) kind 999 None", "Some(4) kind 3 None", "Some(5) kind 2 None"];
    let replay = |number: u64| {
        let mut all = vec![format!("room for u{number}")];
        all.extend(kinds.map(str::to_owned));
        all.extend((number == 2).then(|| "kind 999 for u2".to_owned()));
        all.push("6 after all".to_owned());
        all
    };
    assert_eq!(house.all_missed(1).await, replay(1));
    assert_eq!(house.all_missed(2).await, replay(2));
    let part = house.part(room);
    let log = house.ask(&service(), calls::ReadLog { epoch: house.db.epoch(), partition: part, after: 0, limit: 100 }).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.position).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());

    // Pages show the messages that this program can show, and lead past the others.
    let history = |after, before, limit| calls::History { room, before, after, thread: None, limit: Limit::try_from(limit).unwrap() };
    let seqs = |page: contract::Page<contract::Message>| (page.items.iter().map(|m| m.seq).collect::<Vec<_>>(), page.next);
    assert_eq!(seqs(house.ask(&caller(2), history(None, None, 50)).await.unwrap()), (vec![1, 2, 6], None));
    assert_eq!(seqs(house.ask(&caller(2), history(Some(0), None, 3)).await.unwrap()), (vec![1, 2, 6], None));
    assert_eq!(seqs(house.ask(&caller(2), history(Some(5), None, 3)).await.unwrap()), (vec![6], None));
    assert_eq!(seqs(house.ask(&caller(2), history(None, Some(6), 1)).await.unwrap()), (vec![2], Some("2".into())));
    let stretches = calls::Histories { rooms: vec![room], after: 0, before: None, newest: true, limit: Limit::MOST };
    let stretch = house.ask(&caller(2), stretches).await.unwrap().pop().unwrap().answer.unwrap();
    assert_eq!(stretch.messages.iter().map(|m| m.seq).collect::<Vec<_>>(), [1, 2, 6]);
    let recent = house.ask(&caller(2), calls::Recent { from: None, days: 3650, limit: Limit::MOST }).await.unwrap();
    assert_eq!(recent.messages.iter().map(|m| m.seq).collect::<Vec<_>>(), [2, 1]);
    let mine = house.ask(&caller(2), calls::MyRooms { after: None, limit: Limit::MOST }).await.unwrap();
    assert_eq!(mine.items[0].last_message.as_ref().map(|m| m.seq), Some(6));
    let heads = house.ask(&service(), calls::Heads { user: user(2).id }).await.unwrap();
    assert_eq!(heads.rooms[0].head, 6);

    // The search finds what it can show, from the log and from the index.
    assert_eq!(house.finds("words").await, ["more words", "words of today"]);
    index::catch_up(&house.db, 1, |_| {}).await.unwrap();
    assert_eq!(house.finds("words").await, ["more words", "words of today"]);

    // A send whose first is such a row is not written twice.
    let again = house.try_send(1, room, "words of tomorrow", Some("again")).await.unwrap_err();
    assert_eq!(again.code, Code::Busy);
    // Nor does such a row stand in the way of anything else.
    house.add(1, room, 3).await.unwrap();
    house.remove(3, room, 3).await.unwrap();
    house.ask(&caller(1), calls::MarkRead { room, seq: 5 }).await.unwrap();
    let report = crate::check(&house.db).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.counts[1].1, 4);
}

pub async fn a_hint_with_a_row_of_a_newer_program_keeps_its_places(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let mut hints = house.bus.subscribe::<Told>();
    house.write_newer(vec![Newer::of(room, 999, 1), Newer::of(room, 5, 99)]).await;
    // That the room was created may be told after it was subscribed to.
    let batch = loop {
        let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
        if batch.first > 2 {
            break batch;
        }
    };
    let told: Vec<_> = batch.entries.iter().map(|entry| (entry.position, brief(entry))).collect();
    assert_eq!(told, [(3, "Some(1) kind 999 None".to_owned()), (4, "Some(2) kind 5 None".to_owned())]);
    assert!(batch.entries.iter().all(|entry| matches!(entry.event, Event::Unknown(_)) && entry.event.room() == room));
}

pub async fn a_new_kind_is_written_once_the_upgrade_is_finished(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    let refused = written_by(&house, &MinVersion::of(LOG_VERSION), vec![Newer::of(room, 999, 1)]).await;
    assert_eq!(refused.into_iter().next().unwrap().unwrap_err().code, Code::Busy);
    assert_eq!(house.send(1, room, "a known kind").await.seq, 1);

    // A database from before there were versions is at the first; a new one begins at this program's.
    house.messages.start_check().await.unwrap();
    assert_eq!(log_version::finish_upgrade(&house.db).await.unwrap(), (1, LOG_VERSION));
    assert_eq!(log_version::finish_upgrade(&house.db).await.unwrap(), (LOG_VERSION, LOG_VERSION));
    house.messages.start_check().await.unwrap();
    // A newer program has finished: this one does not start any more, and does not lower it.
    house.db.write(|tx| Box::pin(numbers::raise(tx, "log_min_version", LOG_VERSION + 1))).await.unwrap();
    let refusal = house.messages.start_check().await.unwrap_err().to_string();
    assert!(refusal.contains("run the newer version of guild"), "{refusal}");
    assert_eq!(log_version::finish_upgrade(&house.db).await.unwrap(), (LOG_VERSION + 1, LOG_VERSION + 1));
}
