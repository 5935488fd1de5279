//! `WhichEnded`: a gateway asks which of its sessions are not valid any more, after something was changed from outside.

use crate::lookup::at_most_1000;
use crate::service::Users;
use crate::settings::Mode;
use crate::token;
use contract::calls::users::WhichEnded;
use contract::{Answer, Caller, Refusal, TokenId};

impl Answer<WhichEnded> for Users {
    async fn answer(&self, who: &Caller, call: WhichEnded) -> Result<Vec<TokenId>, Refusal> {
        who.must_be_service()?;
        at_most_1000("sessions", call.sessions.len())?;
        let tokens: Vec<TokenId> = call.sessions.iter().map(|(token, _)| *token).collect();
        let states = self.store.session_states(call.sessions).await?;
        let mode = self.settings.mode;
        let ended = tokens.into_iter().zip(states).filter(|(token, state)| {
            // A host application's tokens are not stored, and in `open` mode a session may have none.
            let is_stored = !(state.from_host && mode.takes_jwt() || mode == Mode::Open && token::is_name_of_none(*token));
            !state.user_enabled || state.logged_out || (is_stored && !state.stored)
        });
        Ok(ended.map(|(token, _)| token).collect())
    }
}
