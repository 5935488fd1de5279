//! Who asks, and how: what every resolver finds in its context.

use crate::budget::{Budget, Weight};
use crate::refuse::{refuse, server_error};
use async_graphql::{Context, Error, Response};
use bus::Bus;
use contract::{Call, Caller, Limit, Refusal, UserCaller};
use edge::{Admission, Paid, Price};
use std::sync::Arc;

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
        let _turn = self.budget.turn().await?;
        let answer = self.bus.ask(&self.who, call).await?;
        self.budget.has_read(&answer);
        Ok(answer)
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

    /// Pays for a field that may look at much.
    pub(crate) fn pay_for_a_look(&self) -> Result<Paid, Refusal> {
        self.admission.pay(self.user()?.id, Price::Look)
    }

    /// Pays so many reads more.
    pub(crate) fn pay_more(&self, reads: u32) -> Result<(), Refusal> {
        self.admission.take_reads(self.user()?.id, reads)
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
