use super::*;
use crate::admin;

pub(super) async fn an_administrator_adds_lists_disables_and_enables() {
    let house = House::new(settings(Mode::Password)).await;
    let password = || Password::try_from("correct horse").unwrap();
    let shown = contract::NewDisplayName::try_from("Al").unwrap();
    admin::add(&house.db, name("alice"), password(), Some(shown), house.hand.now()).await.unwrap();
    let taken = admin::add(&house.db, name("alice"), password(), None, house.hand.now()).await.unwrap_err();
    assert_eq!(taken.to_string(), "there is a user alice already");
    admin::add(&house.db, name("bob"), password(), None, house.hand.now()).await.unwrap();

    let token = house.log_in("alice", "correct horse").await.unwrap().login.token;
    admin::disable(&house.db, &name("alice"), house.hand.now()).await.unwrap();
    assert_eq!(code(house.session(&token).await), Code::Unauthenticated);
    let listed = admin::list(&house.db, "", 10).await.unwrap();
    let summary: Vec<_> = listed.iter().map(|a| (a.username.as_str(), a.display_name.as_str(), a.disabled, a.has_password)).collect();
    assert_eq!(summary, [("alice", "Al", true, true), ("bob", "bob", false, true)]);
    assert_eq!(admin::list(&house.db, "alice", 10).await.unwrap().len(), 1);

    admin::enable(&house.db, &name("alice")).await.unwrap();
    assert_eq!(code(house.session(&token).await), Code::Unauthenticated, "a new login is needed");
    assert!(!house.log_in("alice", "correct horse").await.unwrap().created);
    let nobody = admin::disable(&house.db, &name("nobody"), house.hand.now()).await.unwrap_err();
    assert!(nobody.to_string().contains("no user nobody"));
}

pub(super) async fn a_password_gives_an_open_user_a_login_but_not_a_hosts() {
    let open = House::new(settings(Mode::Open)).await;
    open.log_in("alice", "").await.unwrap();
    admin::set_password(&open.db, &name("alice"), Password::try_from("correct horse").unwrap()).await.unwrap();
    let house = House::over(open.db, settings(Mode::Password));
    assert!(!house.log_in("alice", "correct horse").await.unwrap().created);

    let host = crate::store::NewUser {
        origin: Some("[\"host\",\"7\"]".into()),
        ..crate::store::NewUser::new(name("bob"), house.hand.now()).unwrap()
    };
    assert!(house.users.store.create(host, None).await.unwrap());
    let refused = admin::set_password(&house.db, &name("bob"), Password::try_from("correct horse").unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("host application"));
}
