//! The same promises on both engines.

use super::*;
use crate::tests::postgres;
use crate::token;
use contract::calls::users::ChangeProfile;
use contract::{GatewayId, Patch, TokenId, UserRef};
use db::Access;
use std::time::Duration;

const NOW: Time = Time(1_800_000_000_000);

async fn sqlite() -> Store {
    Store::new(Db::open(&"sqlite::memory:".parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap())
}

#[tokio::test]
async fn sqlite_keeps_the_promises() {
    promises(&sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_promises() {
    let server = postgres::Server::start();
    let db = Db::open(&server.url().parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap();
    promises(&Store::new(db.clone())).await;
    let other = Db::open(&server.url().parse().unwrap(), &[MIGRATIONS], Access::Server).await.unwrap();
    two_servers(&Store::new(db.clone()), &Store::new(other)).await;
    db.close().await;
}

async fn promises(store: &Store) {
    accounts(store).await;
    profiles(store).await;
    order(store).await;
    tokens(store).await;
    presence(store).await;
}

/// What two servers do at once is done once, and told once.
async fn two_servers(one: &Store, other: &Store) {
    let until = Time(NOW.0 + 15_000);
    let (here, there) = (GatewayId::new(), GatewayId::new());
    for round in 0..40 {
        let names: Vec<String> = (0..6).map(|number| format!("race{round}.{number}")).collect();
        let both: Vec<NewUser> = names.iter().map(|name| new(name)).collect();
        let crosswise = names.iter().rev().map(|name| new(name)).collect();
        let (first, second) = tokio::join!(one.create_all(both), other.create_all(crosswise));
        let (first, mut second) = (first.unwrap(), second.unwrap());
        second.reverse();
        assert!(first.iter().zip(&second).all(|(a, b)| a != b), "each username is created once: {first:?} {second:?}");

        let name = format!("single{round}");
        let (first, second) = tokio::join!(one.create(new(&name), Some(minted(&format!("a{name}")))), other.create(new(&name), None));
        assert!(first.unwrap() != second.unwrap(), "one of them was first");
        let user = one.account_by_name(&Username::try_from(name).unwrap()).await.unwrap().unwrap().user;
        let user = UserRef { id: user.id, username: user.username };

        let (first, second) =
            tokio::join!(one.change_profile(user.id, notes("a", "x"), NOW), other.change_profile(user.id, notes("b", "x"), NOW));
        assert!(matches!((first.unwrap(), second.unwrap()), (Changed::Done(_), Changed::Done(_))));
        let both = one.user(&user.username, NOW).await.unwrap().unwrap().metadata;
        assert_eq!(serde_json::to_value(both).unwrap(), serde_json::json!({"a": "x", "b": "x"}), "neither change is lost");

        let change = |gateway, online| vec![Change { gateway, user: user.clone(), online }];
        for online in [true, false] {
            let (first, second) =
                tokio::join!(one.set_presence(change(here, online), NOW, until), other.set_presence(change(there, online), NOW, until));
            let told = [first.unwrap(), second.unwrap()].concat();
            assert_eq!(told, [(user.clone(), online)], "told once");
        }
        one.set_presence(change(here, true), NOW, until).await.unwrap();
        let (first, second) = tokio::join!(one.end_dead_gateways(until), other.end_dead_gateways(until));
        assert_eq!([first.unwrap(), second.unwrap()].concat(), std::slice::from_ref(&user), "told once");

        // A lease that is renewed while somebody ends it either lasts or is over, with the gateway's users.
        one.set_presence(change(here, true), NOW, until).await.unwrap();
        let (renewed, gone) = tokio::join!(one.renew_lease(here, Time(until.0 + 15_000)), other.end_dead_gateways(until));
        let (renewed, gone) = (renewed.unwrap(), gone.unwrap());
        assert_eq!(renewed, gone.is_empty(), "{gone:?}");
        one.end_gateway(here, until).await.unwrap();
    }
    let expired = Time(i64::MAX);
    let (first, second) = tokio::join!(one.remove_expired(expired), other.remove_expired(expired));
    assert!(first.unwrap() + second.unwrap() > 0);
    assert_eq!(one.remove_expired(expired).await.unwrap(), 0);
}

fn new(username: &str) -> NewUser {
    NewUser::new(Username::try_from(username).unwrap(), NOW).unwrap()
}

fn minted(text: &str) -> NewToken {
    NewToken { hash: token::hash(text), created_at: NOW, expires_at: NOW.plus(Duration::from_secs(60)) }
}

async fn identity(store: &Store, credential: Credential) -> Identity {
    store.look_up(vec![credential]).await.unwrap().pop().unwrap()
}

async fn by_origin(store: &Store, origin: &str) -> Option<Account> {
    let token = TokenId::from_bytes([7; 16]);
    match identity(store, Credential::Foreign { token, origin: origin.to_owned() }).await {
        Identity::Account(account) => Some(account),
        _ => None,
    }
}

async fn by_token(store: &Store, text: &str) -> Option<tokens::TokenHolder> {
    match identity(store, Credential::Token(token::hash(text))).await {
        Identity::Holder(held) => Some(held),
        _ => None,
    }
}

async fn is_denied(store: &Store, token: TokenId) -> bool {
    matches!(identity(store, Credential::Foreign { token, origin: String::new() }).await, Identity::LoggedOut)
}

async fn accounts(store: &Store) {
    assert!(!store.holds_passwords().await.unwrap());
    let alice = NewUser { password: Some("one".into()), ..new("alice") };
    assert!(store.create(alice.clone(), Some(minted("first"))).await.unwrap());
    assert!(!store.create(NewUser { id: UserId::new(), ..alice.clone() }, Some(minted("lost"))).await.unwrap(), "the name is taken");
    assert!(by_token(store, "lost").await.is_none(), "and nothing else happened");
    let host = NewUser { origin: Some("[null,\"bob\"]".into()), ..new("bob") };
    assert!(store.create(host.clone(), None).await.unwrap());
    assert!(!store.create(NewUser { origin: host.origin.clone(), ..new("bob2") }, None).await.unwrap(), "the origin is taken");
    assert!(store.holds_passwords().await.unwrap());
    let (abel, abba) = (NewUser { origin: Some("[null,\"abel\"]".into()), ..new("abel") }, new("abba"));
    let created = store.create_all(vec![abel.clone(), NewUser { id: UserId::new(), ..abel.clone() }, abba.clone(), new("bob")]).await;
    assert_eq!(created.unwrap(), [true, false, true, false], "each for itself");
    let credentials = ["abba", "nobody", "abel"].map(|name| Credential::Username(Username::try_from(name).unwrap())).to_vec();
    let found = store.look_up(credentials).await.unwrap();
    assert!(
        matches!(&found[..], [Identity::Account(a), Identity::Unknown, Identity::Account(b)] if a.user.id == abba.id && b.user.id == abel.id)
    );

    let found = store.account_by_name(&alice.username).await.unwrap().unwrap();
    assert_eq!((found.user.clone(), found.password.as_deref(), found.disabled), (User::from(&alice), Some("one"), false));
    assert_eq!(store.account_by_id(alice.id).await.unwrap().unwrap().user, found.user);
    assert_eq!(by_origin(store, "[null,\"bob\"]").await.unwrap().user.id, host.id);
    assert!(by_origin(store, "[null,\"alice\"]").await.is_none());

    assert!(!store.set_password(alice.id, Some("wrong".into()), "two".into(), None).await.unwrap());
    assert!(by_token(store, "first").await.is_some());
    assert!(store.set_password(alice.id, Some("one".into()), "two".into(), None).await.unwrap());
    assert!(by_token(store, "first").await.is_none());
    assert!(!store.set_password(UserId::new(), None, "x".into(), None).await.unwrap());

    assert!(!store.set_disabled(UserId::new(), Some(NOW)).await.unwrap());
}

async fn profiles(store: &Store) {
    let user = new("pat");
    store.create(user.clone(), None).await.unwrap();
    let shown = DisplayName::try_from("Ä\u{1f600}").unwrap();
    let Changed::Done(changed) = store.change_profile(user.id, ChangeProfile::display_name(shown.clone()), NOW).await.unwrap() else {
        panic!("it changes something")
    };
    assert_eq!(changed, User { display_name: shown.clone(), online: Some(false), ..User::from(&user) });
    let again = store.change_profile(user.id, ChangeProfile::display_name(shown.clone()), NOW).await.unwrap();
    assert!(matches!(again, Changed::Same(user) if user == changed));
    let nobody = store.change_profile(UserId::new(), ChangeProfile::display_name(shown), NOW).await.unwrap();
    assert!(matches!(nobody, Changed::NoUser));
    let refused = store.change_profile(user.id, notes("a", &"x".repeat(5_000)), NOW).await.unwrap();
    assert!(matches!(refused, Changed::Refused(_)));
    for note in ["a", "b"] {
        store.change_profile(user.id, notes(note, "\0Ä"), NOW).await.unwrap();
    }
    let kept = store.user(&user.username, NOW).await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&kept.metadata).unwrap(), serde_json::json!({"a": "\0Ä", "b": "\0Ä"}));
    let account = store.account_by_id(user.id).await.unwrap().unwrap();
    assert_eq!(account.user, User { online: None, ..kept.clone() });
    assert_eq!(store.users_by_id(vec![user.id]).await.unwrap(), [account.user]);
}

/// A change that adds this to a user's metadata.
fn notes(name: &str, value: &str) -> ChangeProfile {
    let note = serde_json::Map::from_iter([(name.to_owned(), value.into())]);
    ChangeProfile { metadata: Patch::Set(note), ..ChangeProfile::default() }
}

async fn order(store: &Store) {
    for username in ["o-1", "o.1", "o1", "o_1", "oa"] {
        store.create(new(username), None).await.unwrap();
    }
    let names = |users: Vec<User>| users.into_iter().map(|user| String::from(user.username)).collect::<Vec<_>>();
    assert_eq!(names(store.directory("o", "", 9, NOW).await.unwrap()), ["o-1", "o.1", "o1", "o_1", "oa"], "bytewise");
    assert_eq!(names(store.directory("o", "o1", 1, NOW).await.unwrap()), ["o_1"]);
    let all: Vec<String> = store.accounts("bob", 2).await.unwrap().into_iter().map(|account| account.user.username.into()).collect();
    assert_eq!(all, ["o-1", "o.1"]);
    let names = ["oa", "nobody", "o1"].map(|name| Username::try_from(name).unwrap()).to_vec();
    let found = store.users_by_name(names).await.unwrap();
    assert_eq!(found.len(), 2);
    let ids = found.iter().map(|user| user.id).chain([UserId::new()]).collect();
    let by_id: Vec<_> =
        store.users_by_id(ids).await.unwrap().into_iter().map(|user| UserRef { id: user.id, username: user.username }).collect();
    assert_eq!(by_id, found);
}

async fn tokens(store: &Store) {
    let user = NewUser { password: Some("pw".into()), ..new("tess") };
    store.create(user.clone(), None).await.unwrap();
    assert!(store.add_token(user.id, Some("pw".into()), minted("a")).await.unwrap());
    assert!(store.add_token(user.id, Some("pw".into()), minted("b")).await.unwrap());
    assert!(!store.add_token(user.id, Some("old".into()), minted("c")).await.unwrap(), "the password has changed meanwhile");
    assert!(!store.add_token(user.id, None, minted("c")).await.unwrap());
    let held = by_token(store, "a").await.unwrap();
    assert_eq!((held.user, held.expires_at, held.has_password), (User::from(&user), minted("a").expires_at, true));

    let (a, b) = (token::name(&token::hash("a")), token::name(&token::hash("b")));
    let ended = |session: super::tokens::SessionState| !session.stored;
    let ask = || vec![(a, user.id), (b, user.id), (b, UserId::new())];
    assert_eq!(store.session_states(ask()).await.unwrap().into_iter().map(ended).collect::<Vec<_>>(), [false, false, true]);
    assert!(store.remove_token(a).await.unwrap());
    assert!(!store.remove_token(a).await.unwrap());
    assert_eq!(store.session_states(ask()).await.unwrap().into_iter().map(ended).collect::<Vec<_>>(), [true, false, true]);

    assert!(store.set_disabled(user.id, Some(NOW)).await.unwrap());
    assert!(by_token(store, "b").await.is_none());
    assert!(store.account_by_id(user.id).await.unwrap().unwrap().disabled);
    assert!(!store.add_token(user.id, Some("pw".into()), minted("d")).await.unwrap());
    assert!(!store.set_password(user.id, Some("pw".into()), "new".into(), None).await.unwrap());
    assert!(store.set_disabled(user.id, None).await.unwrap());
    assert!(store.add_token(user.id, Some("pw".into()), minted("d")).await.unwrap());
    assert!(store.add_token(user.id, Some("pw".into()), minted("e")).await.unwrap());
    let keep = token::name(&token::hash("d"));
    assert!(store.set_password(user.id, Some("pw".into()), "new".into(), Some(keep)).await.unwrap());
    assert!(by_token(store, "d").await.is_some());
    assert!(by_token(store, "e").await.is_none());

    let jwt = TokenId::from_bytes([9; 16]);
    assert!(!is_denied(store, jwt).await);
    store.deny_jwt(jwt, Time(NOW.0 + 5)).await.unwrap();
    store.deny_jwt(jwt, Time(NOW.0 + 5)).await.unwrap();
    assert!(is_denied(store, jwt).await);
    assert_eq!(store.remove_expired(Time(NOW.0 + 4)).await.unwrap(), 0);
    assert_eq!(store.remove_expired(Time(NOW.0 + 60_000)).await.unwrap(), 2, "the token d and the denial");
}

async fn presence(store: &Store) {
    let (a, b) = (GatewayId::new(), GatewayId::new());
    let mut users = Vec::new();
    for username in ["pia", "pol"] {
        let user = new(username);
        store.create(user.clone(), None).await.unwrap();
        users.push(UserRef { id: user.id, username: user.username });
    }
    let change = |gateway, user: &UserRef, online| Change { gateway, user: user.clone(), online };
    let until = Time(NOW.0 + 15_000);
    let batch = vec![change(a, &users[0], true), change(b, &users[0], true), change(a, &users[1], true), change(a, &users[1], false)];
    assert_eq!(store.set_presence(batch, NOW, until).await.unwrap(), [(users[0].clone(), true)], "who came and went was not there");
    assert_eq!(store.count_online(NOW).await.unwrap(), 1);
    let online = store.online("", 9, NOW).await.unwrap();
    assert_eq!((online.len(), online[0].online), (1, Some(true)));
    assert!(store.online("pia", 9, NOW).await.unwrap().is_empty());
    assert_eq!(store.user(&users[0].username, NOW).await.unwrap().unwrap().online, Some(true));
    assert_eq!(store.user(&users[0].username, until).await.unwrap().unwrap().online, Some(false), "a lease ends by the clock");

    assert_eq!(store.set_presence(vec![change(a, &users[0], false)], NOW, until).await.unwrap(), []);
    assert_eq!(store.set_presence(vec![change(b, &users[0], false)], NOW, until).await.unwrap(), [(users[0].clone(), false)]);

    store.set_presence(vec![change(a, &users[0], true), change(a, &users[1], true), change(b, &users[1], true)], NOW, until).await.unwrap();
    assert!(store.renew_lease(b, Time(until.0 + 15_000)).await.unwrap());
    assert!(!store.renew_lease(GatewayId::new(), until).await.unwrap());
    assert_eq!(store.end_dead_gateways(Time(until.0 - 1)).await.unwrap(), []);
    assert_eq!(store.end_dead_gateways(until).await.unwrap(), [users[0].clone()]);
    assert!(!store.renew_lease(a, until).await.unwrap());
    assert_eq!(store.end_gateway(b, until).await.unwrap(), [users[1].clone()]);
    assert_eq!(store.count_online(NOW).await.unwrap(), 0);

    // Whose gateway's lease had run out was nowhere, though nobody has swept it yet.
    store.set_presence(vec![change(a, &users[0], true)], NOW, until).await.unwrap();
    let later = Time(until.0 + 1);
    let again = store.set_presence(vec![change(a, &users[0], true)], later, Time(later.0 + 15_000)).await.unwrap();
    assert_eq!(again, [(users[0].clone(), true)]);
}
