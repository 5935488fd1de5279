//! What every resolver finds in its context: the user of the request, the bus, and what the request may cost.

use crate::budget::{Budget, Turn, Weight};
use crate::refuse::{refuse, server_error};
use async_graphql::{Context, Error, PathSegment, Response, Value};
use bus::Bus;
use contract::{Call, Caller, Code, Refusal, UserCaller};
use edge::{Admission, Price};
use std::sync::Arc;
use std::time::Duration;

/// How long an event that cannot be paid for waits at least. The bucket fills meanwhile, so events do not come slower in sum; but a user with
/// many subscriptions does not have them ask for each single read, and leaves some reads to other calls.
const UNPAID_WAIT: Duration = Duration::from_millis(100);

/// See the module. Every call is asked in the user's name, so the services decide what there is to see.
#[derive(Clone)]
pub(crate) struct RequestContext {
    pub bus: Bus,
    pub admission: Arc<Admission>,
    pub who: Caller,
    /// What this request may cost; a batch shares one.
    pub budget: Arc<Budget>,
}

impl RequestContext {
    /// Out of a resolver's context.
    pub(crate) fn of<'a>(ctx: &Context<'a>) -> Result<&'a RequestContext, Error> {
        ctx.data::<RequestContext>().map_err(|_| refuse(Refusal::unauthenticated()))
    }

    /// Asks a service. The calls of a request follow one another, so that no request occupies more readers than others.
    pub(crate) async fn ask<C: Call<Reply: Weight>>(&self, call: C) -> Result<C::Reply, Refusal> {
        let _turn = self.turn().await?;
        let answer = self.bus.ask(&self.who, call).await?;
        self.budget.has_read(&answer);
        Ok(answer)
    }

    /// The same for a call that may look at much. It pays 50 reads, and gets back those that it did not need: `rows` says how many rows the answer
    /// looked at. It pays when its turn comes, so that several of one request need not be paid for together.
    pub(crate) async fn look<C: Call<Reply: Weight>>(&self, call: C, rows: impl FnOnce(&C::Reply) -> usize) -> Result<C::Reply, Refusal> {
        let _turn = self.turn().await?;
        let paid = self.admission.pay(self.user()?.id, Price::Look)?;
        let answer = self.bus.ask(&self.who, call).await;
        paid.looked_at(answer.as_ref().map_or(0, rows));
        let answer = answer?;
        self.budget.has_read(&answer);
        Ok(answer)
    }

    /// Waits for the turn, and until what is due then can be paid: an event that comes late is not lost.
    async fn turn(&self) -> Result<Turn<'_>, Refusal> {
        let mut turn = self.budget.turn().await?;
        while turn.due > 0 {
            match self.pay_more(turn.due) {
                Ok(()) => turn.due = 0,
                Err(Refusal { code: Code::RateLimited, retry_after_ms, .. }) => {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms.unwrap_or(0)).max(UNPAID_WAIT)).await;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(turn)
    }

    /// The context for one event of a subscription: with a full budget, and `reads` to pay before the first call. An event that needs no call
    /// costs nothing: its sender has paid for it.
    pub(crate) fn for_event(&self, reads: u32) -> Self {
        Self { budget: Arc::new(self.budget.anew(reads)), ..self.clone() }
    }

    /// A long text as it goes into the answer.
    pub(crate) fn tell<'a>(&self, text: &'a str) -> &'a str {
        self.budget.tell(text)
    }

    /// Counts JSON of so many bytes. False if the answer has no room for it.
    pub(crate) fn tell_bytes(&self, bytes: usize) -> bool {
        self.budget.tell_bytes(bytes)
    }

    /// The response, if its answer may be given.
    pub(crate) fn checked(&self, response: Response) -> Response {
        match self.budget.check() {
            Ok(()) => response,
            Err(refusal) => Response::from_errors(vec![server_error(&refusal)]),
        }
    }

    /// The same for an event of a subscription. The error names its field, so it ends that event alone, and the next may be given.
    pub(crate) fn checked_event(&self, response: Response) -> Response {
        // An event that has failed otherwise is not given either.
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
