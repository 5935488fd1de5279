//! A replay of large events over a slow line.

use super::fake::{EPOCH, Fake, World};
use super::gateway;
use super::random::Random;
use crate::authenticated_user::VerifiedSession;
use crate::connection_state::ConnectionState;
use crate::resume::Resume;
use crate::transport::Transport;
use bus::Bus;
use contract::calls::users::Session;
use contract::{Cursor, Time, TokenId};
use futures_util::future::BoxFuture;
use socketio::{Frame, SendError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What every frame counts as, in bytes.
const WEIGHT: usize = 256 * 1024;

/// A client that takes all that it is sent, 1 MiB a second.
#[derive(Default)]
struct SlowLine(Mutex<Behind>);

#[derive(Default)]
struct Behind {
    now: usize,
    most: usize,
    frames: usize,
}

impl Transport for SlowLine {
    fn id(&self) -> &str {
        "test"
    }

    fn send(&self, _: &Frame) -> Result<(), SendError> {
        let mut behind = self.0.lock().unwrap();
        behind.now += WEIGHT;
        behind.most = behind.most.max(behind.now);
        behind.frames += 1;
        Ok(())
    }

    fn close(&self, _: &'static str) {}

    fn hang_up(&self, reason: &'static str) {
        self.close(reason);
    }

    fn abort(&self) {}

    fn behind(&self) -> usize {
        self.0.lock().unwrap().now
    }

    fn drained(&self, bytes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            while self.behind() > bytes {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let mut behind = self.0.lock().unwrap();
                behind.now = behind.now.saturating_sub(WEIGHT / 25);
            }
            true
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_never_makes_a_client_slow() {
    let mut random = Random::new(5);
    let bus = Bus::near();
    let world = World::shared(2, 1, &mut random);
    Fake::serve(&bus, &world, 5);
    let before = world.lock().unwrap().create(&[0])[0].first;
    for _ in 0..40 {
        world.lock().unwrap().create(&[0]);
    }
    let gateway = gateway(&bus);
    let tasks = crate::chat::run(&gateway);
    let user = world.lock().unwrap().user(0).1;
    let state = Arc::new(ConnectionState::new(gateway.next_key(), gateway.keep(), None));
    let session = Session { user: user.clone(), token: TokenId::from_bytes([1; 16]), expires_at: Time(i64::MAX) };
    let verified = VerifiedSession { session, revocation_mark: gateway.revocations.mark() };
    let line = Arc::new(SlowLine::default());
    gateway.register(&state, &verified, line.clone()).await.unwrap();
    let resume = Resume { gateway: Arc::clone(&gateway), user, key: state.key, transport: line.clone() };
    resume.run(Some(Cursor::new(EPOCH, vec![before]).to_string())).await.unwrap();
    let behind = line.0.lock().unwrap();
    assert_eq!(behind.frames, 41, "40 rooms and ready");
    assert!(behind.most < gateway.settings.max_behind, "{} bytes waited for a client that takes them", behind.most);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}
