//! What a transaction does, with the type of its answer forgotten. So the engines are compiled once, here, and not again for each question that
//! a service asks.

use std::any::Any;

use futures_util::future::BoxFuture;

use crate::error::Error;
use crate::row::Row;
use crate::tx::Tx;

/// An answer of any type.
pub(crate) type Answer = Box<dyn Any + Send>;

/// The work of one transaction.
pub(crate) type Work = Box<dyn for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<Answer, Error>> + Send>;

/// What is done with each row of an answer.
pub(crate) type EachRow<'a> = dyn FnMut(&Row<'_>) -> Result<(), Error> + Send + 'a;

/// Forgets the type of the work's answer.
pub(crate) fn forget<T, F>(work: F) -> Work
where
    T: Send + 'static,
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
{
    Box::new(move |tx| {
        Box::pin(async move {
            let answer: Answer = Box::new(work(tx).await?);
            Ok(answer)
        })
    })
}

/// The answer of the work that [`forget`] was given.
pub(crate) fn recall<T: 'static>(answer: Answer) -> Result<T, Error> {
    answer.downcast().map(|answer| *answer).map_err(|_| Error::Failed("a transaction answered in another type".to_owned()))
}
