use super::*;
use crate::Registration;
use contract::calls::users::{ChangePassword, Me};
use contract::hint::Revoked;

const RIGHT: &str = "correct horse";

pub(super) async fn the_first_login_creates_and_the_next_one_logs_in() {
    let house = House::new(settings(Mode::Password)).await;
    let first = house.log_in("Alice", RIGHT).await.unwrap();
    assert!(first.created);
    assert_eq!((first.login.user.username.as_str(), first.login.user.display_name.as_str()), ("alice", "alice"));
    assert_eq!(first.login.expires_at, house.hand.now().plus(Duration::from_secs(30 * 86_400)));
    let second = house.log_in("alice", RIGHT).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.login.user, first.login.user);
    assert_ne!(second.login.token, first.login.token);
    assert_eq!(house.session(&first.login.token).await.unwrap().user.id, first.login.user.id);
}

pub(super) async fn whatever_is_wrong_looks_the_same() {
    let house = House::new(settings(Mode::Password)).await;
    house.log_in("alice", RIGHT).await.unwrap();
    let wrong = house.log_in("alice", "wrong horse").await.unwrap_err();
    assert_eq!(wrong.code, Code::InvalidCredentials);

    let closed = House::over(house.db.clone(), Settings { registration: Registration::Closed, ..settings(Mode::Password) });
    assert_eq!(closed.log_in("nobody", RIGHT).await.unwrap_err(), wrong);
    crate::admin::disable(&house.db, &name("alice"), house.hand.now()).await.unwrap();
    assert_eq!(house.log_in("alice", RIGHT).await.unwrap_err(), wrong);

    let open = House::over(empty().await, settings(Mode::Open));
    open.log_in("bob", "").await.unwrap();
    let house = House::over(open.db, settings(Mode::Password));
    assert_eq!(house.log_in("bob", RIGHT).await.unwrap_err(), wrong, "who has no password cannot be claimed");
    assert_eq!(code(house.log_in("bob", "").await), Code::InvalidRequest);
}

pub(super) async fn two_who_are_first_at_once_are_one_user() {
    let house = House::new(settings(Mode::Password)).await;
    let (one, two) = tokio::join!(house.log_in("alice", RIGHT), house.log_in("alice", RIGHT));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.login.user.id, two.login.user.id);
    assert!(one.created != two.created);
    let (one, two) = tokio::join!(house.log_in("bob", RIGHT), house.log_in("bob", "wrong horse"));
    let refused = [one, two].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].code, Code::InvalidCredentials);
}

pub(super) async fn a_changed_password_revokes_the_other_tokens() {
    let house = House::new(settings(Mode::Password)).await;
    let mine = house.log_in("alice", RIGHT).await.unwrap().login.token;
    let other = house.log_in("alice", RIGHT).await.unwrap().login.token;
    let (who, _) = (house.caller(&mine).await, house.caller(&other).await);
    let mut revoked = house.bus.subscribe::<Revoked>();
    let change = |current: &str| ChangePassword {
        current_password: current.to_owned(),
        new_password: Password::try_from("battery staple").unwrap(),
    };
    let refused = house.bus.ask(&who, change("wrong")).await.unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidCredentials, Some("current_password")));
    house.bus.ask(&who, change(RIGHT)).await.unwrap();
    let user = who.user().unwrap();
    assert_eq!(heard(&mut revoked).await, Revoked::User { user: user.id, except: Some(user.token) });
    assert_eq!(code(house.session(&other).await), Code::Unauthenticated);
    assert!(house.session(&mine).await.is_ok());
    assert_eq!(code(house.log_in("alice", RIGHT).await), Code::InvalidCredentials);
    assert!(house.log_in("alice", "battery staple").await.is_ok());
}

pub(super) async fn a_full_pool_is_busy_and_creates_nobody() {
    let mut small = settings(Mode::Password);
    small.hashing = HashingSettings { threads: 1, queue: 1, memory_kib: 65_536, passes: 3 };
    let house = Arc::new(House::new(small).await);
    let storm: Vec<_> = (0..12)
        .map(|n| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { house.log_in(&format!("user{n}"), RIGHT).await })
        })
        .collect();
    let mut busy = 0;
    for login in storm {
        match login.await.unwrap() {
            Ok(login) => assert!(house.session(&login.login.token).await.is_ok()),
            Err(refusal) => {
                assert_eq!(refusal.code, Code::Busy);
                assert!(refusal.retry_after_ms.is_some());
                busy += 1;
            }
        }
    }
    assert!(busy > 0);
    assert_eq!(crate::admin::list(&house.db, "", 100).await.unwrap().len(), 12 - busy);
}

pub(super) async fn settings_that_cannot_be_are_named() {
    let start = |settings| {
        let db = empty();
        async { Users::new(db.await, Bus::near(), settings, Clock::system()).map(|_| ()).unwrap_err().0 }
    };
    assert!(start(Settings { token_days: 0, ..settings(Mode::Password) }).await.contains("auth.token_days"));
    assert!(start(settings(Mode::Jwt)).await.contains("auth.jwt.secret"));
}

pub(super) async fn only_users_are_somebody() {
    let house = House::new(settings(Mode::Password)).await;
    assert_eq!(code(house.bus.ask(&Caller::Anonymous, Me {}).await), Code::Unauthenticated);
    assert_eq!(code(house.bus.ask(&service(), Me {}).await), Code::Forbidden);
}

pub(super) async fn a_reserved_name_is_taken_by_nobody_and_kept_by_who_has_it() {
    let house = House::new(settings(Mode::Password)).await;
    for reserved in contract::RESERVED_USERNAMES {
        let refused = house.log_in(&reserved.to_uppercase(), "correct horse").await.unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), (Code::InvalidRequest, Some("username")), "{reserved}");
        assert!(refused.detail.contains("reserved"), "{refused}");
    }
    let password = Password::try_from("correct horse").unwrap();
    let refused = crate::admin::add(&house.db, name("me"), password.clone(), None, house.hand.now()).await.unwrap_err();
    assert!(refused.to_string().contains("reserved"), "{refused}");
    assert!(house.users.store.account_by_name(&name("me")).await.unwrap().is_none());

    // Somebody who had the name before it was reserved.
    let new = crate::store::NewUser { username: name("me"), ..crate::store::NewUser::new(name("me1"), house.hand.now()).unwrap() };
    assert!(house.users.store.create(new, None).await.unwrap());
    crate::admin::set_password(&house.db, &name("me"), password).await.unwrap();
    let me = house.log_in("me", "correct horse").await.unwrap();
    assert!(!me.created);
    assert_eq!(house.session(&me.login.token).await.unwrap().user.username, name("me"));
    let wrong = house.log_in("me", "wrong horse").await.unwrap_err();
    assert_eq!(wrong.code, Code::InvalidCredentials);
}
