//! What goes over REST: the messages of some lanes, and those who leave and return.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Clients;
use crate::ledger::accounts::Ledger;
use crate::ledger::bodies;
use crate::ledger::events::Answer;
use crate::ledger::rest::{Job, request};
use crate::ledger::world::World;
use crate::net::Heard;
use crate::target::Target;

impl Clients {
    /// The text of a job's request, which is about to go out.
    pub(super) fn request(world: &World, ledger: &mut Ledger, target: &Target, host: SocketAddr, job: Job) -> String {
        let id = |room: usize| world.rooms.get(room).map(|room| room.id.as_str()).unwrap_or_default();
        let token = |user: usize| target.tokens.of(&World::name(user));
        match job {
            Job::Send(number) => {
                ledger.attempt(number);
                let path = format!("/rooms/{}/messages", id(ledger.room(number)));
                let body = json!({ "body": bodies::body(number), "nonce": number.to_string() }).to_string();
                request("POST", &path, host, &token(ledger.sender(number)), &body)
            }
            Job::Leave { user, room } => {
                request("DELETE", &format!("/rooms/{}/members/{}", id(room), World::name(user)), host, &token(user), "")
            }
            Job::Return { user, room, by } => {
                request("PUT", &format!("/rooms/{}/members/{}", id(room), World::name(user)), host, &token(by), "")
            }
        }
    }

    pub(super) fn heard_by_rest(&mut self, client: usize, what: &Heard<'_>) {
        let wait = Duration::from_millis(self.random.between(100, 500) as u64);
        let Some(answered) = self.rest.heard(client, what, wait) else { return };
        if let Job::Send(number) = answered.job {
            let answer = Answer::of_response(answered.status, answered.body, number);
            self.answered(number, &answer);
            if !matches!(answer, Answer::Again(_)) {
                self.rest.settle(answered.worker);
            }
            return;
        }
        match answered.status {
            204 => {}
            // Left already: the answer to an earlier try was lost.
            404 | 403 if answered.tries > 1 && matches!(answered.job, Job::Leave { .. }) => {}
            status => {
                let parsed: Value = serde_json::from_slice(answered.body).unwrap_or_default();
                let code = parsed.get("code").and_then(Value::as_str).unwrap_or("an answer without a code");
                self.ledger.answered(code);
                if status != 503 && status != 500 {
                    self.problem = Some(format!("{:?} was answered with {status}: {parsed}", answered.job));
                }
                return;
            }
        }
        self.rest.settle(answered.worker);
        self.churn.done(&mut self.world, Instant::now());
    }
}
