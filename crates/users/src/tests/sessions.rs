use super::*;
use contract::calls::users::{ChangeProfile, Logout, UsersById, WhichEnded};
use contract::hint::Revoked;
use contract::{Answer, DisplayName, TokenId, UserId};

const RIGHT: &str = "correct horse";

pub(super) async fn a_token_ends_with_its_logout_and_its_time() {
    let house = House::new(settings(Mode::Password)).await;
    let gone = house.log_in("alice", RIGHT).await.unwrap().login.token;
    let stays = house.log_in("alice", RIGHT).await.unwrap().login.token;
    let who = house.caller(&gone).await;
    let mut revoked = house.bus.subscribe::<Revoked>();
    house.bus.ask(&who, Logout { token: None }).await.unwrap();
    assert_eq!(heard(&mut revoked).await, Revoked::Tokens(vec![who.user().unwrap().token]));
    assert_eq!(code(house.session(&gone).await), Code::Unauthenticated);
    assert!(house.session(&stays).await.is_ok());
    house.hand.turn(Duration::from_secs(30 * 86_400) - Duration::from_millis(1));
    assert!(house.session(&stays).await.is_ok());
    house.hand.turn(Duration::from_millis(1));
    assert_eq!(code(house.session(&stays).await), Code::Unauthenticated);
    assert_eq!(house.users.store.remove_expired(house.hand.now()).await.unwrap(), 1);
}

pub(super) async fn what_is_no_token_is_unauthenticated() {
    let house = House::new(settings(Mode::Password)).await;
    for wrong in ["", "x", "a.b.c", "..", "\0", &"x".repeat(10_000)] {
        assert_eq!(code(house.session(wrong).await), Code::Unauthenticated, "{wrong:?}");
    }
}

pub(super) async fn a_change_from_outside_ends_sessions_and_memories() {
    let house = House::new(settings(Mode::Password)).await;
    let alice = house.log_in("alice", RIGHT).await.unwrap().login.token;
    let bob = house.log_in("bob", RIGHT).await.unwrap().login.token;
    let (alice, bob) = (house.session(&alice).await.unwrap(), house.session(&bob).await.unwrap());
    let nobody = (TokenId::from_bytes([7; 16]), UserId::new());
    let sessions = vec![(alice.token, alice.user.id), (bob.token, bob.user.id), nobody];
    crate::admin::set_password(&house.db, &name("alice"), Password::try_from("battery staple").unwrap()).await.unwrap();
    let mut revoked = house.bus.subscribe::<Revoked>();
    house.users.check_all_sessions();
    assert_eq!(heard(&mut revoked).await, Revoked::AskAgain);
    let ask = || WhichEnded { sessions: sessions.clone() };
    assert_eq!(house.bus.ask(&service(), ask()).await.unwrap(), [alice.token, nobody.0]);
    crate::admin::disable(&house.db, &name("bob"), house.hand.now()).await.unwrap();
    assert_eq!(house.bus.ask(&service(), ask()).await.unwrap(), [alice.token, bob.token, nobody.0]);
    assert_eq!(code(house.bus.ask(&Caller::User(user_caller(&bob)), ask()).await), Code::Forbidden);
    let many = WhichEnded { sessions: vec![nobody; 1_001] };
    assert_eq!(code(house.bus.ask(&service(), many).await), Code::InvalidRequest);
}

fn user_caller(session: &Session) -> UserCaller {
    UserCaller { id: session.user.id, username: session.user.username.clone(), token: session.token }
}

pub(super) async fn a_new_display_name_is_seen_at_once_everywhere() {
    let house = House::new(settings(Mode::Password)).await;
    let token = house.log_in("alice", RIGHT).await.unwrap().login.token;
    let session = house.session(&token).await.unwrap();
    let by_id = || UsersById { ids: vec![session.user.id], brief: false };
    assert_eq!(house.bus.ask(&service(), by_id()).await.unwrap(), std::slice::from_ref(&session.user));
    let call = ChangeProfile::display_name(DisplayName::try_from("Alice 😀").unwrap());
    let changed = house.bus.ask(&Caller::User(user_caller(&session)), call).await.unwrap();
    assert_eq!((changed.display_name.as_str(), changed.online), ("Alice 😀", Some(false)));
    assert_eq!(house.session(&token).await.unwrap().user.display_name, changed.display_name);
    assert_eq!(house.bus.ask(&service(), by_id()).await.unwrap()[0].display_name, changed.display_name);
}

/// Asks one of several instances, until it has heard of a change and answers as it should.
async fn at_last<T>(ask: impl AsyncFn() -> T, holds: impl Fn(&T) -> bool) {
    let in_time = tokio::time::timeout(Duration::from_secs(10), async {
        while !holds(&ask().await) {
            tokio::task::yield_now().await;
        }
    });
    in_time.await.expect("another instance forgets what has changed");
}

pub(super) async fn several_instances_forget_what_changes_at_one_of_them() {
    let house = House::new(settings(Mode::Password)).await;
    let other = Users::new(house.db.clone(), house.bus.clone(), settings(Mode::Password), house.hand.clock()).unwrap();
    let _tasks = other.start();
    let [gone, stays] = [house.log_in("alice", RIGHT).await.unwrap(), house.log_in("alice", RIGHT).await.unwrap()];
    let authenticate = async |token: &str| other.answer(&Caller::Anonymous, Authenticate { token: token.to_owned() }).await;
    assert!(authenticate(&gone.login.token).await.is_ok() && authenticate(&stays.login.token).await.is_ok());
    let who = house.caller(&gone.login.token).await;
    let ids = vec![gone.login.user.id];
    let shown =
        async || other.answer(&service(), UsersById { ids: ids.clone(), brief: false }).await.unwrap().remove(0).display_name.to_string();
    assert_eq!(shown().await, "alice");

    house.bus.ask(&who, ChangeProfile::display_name(DisplayName::try_from("Al").unwrap())).await.unwrap();
    at_last(async || shown().await, |name| name == "Al").await;
    at_last(async || authenticate(&stays.login.token).await, |held| held.as_ref().unwrap().user.display_name.to_string() == "Al").await;
    house.bus.ask(&who, Logout { token: None }).await.unwrap();
    at_last(async || authenticate(&gone.login.token).await, Result::is_err).await;
    assert!(authenticate(&stays.login.token).await.is_ok());
}
