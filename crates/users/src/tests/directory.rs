use super::*;
use contract::calls::users::{GetUser, GetUsers, ListUsers, UsersById, UsersByName};
use contract::{Limit, Page, User, UserId};

async fn house() -> (House, Caller) {
    let house = House::new(settings(Mode::Open)).await;
    for username in ["bob", "al", "alice", "alice-2", "a.b", "zoe", "alf"] {
        house.log_in(username, "").await.unwrap();
    }
    let who = house.caller(&house.log_in("al", "").await.unwrap().login.token).await;
    (house, who)
}

fn names(page: &Page<User>) -> Vec<&str> {
    page.items.iter().map(|user| user.username.as_str()).collect()
}

pub(super) async fn it_is_paged_by_username() {
    let (house, who) = house().await;
    let page = |prefix: &str, after: Option<String>, limit: i64| {
        let call = ListUsers { prefix: prefix.into(), after, limit: Limit::try_from(limit).unwrap() };
        house.bus.ask(&who, call)
    };
    let first = page("", None, 3).await.unwrap();
    assert_eq!(names(&first), ["a.b", "al", "alf"]);
    let second = page("", first.next, 3).await.unwrap();
    assert_eq!(names(&second), ["alice", "alice-2", "bob"]);
    let third = page("", second.next, 3).await.unwrap();
    assert_eq!((names(&third), &third.next), (vec!["zoe"], &None));
    assert_eq!(names(&page("al", None, 50).await.unwrap()), ["al", "alf", "alice", "alice-2"]);
    assert_eq!(names(&page("alice-", None, 50).await.unwrap()), ["alice-2"]);
    for nothing in ["ä", "%", "a~", "a\0", &"a".repeat(99)] {
        assert_eq!(names(&page(nothing, None, 50).await.unwrap()), [""; 0], "{nothing:?}");
    }
    assert_eq!(code(page("", Some("\0".into()), 3).await), Code::InvalidRequest);
    assert_eq!(
        code(house.bus.ask(&Caller::Anonymous, ListUsers { prefix: "".into(), after: None, limit: Limit::default() }).await),
        Code::Unauthenticated
    );
}

pub(super) async fn one_user_is_there_or_not() {
    let (house, who) = house().await;
    let user = house.bus.ask(&who, GetUser { username: name("alf") }).await.unwrap();
    assert_eq!((user.username.as_str(), user.online), ("alf", Some(false)));
    assert_eq!(code(house.bus.ask(&who, GetUser { username: name("nobody") }).await), Code::NotFound);
}

pub(super) async fn several_users_cost_one_statement() {
    let (house, who) = house().await;
    let ask = |names: &[&str]| house.bus.ask(&who, GetUsers { usernames: names.iter().copied().map(name).collect() });
    for wanted in [&["zoe"][..], &["zoe", "nobody", "a.b", "alice-2", "bob"], &[]] {
        let before = house.db.statements();
        let users = ask(wanted).await.unwrap();
        assert_eq!(house.db.statements() - before, u64::from(!wanted.is_empty()));
        let found: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
        assert_eq!(found, wanted.iter().copied().filter(|name| *name != "nobody").collect::<Vec<_>>());
        assert!(users.iter().all(|user| user.online == Some(false)));
    }
    let too_many: Vec<String> = (0..1_001).map(|number| format!("u{number}")).collect();
    assert_eq!(code(ask(&too_many.iter().map(String::as_str).collect::<Vec<_>>()).await), Code::InvalidRequest);
    assert_eq!(code(house.bus.ask(&Caller::Anonymous, GetUsers { usernames: vec![name("zoe")] }).await), Code::Unauthenticated);
}

pub(super) async fn services_look_up_by_id_and_name() {
    let (house, who) = house().await;
    let found = house.bus.ask(&service(), UsersByName { usernames: vec![name("zoe"), name("nobody"), name("bob")] }).await.unwrap();
    assert_eq!(found.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["zoe", "bob"]);
    let ids: Vec<UserId> = found.iter().map(|user| user.id).chain([UserId::new()]).collect();
    for _ in 0..2 {
        let users = house.bus.ask(&service(), UsersById { ids: ids.clone(), brief: false }).await.unwrap();
        assert_eq!(users.iter().map(|user| user.id).collect::<Vec<_>>(), ids[..2]);
    }
    assert_eq!(code(house.bus.ask(&who, UsersById { ids, brief: false }).await), Code::Forbidden);
    assert_eq!(code(house.bus.ask(&who, UsersByName { usernames: vec![] }).await), Code::Forbidden);
}
