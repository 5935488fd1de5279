//! The log itself: hints, the check, history.

use super::house::{House, caller, service};
use bus::Heard;
use contract::RoomKind::Group;
use contract::calls::messages as calls;
use contract::log::{Batch, Entry};
use contract::{Code, Limit};
use db::values;
use futures_util::future::join_all;

pub async fn hints_follow_the_log_without_a_gap(house: House) {
    let mut hints = house.bus.subscribe::<Batch>();
    let room = house.room(1, Group, Some("g"), &[2, 3]).await.id;
    join_all((0..100).map(|n| house.try_send(1, room, "x", Some(if n % 2 == 0 { "same" } else { "other" })))).await;
    house.add(1, room, 4).await.unwrap();
    house.remove(1, room, 2).await.unwrap();
    let end = house.ask(&service(), calls::Head {}).await.unwrap().positions[usize::from(house.part(room))];
    // Three rooms created, two messages, a room and a join, a leave.
    assert_eq!(end, 3 + 2 + 2 + 1);
    let mut heard: Vec<Entry> = Vec::new();
    while heard.len() < usize::try_from(end).unwrap() {
        let Some(Heard::Hint(batch)) = hints.next().await else { panic!("a hint was missed") };
        assert_eq!(batch.first, heard.len() as i64 + 1);
        heard.extend(batch.entries.iter().cloned());
        assert_eq!(batch.last, heard.len() as i64);
    }
    let read = house
        .ask(&service(), calls::ReadLog { epoch: house.db.epoch(), partition: house.part(room), after: 0, limit: 1000 })
        .await
        .unwrap();
    let places = |entries: &[Entry]| entries.iter().map(|entry| (entry.position, entry.event.room())).collect::<Vec<_>>();
    assert_eq!(places(&heard), places(&read));
    assert_eq!(
        house.ask(&caller(1), calls::ReadLog { epoch: house.db.epoch(), partition: 0, after: 0, limit: 1 }).await.unwrap_err().code,
        Code::Forbidden
    );
}

pub async fn check_passes_and_finds_what_is_broken(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for _ in 0..5 {
        house.send(1, room, "x").await;
    }
    house.add(1, room, 3).await.unwrap();
    house.remove(1, room, 2).await.unwrap();
    let report = crate::check(&house.db).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.rules.len() >= 15);
    assert_eq!(report.counts[1], ("messages", 5));
    // Each of these breaks a rule; each must be found, by the rule that is meant.
    let breakages = [
        ("UPDATE log SET position = position + 10 WHERE position = (SELECT MAX(position) FROM log)", "positions count"),
        ("UPDATE log SET part = part + 1 WHERE seq = 3", "in one partition"),
        ("UPDATE log SET seq = seq + 10 WHERE seq = (SELECT MAX(seq) FROM log)", "seqs count"),
        ("UPDATE log SET messages = messages + 1 WHERE seq = 3", "count of messages"),
        ("UPDATE log SET newest = 1 WHERE seq = 3", "newest message"),
        ("UPDATE log SET member_count = 9 WHERE seq = 3", "count of members"),
        ("UPDATE log SET created_at = 0 WHERE seq = 3", "times never fall"),
        ("UPDATE rooms SET member_count = 9", "a room counts its members"),
        ("UPDATE members SET read = 99 WHERE state = 'active'", "read past"),
        ("UPDATE members SET state = 'left'", "memberships"),
        ("UPDATE stays SET from_seq = 0, from_position = 99 WHERE to_seq IS NULL", "memberships"),
        ("UPDATE log SET id = (SELECT id FROM log WHERE seq = 1) WHERE seq = 2", "id stands once"),
        ("UPDATE log SET actor = subject WHERE kind = 4", "none"),
    ];
    for (sql, rule) in breakages {
        let outcome = house
            .db
            .write::<(), _>(move |tx| {
                Box::pin(async move {
                    tx.execute(sql, &values![]).await?;
                    let report = crate::check::inside(tx, false).await?;
                    // Undone: the next breakage starts from a sound database.
                    Err(db::Error::Conflict(report.problems.join("\n")))
                })
            })
            .await;
        let Err(db::Error::Conflict(problems)) = outcome else { panic!("{sql}: {outcome:?}") };
        if rule == "none" {
            assert_eq!(problems, "", "{sql}");
        } else {
            assert!(problems.contains(rule), "{sql}: {problems:?}");
        }
    }
    house.must_be_sound().await;
}

pub async fn history_pages_both_ways(house: House) {
    let room = house.room(1, Group, Some("g"), &[2]).await.id;
    for n in 1..=4 {
        house.send(1, room, &n.to_string()).await;
    }
    house.add(1, room, 3).await.unwrap();
    for n in 6..=9 {
        house.send(1, room, &n.to_string()).await;
    }
    let page = async |number, before, after, limit| {
        let call = calls::History { room, before, after, thread: None, limit: Limit::try_from(limit).unwrap() };
        house.ask(&caller(number), call).await.map(|page| (page.items.iter().map(|m| m.seq).collect::<Vec<_>>(), page.next))
    };
    assert_eq!(page(2, None, None, 3).await.unwrap(), (vec![7, 8, 9], None));
    assert_eq!(page(2, Some(7), None, 3).await.unwrap(), (vec![3, 4, 6], Some("6".into())));
    assert_eq!(page(2, Some(3), None, 3).await.unwrap(), (vec![1, 2], Some("2".into())));
    assert_eq!(page(2, Some(1), None, 3).await.unwrap(), (vec![], None));
    assert_eq!(page(3, None, Some(0), 3).await.unwrap(), (vec![1, 2, 3], Some("3".into())), "the whole history, also for who came late");
    assert_eq!(page(2, None, Some(7), 3).await.unwrap(), (vec![8, 9], None));
    assert_eq!(page(2, None, Some(9), 3).await.unwrap(), (vec![], None));
    assert_eq!(page(2, Some(3), Some(1), 3).await.unwrap_err().code, Code::InvalidRequest);
    assert_eq!(page(2, Some(-3), None, 3).await.unwrap_err().field.as_deref(), Some("before"));
    assert_eq!(page(4, None, None, 3).await.unwrap_err().code, Code::NotFound);
}
