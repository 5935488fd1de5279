use super::*;
use crate::transport::Transport;
use contract::calls::messages::{InRoom, InRooms};
use contract::hint::Revoked;
use contract::log::{Entry, Event, Membership, RoomUpdated};
use contract::{Room, TokenId, UserRef};
use futures_util::future::BoxFuture;
use socketio::{Frame, SendError};
use std::sync::Arc;

#[derive(Default)]
struct Out(Mutex<Vec<String>>, std::sync::atomic::AtomicBool);

impl Transport for Out {
    fn id(&self) -> &str {
        "test"
    }
    fn send(&self, frame: &Frame) -> Result<(), SendError> {
        if self.1.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(SendError::Full);
        }
        self.0.lock().unwrap().push(frame.as_str().split('"').nth(1).unwrap().to_owned());
        Ok(())
    }
    fn close(&self, _: &'static str) {}
    fn hang_up(&self, reason: &'static str) {
        self.close(reason);
    }

    fn abort(&self) {}
    fn behind(&self) -> usize {
        0
    }
    fn drained(&self, _: usize) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }
}

struct Here {
    registry: Arc<Registry>,
    position: i64,
    next_key: Key,
}

fn user(name: &str) -> UserRef {
    UserRef { id: UserId::new(), username: name.try_into().unwrap() }
}

fn token(key: Key) -> TokenId {
    TokenId::from_bytes([key as u8; 16])
}

fn ready() -> impl FnOnce(&Cursor) -> Option<Frame> {
    |_| Some(Frame::raw("ready", "{}"))
}

impl Here {
    fn new() -> Self {
        let registry = Arc::<Registry>::default();
        registry.begin(&Cursor::new(1, vec![0]));
        Self { registry, position: 0, next_key: 1 }
    }

    fn enter(&mut self, user: &UserRef) -> (Key, Option<load::LoadTicket>, Arc<Out>) {
        let key = self.next_key;
        self.next_key += 1;
        let out = Arc::<Out>::default();
        let socket = NewSocket { key, token: token(key), expires_at: Time(key as i64 * 1_000), transport: out.clone() };
        (key, self.registry.enter(user, socket).0, out)
    }

    fn live(&mut self, user: &UserRef) -> (Key, Arc<Out>) {
        let (key, ticket, out) = self.enter(user);
        if let Some(ticket) = ticket {
            ticket.done(Ok(InRooms { rooms: Vec::new(), epoch: 1, positions: vec![self.position], changed: vec![-1] }));
        }
        assert_eq!(self.registry.go_live(user.id, key, None, None, ready()), LiveOutcome::Live);
        (key, out)
    }

    fn apply(&mut self, event: Event) -> Applied {
        self.position += 1;
        let mut applied = Applied::default();
        self.registry.apply_entry(0, &Entry { partition: 0, position: self.position, event }, &mut applied);
        applied
    }

    fn created(&mut self, room: RoomId, reader: &UserRef, member_count: i64) {
        let room = Room {
            id: room,
            kind: RoomKind::Group,
            name: None,
            topic: None,
            metadata: None,
            rev: 0,
            created_by: reader.username.clone(),
            created_at: Time(0),
            usernames: Vec::new(),
            member_count,
            head: 0,
            read: 0,
            unread: 0,
            mentions: 0,
            unread_threads: 0,
            last_message: None,
        };
        self.apply(Event::RoomCreated { reader: reader.clone(), room: Box::new(room) });
    }

    fn membership(room: RoomId, user: &UserRef, member_count: i64) -> Membership {
        Membership { room, seq: 1, user: user.clone(), member_count }
    }

    fn renamed(&mut self, room: RoomId) -> Applied {
        let name = Some("x".try_into().unwrap());
        self.apply(Event::RoomUpdated(Box::new(RoomUpdated { room, seq: 9, by: None, name, topic: None, metadata: None })))
    }
}

fn heard(out: &Out) -> Vec<String> {
    std::mem::take(&mut *out.0.lock().unwrap())
}

#[tokio::test]
async fn who_joins_and_who_leaves_hears_of_it_and_nothing_before_or_after() {
    let mut here = Here::new();
    let (ann, bob, room) = (user("ann"), user("bob"), RoomId::new());
    let (_, ann_out) = here.live(&ann);
    let (_, bob_out) = here.live(&bob);
    here.created(room, &ann, 1);
    here.renamed(room);
    here.created(room, &bob, 2);
    here.apply(Event::MemberJoined(Here::membership(room, &bob, 2)));
    here.apply(Event::MemberLeft(Here::membership(room, &bob, 1)));
    here.renamed(room);
    assert_eq!(heard(&ann_out), ["ready", "room created", "room updated", "member joined", "member left", "room updated"]);
    assert_eq!(heard(&bob_out), ["ready", "room created", "member joined", "member left"]);
}

#[tokio::test]
async fn rooms_that_were_read_ahead_of_the_log_are_right_once_it_has_passed() {
    let mut here = Here::new();
    let (ann, room) = (user("ann"), RoomId::new());
    let (key, ticket, out) = here.enter(&ann);
    // Ann joined at 1, left at 2 and joined again at 3 and 4; the gateway has heard of none of it.
    ticket.unwrap().done(Ok(InRooms {
        rooms: vec![InRoom { room, kind: RoomKind::Group, member_count: 1 }],
        epoch: 1,
        positions: vec![4],
        changed: vec![-1],
    }));
    here.created(room, &ann, 1);
    here.apply(Event::MemberLeft(Here::membership(room, &ann, 0)));
    here.created(room, &ann, 1);
    here.apply(Event::MemberJoined(Here::membership(room, &ann, 1)));
    assert!(here.registry.covers(&here.registry.as_of(ann.id).unwrap()));
    assert_eq!(here.registry.go_live(ann.id, key, None, None, ready()), LiveOutcome::Live);
    here.renamed(room);
    assert_eq!(heard(&out), ["ready", "room updated"]);
}

#[tokio::test]
async fn what_passes_while_rooms_are_read_counts() {
    let mut here = Here::new();
    let (ann, eve, stays, left) = (user("ann"), user("eve"), RoomId::new(), RoomId::new());
    let (key, ticket, out) = here.enter(&ann);
    let rooms = vec![InRoom { room: left, kind: RoomKind::Group, member_count: 2 }];
    here.created(stays, &ann, 2);
    here.apply(Event::MemberLeft(Here::membership(left, &ann, 1)));
    here.apply(Event::MemberJoined(Here::membership(stays, &eve, 150)));
    ticket.unwrap().done(Ok(InRooms { rooms, epoch: 1, positions: vec![0], changed: vec![-1] }));
    assert!(!here.registry.has_all(ann.id, &Cursor::new(1, vec![0])), "what passed meanwhile has to be read");
    assert_eq!(here.registry.go_live(ann.id, key, None, None, ready()), LiveOutcome::Live);
    assert_eq!(here.renamed(left).deliveries, 0);
    assert_eq!(here.renamed(stays).deliveries, 1);
    assert_eq!(here.registry.membership(ann.id, stays), audience::RoomMembership::LargeRoom);
    assert_eq!(here.registry.membership(ann.id, left), audience::RoomMembership::NotMember);
    assert_eq!(heard(&out), ["ready", "room updated"]);
}

#[tokio::test]
async fn what_is_held_comes_after_ready_in_order() {
    let mut here = Here::new();
    let (ann, room) = (user("ann"), RoomId::new());
    let (_, first) = here.live(&ann);
    here.created(room, &ann, 1);
    let (key, none, out) = here.enter(&ann);
    assert!(none.is_none(), "the rooms are known");
    let from = here.registry.cursor().unwrap();
    here.renamed(room);
    assert_eq!(here.registry.go_live(ann.id, key, Some(&from), None, ready()), LiveOutcome::Behind);
    assert_eq!(here.registry.hold(ann.id, key).unwrap().positions, [2]);
    here.apply(Event::MemberJoined(Here::membership(room, &user("bob"), 2)));
    here.renamed(room);
    assert_eq!(heard(&out), [""; 0]);
    assert_eq!(here.registry.release(ann.id, key, &Frame::raw("ready", "{}")), LiveOutcome::Live);
    here.renamed(room);
    assert_eq!(heard(&out), ["ready", "member joined", "room updated", "room updated"]);
    assert_eq!(heard(&first).len(), 6);
}

#[tokio::test]
async fn what_was_for_others_is_not_missed() {
    let mut here = Here::new();
    let (ann, bob, anns, bobs) = (user("ann"), user("bob"), RoomId::new(), RoomId::new());
    let before = here.registry.cursor().unwrap();
    let (key, ticket, out) = here.enter(&ann);
    here.live(&bob);
    here.created(bobs, &bob, 1);
    let unseen = here.registry.cursor().unwrap();
    assert!(!here.registry.has_all(ann.id, &unseen), "her rooms are not known yet");
    // Read as of 2, when 1 has passed.
    ticket.unwrap().done(Ok(InRooms { rooms: Vec::new(), epoch: 1, positions: vec![2], changed: vec![-1] }));
    here.created(anns, &ann, 1);
    assert!(!here.registry.has_all(ann.id, &unseen), "what passed before that place was not looked at");
    let read_up_to = here.registry.cursor().unwrap();
    assert!(here.registry.has_all(ann.id, &read_up_to));
    here.renamed(bobs);
    assert!(here.registry.has_all(ann.id, &read_up_to) && !here.registry.has_all(ann.id, &before));
    assert_eq!(here.registry.go_live(ann.id, key, Some(&read_up_to), None, ready()), LiveOutcome::Live);
    here.registry.leave(ann.id, key, Instant::now());
    here.renamed(bobs);
    here.apply(Event::MemberJoined(Here::membership(bobs, &user("eve"), 2)));
    assert!(here.registry.has_all(ann.id, &read_up_to), "nor with nobody there to hear it");
    here.renamed(anns);
    assert!(!here.registry.has_all(ann.id, &read_up_to), "but her own is");
    let (again, _, _) = here.enter(&ann);
    assert_eq!(here.registry.go_live(ann.id, again, Some(&read_up_to), None, ready()), LiveOutcome::Behind);
    let now = here.registry.cursor().unwrap();
    here.apply(Event::MemberLeft(Here::membership(anns, &ann, 0)));
    assert!(!here.registry.has_all(ann.id, &now), "one's own leaving too");
    let now = here.registry.cursor().unwrap();
    here.renamed(anns);
    assert!(here.registry.has_all(ann.id, &now));
    assert!(!here.registry.has_all(ann.id, &Cursor::new(now.epoch, vec![99])), "past the end");
    here.created(RoomId::new(), &ann, 1);
    assert!(!here.registry.has_all(ann.id, &now), "a room that was made for her");
    let now = here.registry.cursor().unwrap();
    let cut = here.registry.begin_anew(&Cursor::new(7, vec![3]));
    assert_eq!(cut.len(), 2, "all who are connected");
    assert!(!here.registry.has_all(ann.id, &now), "of another epoch");
    assert_eq!(here.registry.cursor().unwrap(), Cursor::new(7, vec![3]), "the log may have become shorter");
    assert_eq!(heard(&out), ["ready"]);
}

#[tokio::test]
async fn what_is_ones_own_and_was_not_told_has_to_be_read() {
    let mut here = Here::new();
    let (ann, room) = (user("ann"), RoomId::new());
    let key: contract::StateKey = "k".try_into().unwrap();
    let (_, first) = here.live(&ann);
    here.created(room, &ann, 1);
    let before = here.registry.cursor().unwrap();
    assert!(here.registry.has_all_own(ann.id, &before) && !here.registry.has_all_own(UserId::new(), &before));
    here.renamed(room);
    let keys = [(ann.id, key.clone()), (UserId::new(), key)];
    assert_eq!(here.registry.note_own_changes((0, 2), &keys), keys[..1], "only of who is here");
    let since = here.registry.cursor().unwrap();
    assert!(!here.registry.has_all_own(ann.id, &since), "what changed just there may not have been told");
    let (key, _, out) = here.enter(&ann);
    assert_eq!(here.registry.go_live(ann.id, key, Some(&since), Some(&since), ready()), LiveOutcome::Behind);
    let tell = |here: &Here| here.registry.push_to_user(ann.id, &Frame::raw("state changed", "{}"), &mut Applied::default());
    tell(&here);
    assert_eq!(heard(&out), [""; 0], "it comes with ready");
    here.registry.hold(ann.id, key).unwrap();
    tell(&here);
    assert_eq!(here.registry.release(ann.id, key, &Frame::raw("ready", "{}")), LiveOutcome::Live);
    assert_eq!(heard(&out), ["ready", "state changed"]);
    here.renamed(room);
    let later = here.registry.cursor().unwrap();
    assert!(here.registry.has_all_own(ann.id, &later));
    here.registry.note_lost_marks();
    assert!(!here.registry.has_all_own(ann.id, &later), "a mark may have moved");
    assert_eq!(heard(&first), ["ready", "room created", "room updated", "state changed", "state changed", "room updated"]);
}

#[tokio::test]
async fn who_misses_one_event_gets_none_after_it() {
    let mut here = Here::new();
    let (ann, room) = (user("ann"), RoomId::new());
    let (_, out) = here.live(&ann);
    here.created(room, &ann, 1);
    out.1.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(here.renamed(room).slow.len(), 1);
    out.1.store(false, std::sync::atomic::Ordering::SeqCst);
    let applied = here.renamed(room);
    assert_eq!((applied.deliveries, applied.slow.len()), (0, 0));
    assert_eq!(heard(&out), ["ready", "room created"]);
}

#[tokio::test]
async fn too_much_to_hold_is_too_slow() {
    let mut here = Here::new();
    let (ann, room) = (user("ann"), RoomId::new());
    here.live(&ann);
    here.created(room, &ann, 1);
    let (key, _, _) = here.enter(&ann);
    here.registry.hold(ann.id, key).unwrap();
    let slow: usize = (0..3_000).map(|_| here.renamed(room).slow.len()).sum();
    assert_eq!(slow, 1);
    assert_eq!(here.registry.release(ann.id, key, &Frame::raw("ready", "{}")), LiveOutcome::Gone);
}

#[tokio::test]
async fn sockets_are_taken_by_token_user_and_time() {
    let mut here = Here::new();
    let ann = user("ann");
    let (one, out) = here.live(&ann);
    let (two, _) = here.live(&ann);
    let (three, _) = here.live(&ann);
    assert_eq!(here.registry.tokens().len(), 3);
    assert_eq!(here.registry.take_revoked(&Revoked::Tokens(vec![token(two)])).len(), 1);
    assert_eq!(here.registry.take_revoked(&Revoked::User { user: UserId::new(), except: None }).len(), 0);
    assert_eq!(here.registry.take_revoked(&Revoked::User { user: ann.id, except: Some(token(one)) }).len(), 2);
    assert_eq!(here.registry.take_expired(Time(999)).len(), 0);
    // Lives longer by a newer token.
    assert!(here.registry.renew(ann.id, one, token(9), Time(50_000)));
    here.registry.leave(ann.id, three, Instant::now());
    assert_eq!(here.registry.take_expired(Time(10_000)).len(), 1, "the second; the third has left");
    assert_eq!(here.registry.take_expired(Time(50_000)).len(), 1);
    here.created(RoomId::new(), &ann, 1);
    assert_eq!(heard(&out), ["ready"], "a socket that was taken hears nothing more");
}

#[tokio::test]
async fn nothing_is_kept_of_those_who_left() {
    let mut here = Here::new();
    let (ann, bob, room) = (user("ann"), user("bob"), RoomId::new());
    let (key, _) = here.live(&ann);
    here.created(room, &ann, 2);
    let long_ago = Instant::now();
    here.registry.leave(ann.id, key, long_ago);
    let (again, _, _) = here.enter(&ann);
    here.registry.forget(Instant::now());
    assert_eq!((here.registry.users(), here.registry.rooms()), (1, 1), "there is a socket again");
    here.registry.leave(ann.id, again, Instant::now());
    let (loading, ticket, _) = here.enter(&bob);
    here.registry.leave(bob.id, loading, Instant::now());
    here.registry.forget(Instant::now());
    assert_eq!((here.registry.users(), here.registry.rooms()), (1, 0), "bob's rooms are being read");
    drop(ticket);
    here.registry.forget(Instant::now());
    assert_eq!(here.registry.users(), 0);
}
