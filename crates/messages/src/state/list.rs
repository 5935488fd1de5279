//! The caller's own state, by key.

use super::get::value;
use crate::request::bad_after;
use crate::service::Messages;
use crate::store::user_state;
use contract::calls::state::{ListState, StateItem};
use contract::{Answer, Caller, Page, Refusal, StateKey};

impl Answer<ListState> for Messages {
    async fn answer(&self, who: &Caller, call: ListState) -> Result<Page<StateItem>, Refusal> {
        let member = who.user()?.id;
        let ListState { prefix, after, limit } = call;
        let after = after.map(|after| StateKey::try_from(after).map_err(|_| bad_after())).transpose()?;
        let rows = self.db.read(move |tx| {
            Box::pin(async move {
                let text = |key: &Option<StateKey>| key.as_ref().map_or(String::new(), |key| key.as_str().to_owned());
                user_state::page(tx, member, &text(&prefix), &text(&after), limit.and_one()).await
            })
        });
        let page = Page::cut(rows.await?, limit, |(key, _)| key.as_str().to_owned());
        let item = |(key, row): (StateKey, user_state::StateRow)| {
            let json = row.value.unwrap_or_default();
            Ok(StateItem { key, value: value(&json)?, stamp: row.stamp })
        };
        Ok(Page { items: page.items.into_iter().map(item).collect::<Result<_, Refusal>>()?, next: page.next })
    }
}
