//! Who asks, and how: what every resolver finds in its context.

use crate::budget::{Budget, Turn, Weight};
use crate::refuse::{refuse, server_error};
use async_graphql::{Context, Error, PathSegment, Response, Value};
use bus::Bus;
use contract::{Call, Caller, Code, Limit, Refusal, UserCaller};
use edge::{Admission, Price};
use std::sync::Arc;
use std::time::Duration;

/// For how long an event waits at least that cannot be paid for. What the bucket takes in meanwhile is there afterwards, so nothing comes
/// slower by it; but whoever has many subscriptions does not have them ask for each read, and leaves some to their other calls.
const PATIENCE: Duration = Duration::from_millis(100);

/// The user of this request and the bus. Every question is asked in that user's name, so the services decide what there is to see.
#[derive(Clone)]
pub(crate) struct Asker {
    pub bus: Bus,
    pub admission: Arc<Admission>,
    pub who: Caller,
    /// What this request may cost; a batch shares one.
    pub budget: Arc<Budget>,
}

impl Asker {
    /// Out of a resolver's context.
    pub(crate) fn of<'a>(ctx: &Context<'a>) -> Result<&'a Asker, Error> {
        ctx.data::<Asker>().map_err(|_| refuse(Refusal::unauthenticated()))
    }

    /// Asks a service. One question of a request follows the other: it is served by no more readers than others are.
    pub(crate) async fn ask<C: Call<Reply: Weight>>(&self, call: C) -> Result<C::Reply, Refusal> {
        let _turn = self.turn().await?;
        let answer = self.bus.ask(&self.who, call).await?;
        self.budget.has_read(&answer);
        Ok(answer)
    }

    /// The same for what may look at much: it pays 50 reads, and gets back what it did not need by `rows`, how many the answer looked at. It
    /// pays in its turn, so that several in one request need not have paid together.
    pub(crate) async fn look<C: Call<Reply: Weight>>(&self, call: C, rows: impl FnOnce(&C::Reply) -> usize) -> Result<C::Reply, Refusal> {
        let _turn = self.turn().await?;
        let paid = self.admission.pay(self.user()?.id, Price::Look)?;
        let answer = self.bus.ask(&self.who, call).await;
        paid.looked_at(answer.as_ref().map_or(0, rows));
        let answer = answer?;
        self.budget.has_read(&answer);
        Ok(answer)
    }

    /// Waits for the turn, and until what is due by then can be paid: an event that comes later is not lost.
    async fn turn(&self) -> Result<Turn<'_>, Refusal> {
        let mut turn = self.budget.turn().await?;
        while turn.due > 0 {
            match self.pay_more(turn.due) {
                Ok(()) => turn.due = 0,
                Err(Refusal { code: Code::RateLimited, retry_after_ms, .. }) => {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms.unwrap_or(0)).max(PATIENCE)).await;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(turn)
    }

    /// Who asks for one event of a subscription: with bounds that nothing has been taken from, and `reads` to pay before anything is asked.
    /// An event for which nothing is asked costs nothing: its sender has paid for it.
    pub(crate) fn for_event(&self, reads: u32) -> Self {
        Self { budget: Arc::new(self.budget.anew(reads)), ..self.clone() }
    }

    /// A long text as it goes into the answer.
    pub(crate) fn tell<'a>(&self, text: &'a str) -> &'a str {
        self.budget.tell(text)
    }

    /// The response, if its answer may be given.
    pub(crate) fn checked(&self, response: Response) -> Response {
        match self.budget.check() {
            Ok(()) => response,
            Err(refusal) => Response::from_errors(vec![server_error(&refusal)]),
        }
    }

    /// The same for an event of a subscription. The error stands under its field's name, so it is that event's alone: the next may be given.
    pub(crate) fn checked_event(&self, response: Response) -> Response {
        // What has failed otherwise is not given either.
        let Value::Object(fields) = &response.data else { return response };
        let Err(refusal) = self.budget.check() else { return response };
        let path = fields.keys().map(|name| PathSegment::Field(name.to_string())).collect();
        Response::from_errors(vec![server_error(&refusal).with_path(path)])
    }

    /// Pays so many reads more.
    pub(crate) fn pay_more(&self, reads: u32) -> Result<(), Refusal> {
        self.admission.take_reads(self.user()?.id, reads)?;
        Ok(())
    }

    pub(crate) fn user(&self) -> Result<&UserCaller, Refusal> {
        self.who.user()
    }
}

/// `first` or `last` as a limit; 50 where nothing is said.
pub(crate) fn limit(field: &str, count: Option<i32>) -> Result<Limit, Refusal> {
    match count {
        None => Ok(Limit::default()),
        Some(count) => Limit::try_from(i64::from(count)).map_err(|_| Refusal::invalid(field, format!("{field} is a number from 1 to 100"))),
    }
}

/// How often a field of a list counts towards a query's complexity.
pub(crate) fn times(counts: &[Option<i32>], otherwise: usize) -> usize {
    counts.iter().flatten().next().map_or(otherwise, |count| usize::try_from(*count).unwrap_or(0).clamp(1, 100))
}
