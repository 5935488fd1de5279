use super::*;
use contract::calls::users::{Logout, Me, WhichEnded};
use contract::hint::Revoked;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

fn token(claims: serde_json::Value) -> String {
    encode(&Header::default(), &claims, &EncodingKey::from_secret(b"0123456789abcdef0123456789abcdef")).unwrap()
}

fn exp() -> i64 {
    START / 1_000 + 3_600
}

pub(super) async fn a_user_appears_on_first_sight_and_is_known_by_sub_and_iss() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    let alice = house.session(&token(json!({"sub": "auth0|7", "iss": "host", "username": "Alice", "exp": exp()}))).await.unwrap();
    assert_eq!(alice.user.username.as_str(), "alice");
    assert_eq!(alice.expires_at, Time(exp() * 1_000));
    let renamed = house.session(&token(json!({"sub": "auth0|7", "iss": "host", "username": "alicia", "exp": exp()}))).await.unwrap();
    assert_eq!(renamed.user, alice.user, "a username never changes");
    for other in [json!({"sub": "auth0|8", "iss": "host"}), json!({"sub": "auth0|7", "iss": "Host"}), json!({"sub": "auth0|7"})] {
        let mut claims = other;
        claims["username"] = "alice".into();
        claims["exp"] = exp().into();
        let refused = house.session(&token(claims)).await.unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (Code::Conflict, Some("username")));
    }
}

pub(super) async fn the_same_first_sight_twice_at_once_is_one_user() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    let (one, two) = (token(json!({"sub": "bob", "exp": exp()})), token(json!({"sub": "bob", "exp": exp() + 1})));
    let (one, two) = tokio::join!(house.session(&one), house.session(&two));
    assert_eq!(one.unwrap().user.id, two.unwrap().user.id);
}

pub(super) async fn the_username_of_a_local_user_is_a_conflict() {
    let house = House::new(with_secret(Mode::PasswordAndJwt)).await;
    house.log_in("alice", "correct horse").await.unwrap();
    assert_eq!(code(house.session(&token(json!({"sub": "alice", "exp": exp()}))).await), Code::Conflict);
    let bob = house.session(&token(json!({"sub": "bob", "exp": exp()}))).await.unwrap();
    assert_eq!(bob.user.username.as_str(), "bob");
    assert_eq!(code(house.log_in("bob", "correct horse").await), Code::InvalidCredentials);
}

pub(super) async fn there_are_no_logins_unless_both_are_taken() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    assert_eq!(code(house.log_in("alice", "correct horse").await), Code::Forbidden);
    let both = House::new(with_secret(Mode::PasswordAndJwt)).await;
    let ours = both.log_in("alice", "correct horse").await.unwrap().login.token;
    assert!(both.session(&ours).await.is_ok());
    let jwt_only = House::over(both.db, with_secret(Mode::Jwt));
    assert_eq!(code(jwt_only.session(&ours).await), Code::Unauthenticated);
    let no_jwt = House::new(settings(Mode::Password)).await;
    assert_eq!(code(no_jwt.session(&token(json!({"sub": "alice", "exp": exp()}))).await), Code::Unauthenticated);
}

pub(super) async fn a_logout_lasts_until_the_token_expires_in_every_spelling() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    let text = token(json!({"sub": "alice", "exp": exp()}));
    let who = house.caller(&text).await;
    let mut revoked = house.bus.subscribe::<Revoked>();
    assert!(house.bus.ask(&who, Me {}).await.is_ok());
    house.bus.ask(&who, Logout { token: Some(text.clone()) }).await.unwrap();
    let user = who.user().unwrap();
    assert_eq!(heard(&mut revoked).await, Revoked::Tokens(vec![user.token]));
    assert_eq!(code(house.session(&text).await), Code::Unauthenticated);
    assert_eq!(code(House::over(house.db.clone(), with_secret(Mode::Jwt)).session(&text).await), Code::Unauthenticated);
    let fresh = house.session(&token(json!({"sub": "alice", "exp": exp() + 1}))).await.unwrap();
    let sessions = WhichEnded { sessions: vec![(user.token, user.id), (fresh.token, fresh.user.id)] };
    assert_eq!(house.bus.ask(&service(), sessions).await.unwrap(), [user.token]);
    assert_eq!(house.users.store.remove_expired(Time(exp() * 1_000 - 1)).await.unwrap(), 0);
    assert_eq!(house.users.store.remove_expired(Time(exp() * 1_000)).await.unwrap(), 1);
}

pub(super) async fn a_logout_of_a_token_that_is_not_remembered_lasts_until_the_token_expires_too() {
    let house = House::new(with_secret(Mode::PasswordAndJwt)).await;
    let text = token(json!({"sub": "alice", "exp": exp()}));
    let who = house.caller(&text).await;
    house.users.check_all_sessions();
    house.bus.ask(&who, Logout { token: Some(text.clone()) }).await.unwrap();
    assert_eq!(code(house.session(&text).await), Code::Unauthenticated);
    assert_eq!(house.users.store.remove_expired(Time(exp() * 1_000 - 1)).await.unwrap(), 0);
    assert_eq!(house.users.store.remove_expired(Time(exp() * 1_000)).await.unwrap(), 1);

    // Another one's token says nothing about this one.
    let other = token(json!({"sub": "alice", "exp": exp() + 60}));
    let who = house.caller(&token(json!({"sub": "alice", "exp": exp() + 1}))).await;
    house.users.check_all_sessions();
    house.bus.ask(&who, Logout { token: Some(other) }).await.unwrap();
    assert_eq!(house.users.store.remove_expired(Time((exp() + 60) * 1_000)).await.unwrap(), 0);

    // One of ours that is logged out twice at once was revoked, and is not denied besides.
    let ours = house.log_in("bob", "correct horse").await.unwrap().login.token;
    let who = house.caller(&ours).await;
    for _ in 0..2 {
        house.bus.ask(&who, Logout { token: Some(ours.clone()) }).await.unwrap();
    }
    assert!(!house.users.store.session_states(vec![(who.user().unwrap().token, who.user().unwrap().id)]).await.unwrap()[0].logged_out);
}

pub(super) async fn a_remembered_token_does_not_outlive_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = |name: &str| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name);
    std::fs::copy(key("p256.public.pem"), &path).unwrap();
    let jwt = JwtSettings { public_key: Some(path.clone()), ..JwtSettings::default() };
    let house = House::new(Settings { jwt, ..settings(Mode::Jwt) }).await;
    let signing = EncodingKey::from_ec_pem(&std::fs::read(key("p256.private.pem")).unwrap()).unwrap();
    let header = Header::new(jsonwebtoken::Algorithm::ES256);
    let text = encode(&header, &json!({"sub": "alice", "exp": exp()}), &signing).unwrap();
    assert!(house.session(&text).await.is_ok());
    std::fs::copy(key("rsa.public.pem"), &path).unwrap();
    house.users.reload_keys().await;
    assert_eq!(code(house.session(&text).await), Code::Unauthenticated);
}

pub(super) async fn a_reserved_name_is_taken_by_no_token() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    for claims in [json!({"sub": "7", "username": "Me", "exp": exp()}), json!({"sub": "online", "exp": exp()})] {
        let refused = house.session(&token(claims)).await.unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("username")));
        assert!(refused.detail.contains("reserved"), "{refused}");
    }
}

pub(super) async fn time_ends_it_though_it_is_remembered() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    let text = token(json!({"sub": "alice", "exp": exp()}));
    assert!(house.session(&text).await.is_ok());
    house.hand.turn(Duration::from_millis(3_599_999));
    assert!(house.session(&text).await.is_ok());
    house.hand.turn(Duration::from_millis(1));
    assert_eq!(code(house.session(&text).await), Code::Unauthenticated);
}

pub(super) async fn a_remembered_token_with_another_signature_is_checked_again() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    let text = token(json!({"sub": "alice", "exp": exp()}));
    assert!(house.session(&text).await.is_ok());
    let (signed, _) = text.rsplit_once('.').unwrap();
    assert_eq!(code(house.session(&format!("{signed}.{}", "A".repeat(43))).await), Code::Unauthenticated);
    assert!(house.session(&text).await.is_ok());
}

pub(super) async fn a_disabled_user_stays_out() {
    let house = House::new(with_secret(Mode::Jwt)).await;
    let text = token(json!({"sub": "alice", "exp": exp()}));
    assert!(house.session(&text).await.is_ok());
    crate::admin::disable(&house.db, &name("alice"), house.hand.now()).await.unwrap();
    house.users.check_all_sessions();
    assert_eq!(code(house.session(&text).await), Code::Unauthenticated);
}
