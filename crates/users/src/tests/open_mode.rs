use super::*;
use contract::calls::users::{AuthenticateOpen, ChangePassword, Logout, WhichEnded};

pub(super) async fn a_username_is_enough() {
    let house = House::new(settings(Mode::Open)).await;
    house.users.start_check().await.unwrap();
    let first = house.log_in("alice", "").await.unwrap();
    assert!(first.created);
    assert!(!house.log_in("alice", "whatever it is").await.unwrap().created);
    let who = house.caller(&first.login.token).await;
    let call = ChangePassword { current_password: String::new(), new_password: Password::try_from("battery staple").unwrap() };
    assert_eq!(code(house.bus.ask(&who, call).await), Code::Forbidden);

    let alice = house.bus.ask(&Caller::Anonymous, AuthenticateOpen { username: name("alice") }).await.unwrap();
    assert_eq!(alice.user, first.login.user);
    let bob = house.bus.ask(&Caller::Anonymous, AuthenticateOpen { username: name("bob") }).await.unwrap();
    let again = house.bus.ask(&Caller::Anonymous, AuthenticateOpen { username: name("bob") }).await.unwrap();
    assert_eq!(bob.user, again.user);
    assert_ne!(bob.token, again.token);
    let user = who.user().unwrap();
    let sessions = || WhichEnded { sessions: vec![(bob.token, bob.user.id), (user.token, user.id)] };
    assert_eq!(house.bus.ask(&service(), sessions()).await.unwrap(), []);
    house.bus.ask(&who, Logout { token: None }).await.unwrap();
    assert_eq!(house.bus.ask(&service(), sessions()).await.unwrap(), [user.token]);
}

pub(super) async fn it_does_not_serve_a_database_with_passwords() {
    let passwords = House::new(settings(Mode::Password)).await;
    passwords.log_in("alice", "correct horse").await.unwrap();
    let house = House::over(passwords.db, settings(Mode::Open));
    let why = house.users.start_check().await.unwrap_err().0;
    assert!(why.contains("auth.mode is open"), "{why}");
    // And if one is set later, it is not ignored.
    assert_eq!(code(house.log_in("alice", "").await), Code::InvalidCredentials);
    let alice = AuthenticateOpen { username: name("alice") };
    assert_eq!(code(house.bus.ask(&Caller::Anonymous, alice).await), Code::Unauthenticated);
}

pub(super) async fn elsewhere_a_username_is_no_proof() {
    for settings in [settings(Mode::Password), with_secret(Mode::Jwt), with_secret(Mode::PasswordAndJwt)] {
        let house = House::new(settings).await;
        let alice = AuthenticateOpen { username: name("alice") };
        assert_eq!(code(house.bus.ask(&Caller::Anonymous, alice).await), Code::Unauthenticated);
    }
}

pub(super) async fn its_tokens_prove_nothing_where_passwords_are_asked_for() {
    let open = House::new(settings(Mode::Open)).await;
    let token = open.log_in("alice", "").await.unwrap().login.token;
    let house = House::over(open.db, settings(Mode::Password));
    assert_eq!(code(house.session(&token).await), Code::Unauthenticated);
}

pub(super) async fn a_reserved_name_is_taken_by_nobody() {
    let house = House::new(settings(Mode::Open)).await;
    let refused = house.log_in("Online", "").await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("username")));
    let on_a_socket = house.bus.ask(&Caller::Anonymous, AuthenticateOpen { username: name("me") }).await.unwrap_err();
    assert_eq!((on_a_socket.code, on_a_socket.field.as_deref()), (Code::InvalidRequest, Some("username")));
}
