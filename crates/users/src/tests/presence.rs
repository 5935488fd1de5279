use super::*;
use contract::calls::users::{EndLease, GetUser, ListOnline, RenewLease, SetPresence};
use contract::hint::PresenceChanged;
use contract::{GatewayId, Limit, UserRef};

struct Scene {
    house: House,
    heard: Subscription<PresenceChanged>,
    who: Caller,
}

impl Scene {
    async fn new() -> Self {
        let house = House::new(settings(Mode::Open)).await;
        let who = house.caller(&house.log_in("watcher", "").await.unwrap().login.token).await;
        Self { heard: house.bus.subscribe(), house, who }
    }

    async fn user(&self, username: &str) -> UserRef {
        let user = self.house.log_in(username, "").await.unwrap().login.user;
        UserRef { id: user.id, username: user.username }
    }

    async fn set(&self, gateway: GatewayId, user: &UserRef, online: bool) {
        self.house.bus.ask(&service(), SetPresence { gateway, user: user.clone(), online }).await.unwrap();
    }

    async fn online(&self) -> Vec<String> {
        let page = self.house.bus.ask(&self.who, ListOnline { after: None, limit: Limit::default() }).await.unwrap();
        assert!(page.items.iter().all(|user| user.online == Some(true)));
        page.items.into_iter().map(|user| user.username.into()).collect()
    }

    /// What was told next.
    async fn told(&mut self) -> (String, bool) {
        let hint = heard(&mut self.heard).await;
        (hint.user.username.into(), hint.online)
    }
}

fn said(username: &str, online: bool) -> (String, bool) {
    (username.to_owned(), online)
}

pub(super) async fn coming_and_going_is_told_once_whatever_the_gateways() {
    let mut scene = Scene::new().await;
    let (a, b) = (GatewayId::new(), GatewayId::new());
    let (alice, bob) = (scene.user("alice").await, scene.user("bob").await);
    scene.set(a, &alice, true).await;
    scene.set(a, &alice, true).await;
    scene.set(b, &alice, true).await;
    scene.set(b, &bob, true).await;
    assert_eq!(scene.online().await, ["alice", "bob"]);
    scene.set(a, &alice, false).await;
    assert_eq!(scene.online().await, ["alice", "bob"]);
    scene.set(b, &alice, false).await;
    scene.set(b, &alice, false).await;
    assert_eq!(scene.online().await, ["bob"]);
    scene.set(b, &bob, false).await;
    for expected in [said("alice", true), said("bob", true), said("alice", false), said("bob", false)] {
        assert_eq!(scene.told().await, expected);
    }
    let user = scene.house.bus.ask(&scene.who, GetUser { username: name("alice") }).await.unwrap();
    assert_eq!(user.online, Some(false));
}

pub(super) async fn many_at_once_are_all_stored() {
    let scene = Scene::new().await;
    let gateway = GatewayId::new();
    let mut all = Vec::new();
    for n in 0..40 {
        all.push(scene.user(&format!("user{n:02}")).await);
    }
    futures_util::future::join_all(all.iter().map(|user| scene.set(gateway, user, true))).await;
    assert_eq!(scene.online().await.len(), 40);
    assert_eq!(scene.house.users.store.count_online(scene.house.hand.now()).await.unwrap(), 40);
}

pub(super) async fn a_silent_gateway_takes_its_users_with_it() {
    let mut scene = Scene::new().await;
    let (dead, alive) = (GatewayId::new(), GatewayId::new());
    let (alice, bob) = (scene.user("alice").await, scene.user("bob").await);
    scene.set(dead, &alice, true).await;
    scene.set(dead, &bob, true).await;
    scene.set(alive, &bob, true).await;
    assert_eq!((scene.told().await, scene.told().await), (said("alice", true), said("bob", true)));
    scene.house.hand.turn(Duration::from_secs(10));
    scene.house.bus.ask(&service(), RenewLease { gateway: alive }).await.unwrap();
    scene.house.users.sweep(scene.house.hand.now()).await.unwrap();
    assert_eq!(scene.online().await, ["alice", "bob"]);
    scene.house.hand.turn(Duration::from_secs(5));
    assert_eq!(scene.online().await, ["bob"], "a lease counts to the moment, swept or not");
    scene.house.users.sweep(scene.house.hand.now()).await.unwrap();
    assert_eq!(scene.told().await, said("alice", false));
    assert_eq!(code(scene.house.bus.ask(&service(), RenewLease { gateway: dead }).await), Code::NotFound);
    scene.set(dead, &alice, true).await;
    assert_eq!(scene.told().await, said("alice", true));
    scene.house.bus.ask(&service(), RenewLease { gateway: dead }).await.unwrap();
}

pub(super) async fn a_gateway_that_stops_is_gone_at_once() {
    let mut scene = Scene::new().await;
    let (a, b) = (GatewayId::new(), GatewayId::new());
    let (alice, bob) = (scene.user("alice").await, scene.user("bob").await);
    scene.set(a, &alice, true).await;
    scene.set(a, &bob, true).await;
    scene.set(b, &bob, true).await;
    scene.house.bus.ask(&service(), EndLease { gateway: a }).await.unwrap();
    assert_eq!(scene.online().await, ["bob"]);
    for expected in [said("alice", true), said("bob", true), said("alice", false)] {
        assert_eq!(scene.told().await, expected);
    }
    scene.house.bus.ask(&service(), EndLease { gateway: a }).await.unwrap();
}

pub(super) async fn only_services_say_who_is_there() {
    let scene = Scene::new().await;
    let (gateway, user) = (GatewayId::new(), scene.user("alice").await);
    let bus = &scene.house.bus;
    assert_eq!(code(bus.ask(&scene.who, SetPresence { gateway, user, online: true }).await), Code::Forbidden);
    assert_eq!(code(bus.ask(&scene.who, RenewLease { gateway }).await), Code::Forbidden);
    assert_eq!(code(bus.ask(&scene.who, EndLease { gateway }).await), Code::Forbidden);
    assert_eq!(code(bus.ask(&service(), ListOnline { after: None, limit: Limit::default() }).await), Code::Forbidden);
}
