//! The real services in this process, asked as an edge asks them: so a seeded database is what a server would have written.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use bus::Bus;
use contract::calls::messages::{CreateRoom, Rich, Send};
use contract::calls::users::Authenticate;
use contract::{Call, Caller, Clock, RoomId, RoomKind, UserCaller};
use db::{Access, DatabaseUrl, Db};
use futures_util::{StreamExt, TryStreamExt, stream};
use messages::Messages;
use users::{JwtSettings, Mode, Users};

use super::plan::{SeedPlan, TOGETHER};
use crate::progress::{Progress, per_second};
use crate::target::{SECRET, Tokens};

/// Calls under way at a time. The log's writer commits up to 1,024 together, and meanwhile the next ones gather.
const AT_ONCE: usize = 4_096;

/// Makes the database; the rooms' ids in the plan's numbering.
///
/// # Errors
/// A service refuses, or answers otherwise than planned.
pub async fn fill(plan: &SeedPlan, file: &Path) -> Result<Vec<RoomId>> {
    let services = Services::open(file).await?;
    let users = services.users(plan).await?;
    let rooms = services.rooms(plan, &users).await?;
    services.close().await;
    Ok(rooms)
}

struct Services {
    db: Db,
    bus: Bus,
    messages: Arc<Messages>,
}

impl Services {
    async fn open(file: &Path) -> Result<Self> {
        let url = DatabaseUrl::File(file.to_owned());
        let db = Db::open(&url, &[users::MIGRATIONS, messages::MIGRATIONS], Access::Server).await.map_err(|error| anyhow!("{error}"))?;
        let (bus, clock) = (Bus::near(), Clock::system());
        let jwt = JwtSettings { secret: Some(SECRET.to_owned()), ..JwtSettings::default() };
        let settings = users::Settings { mode: Mode::Jwt, jwt, ..users::Settings::default() };
        Users::new(db.clone(), bus.clone(), settings, clock.clone())?.serve(&bus);
        let settings = messages::Settings { room_usernames: 0, sends_per_second: 0, rooms_per_minute: 0, ..messages::Settings::default() };
        let messages = Messages::new(db.clone(), bus.clone(), settings, clock);
        Messages::serve(&messages, &bus);
        Ok(Self { db, bus, messages })
    }

    async fn ask<C: Call>(&self, who: &Caller, call: C) -> Result<C::Reply> {
        self.bus.ask(who, call).await.map_err(|refusal| anyhow!("{}: {refusal}", C::SUBJECT))
    }

    /// Everybody appears by a token, as the users of a host application do.
    async fn users(&self, plan: &SeedPlan) -> Result<Vec<Caller>> {
        let (tokens, step) = (Tokens::new(SECRET), Step::new("users", plan.users));
        let mut callers = vec![Caller::Anonymous; plan.users];
        let mut answers = stream::iter(plan.users_in_order())
            .map(|user| {
                let token = tokens.of(&SeedPlan::username(user));
                async move { Ok::<_, anyhow::Error>((user, self.ask(&Caller::Anonymous, Authenticate { token }).await?)) }
            })
            .buffer_unordered(AT_ONCE);
        let mut done = 0;
        while let Some((user, session)) = answers.try_next().await? {
            let caller = UserCaller { id: session.user.id, username: session.user.username, token: session.token };
            *callers.get_mut(user).context("a user beyond the plan")? = Caller::User(caller);
            done += 1;
            step.at(done);
        }
        step.done();
        Ok(callers)
    }

    /// The rooms, and all that is said in them.
    async fn rooms(&self, plan: &SeedPlan, users: &[Caller]) -> Result<Vec<RoomId>> {
        let step = Step::new("rooms and messages", plan.rooms * (1 + plan.messages));
        let mut ids = vec![RoomId(Default::default()); plan.rooms];
        let (mut order, mut done) = (plan.rooms_in_order(), 0);
        loop {
            let these: Vec<usize> = order.by_ref().take(TOGETHER).collect();
            if these.is_empty() {
                break;
            }
            let mut made = stream::iter(&these)
                .map(|room| async { self.room(plan, users, *room).await.map(|id| (*room, id)) })
                .buffer_unordered(AT_ONCE);
            while let Some((room, id)) = made.try_next().await? {
                *ids.get_mut(room).context("a room beyond the plan")? = id;
                done += 1;
                step.at(done);
            }
            drop(made);
            let ids = &ids;
            let turns = these
                .chunks(plan.together)
                .flat_map(|talking| (1..=plan.messages).flat_map(move |seq| talking.iter().map(move |room| (*room, seq))));
            let mut sent = stream::iter(turns)
                .map(|(room, seq)| async move { self.message(plan, users, ids, room, seq).await })
                .buffer_unordered(AT_ONCE);
            while sent.try_next().await?.is_some() {
                done += 1;
                step.at(done);
            }
        }
        step.done();
        Ok(ids)
    }

    async fn room(&self, plan: &SeedPlan, users: &[Caller], room: usize) -> Result<RoomId> {
        let direct = plan.members == 2;
        let usernames = (1..plan.members).map(|place| Ok(user(users, plan.member(room, place))?.1.username.clone()));
        let call = CreateRoom {
            usernames: usernames.collect::<Result<_>>()?,
            name: (!direct).then(|| format!("room {room}").try_into()).transpose().map_err(|why: String| anyhow!(why))?,
            kind: Some(if direct { RoomKind::Direct } else { RoomKind::Group }),
            nonce: None,
        };
        let answer = self.ask(user(users, plan.member(room, 0))?.0, call).await?;
        if !answer.created {
            bail!("room {room} was there before");
        }
        Ok(answer.room.id)
    }

    async fn message(&self, plan: &SeedPlan, users: &[Caller], ids: &[RoomId], room: usize, seq: usize) -> Result<()> {
        let body = plan.body(room, seq).try_into().map_err(|why: String| anyhow!(why))?;
        let call = Send { room: *ids.get(room).context("a room beyond the plan")?, body, nonce: None, rich: Rich::default() };
        let sent = self.ask(user(users, plan.sender(room, seq))?.0, call).await?;
        // The plan tells who said what by the seq, so messages of one room must not overtake one another here.
        if sent.message.seq != i64::try_from(seq)? {
            bail!("message {seq} of room {room} became number {}", sent.message.seq);
        }
        Ok(())
    }

    /// Ends the services and moves all that was written into the one file.
    async fn close(&self) {
        self.messages.close().await;
        self.db.close().await;
    }
}

/// A user of the plan, as a caller and as the user in it.
fn user(users: &[Caller], number: usize) -> Result<(&Caller, &UserCaller)> {
    match users.get(number) {
        Some(caller @ Caller::User(user)) => Ok((caller, user)),
        _ => bail!("user {number} is beyond the plan"),
    }
}

/// A step of the work, with its rate.
struct Step {
    progress: Progress,
    of: usize,
    began: Instant,
}

impl Step {
    fn new(what: &str, of: usize) -> Self {
        Self { progress: Progress::new(format!("filling: {what}"), of as u64), of, began: Instant::now() }
    }

    fn at(&self, done: usize) {
        self.progress.at(done as u64, || format!("{:.0}/s", per_second(done, self.began.elapsed())));
    }

    fn done(self) {
        let took = self.began.elapsed();
        self.progress.done(&format!("{} in {:.1} s, {:.0}/s", self.of, took.as_secs_f64(), per_second(self.of, took)));
    }
}
