//! Answers other processes: each request in a task of its own, a bounded number of calls at a time, and none whose caller waits no more.

use super::Nats;
use super::ask::{DEADLINE, LEFT};
use super::bundle::{CALLS, join, split};
use super::lanes::MOST;
use super::parts::divide;
use crate::calls::Service;
use async_nats::{Message, Subject, Subscriber};
use bytes::Bytes;
use contract::Refusal;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The processes that answer the same call share it under this name: each request goes to one of them.
const GROUP: &str = "guild";

/// Calls that are worked on at a time, and that may be in hand at all; one more is refused as `busy`.
const AT_ONCE: usize = 4 * MOST;
const IN_HAND: u32 = 16_384;

/// How long the server may take to stop sending.
const UNSUBSCRIBE: Duration = Duration::from_secs(1);

pub(super) struct Answering {
    at_once: Arc<Semaphore>,
    in_hand: Arc<Semaphore>,
    subjects: Mutex<HashSet<&'static str>>,
    takers: Mutex<JoinSet<Option<(&'static str, Subscriber)>>>,
    stopping: watch::Sender<bool>,
}

impl Default for Answering {
    fn default() -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            in_hand: Arc::new(Semaphore::new(IN_HAND as usize)),
            subjects: Mutex::default(),
            takers: Mutex::default(),
            stopping: watch::Sender::new(false),
        }
    }
}

impl Nats {
    /// From now on requests of this subject are taken. What answers them is in the registry.
    pub(crate) fn take(self: &Arc<Self>, subject: &'static str) {
        if !self.answering.subjects.lock().unwrap_or_else(PoisonError::into_inner).insert(subject) {
            return;
        }
        let name = format!("guild.call.{subject}");
        let now = self.client.queue_subscribe(name.clone(), GROUP.to_owned()).now_or_never();
        let nats = Arc::clone(self);
        let mut stopping = self.answering.stopping.subscribe();
        let work = async move {
            let subscribed = match now {
                Some(subscribed) => subscribed,
                None => nats.client.queue_subscribe(name, GROUP.to_owned()).await,
            };
            let mut requests = match subscribed {
                Ok(requests) => requests,
                Err(error) => {
                    tracing::error!(subject, %error, "cannot take calls from NATS");
                    return None;
                }
            };
            loop {
                tokio::select! {
                    biased;
                    request = requests.next() => match request {
                        Some(request) => nats.begin(subject, request),
                        None => return None,
                    },
                    _ = stopping.wait_for(|stopping| *stopping) => return Some((subject, requests)),
                }
            }
        };
        let work = self.vital.keep("the taking of other processes' calls", work);
        self.answering.takers.lock().unwrap_or_else(PoisonError::into_inner).spawn(work);
    }

    pub(crate) async fn stop_taking(self: &Arc<Self>) {
        self.answering.stopping.send_replace(true);
        let takers = std::mem::take(&mut *self.answering.takers.lock().unwrap_or_else(PoisonError::into_inner));
        let (subjects, requests): (Vec<_>, Vec<_>) = takers.join_all().await.into_iter().flatten().unzip();
        let rest = async {
            for (subject, mut requests) in subjects.into_iter().zip(self.thread.drain(&self.client, requests).await) {
                while let Some(request) = requests.next().await {
                    self.begin(subject, request);
                }
            }
        };
        if self.is_connected() && tokio::time::timeout(UNSUBSCRIBE, rest).await.is_err() {
            tracing::warn!("NATS did not say in time that it sends no more calls here");
        }
    }

    pub(crate) async fn answered(&self) {
        // Each request that is in hand holds one.
        drop(self.answering.in_hand.acquire_many(IN_HAND).await);
    }

    /// Takes a request. It is answered in the background.
    fn begin(self: &Arc<Self>, subject: &'static str, request: Message) {
        let Some(reply) = request.reply.clone() else { return };
        let Some(service) = self.calls.find(subject) else { return };
        let until = Instant::now() + left(&request);
        let calls = calls(request);
        let count = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let nats = Arc::clone(self);
        match Arc::clone(&self.answering.in_hand).try_acquire_many_owned(count) {
            Ok(held) => _ = tokio::spawn(async move { nats.answer(subject, &service, calls, reply, until, held).await }),
            Err(_) => {
                counted("too_many", count);
                let refusal: Result<(), Refusal> = Err(Refusal::busy("too many calls wait here; try again"));
                let answer = serde_json::to_vec(&refusal).unwrap_or_default();
                let answer = together(vec![answer; calls.len()]);
                tokio::spawn(async move { nats.send(subject, reply, answer).await });
            }
        }
    }

    async fn answer(
        &self,
        subject: &'static str,
        service: &Service,
        calls: Vec<Bytes>,
        reply: Subject,
        until: Instant,
        held: OwnedSemaphorePermit,
    ) {
        // The semaphore is never closed, so an error means that the time has run out.
        let count = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let Ok(Ok(turn)) = timeout_at(until, self.answering.at_once.acquire_many(count)).await else {
            counted("expired", count);
            return tracing::warn!(subject, "a call was not begun: nobody waits for its answer any more");
        };
        if Instant::now() >= until {
            return counted("expired", count);
        }
        // Each call runs up to its first wait before the next one begins.
        let answers = join_all(calls.into_iter().map(|call| service.answer_bytes(call))).await;
        drop(turn);
        counted("answered", count);
        self.send(subject, reply, together(answers)).await;
        drop(held);
    }

    async fn send(&self, subject: &'static str, reply: Subject, answer: Bytes) {
        for (headers, part) in divide(answer, self.client.max_payload()) {
            let sent = match headers {
                None => self.client.publish(reply.clone(), part).await,
                Some(headers) => self.client.publish_with_headers(reply.clone(), headers, part).await,
            };
            if let Err(error) = sent {
                return tracing::warn!(subject, %error, "an answer was not taken by NATS; the caller is told nothing");
            }
        }
    }
}

/// How long the caller still waits.
fn left(request: &Message) -> Duration {
    let said = request.headers.as_ref().and_then(|headers| headers.get(LEFT)).and_then(|left| left.as_str().parse().ok());
    said.map_or(DEADLINE, Duration::from_millis)
}

/// The calls of a request. A payload that claims to be several calls and is not counts as one call that cannot be read.
fn calls(request: Message) -> Vec<Bytes> {
    let said = request.headers.as_ref().and_then(|headers| headers.get(CALLS)).and_then(|calls| calls.as_str().parse().ok());
    let several = said.filter(|calls| (2..=MOST).contains(calls)).and_then(|calls| split(&request.payload, calls));
    several.unwrap_or_else(|| vec![request.payload])
}

/// Several answers as one.
fn together(answers: Vec<Vec<u8>>) -> Bytes {
    match <[Vec<u8>; 1]>::try_from(answers) {
        Ok([alone]) => alone.into(),
        Err(many) => join(&many),
    }
}

fn counted(outcome: &'static str, calls: u32) {
    metrics::counter!("guild_nats_answers_total", "outcome" => outcome).increment(calls.into());
}
