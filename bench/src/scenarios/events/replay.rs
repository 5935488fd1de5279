//! The same events, as sockets that come back hear them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::net::Net;
use crate::scenarios::assembly::Assembly;
use crate::scenarios::meter::{Meter, Spent};

/// Between the cut and the return: the server has seen to the cut.
const AWAY: Duration = Duration::from_millis(300);

/// Cuts every member of a room, and has each come back with its cursor of old, until it has heard everything again.
///
/// # Errors
/// Somebody cannot get in, or lacks an event.
pub fn replay_all(net: &mut Net, all: &mut Assembly, room: usize, cursors: &[Option<String>]) -> Result<Spent> {
    let target = all.virtual_users.target.clone();
    for client in all.members(room) {
        all.virtual_users.cut(net, client);
        if let (Some(user), Some(cursor)) = (all.virtual_users.users.get_mut(client), cursors.get(client)) {
            user.cursor.clone_from(cursor);
        }
    }
    net.turn_until(all, Instant::now() + AWAY, |_| false)?;
    let meter = Meter::start(&target)?;
    let work = all.return_all(net, room)?;
    let spent = meter.spent(&target)?;
    let due = all.head(room) * all.members(room).len() as u64;
    if work.misplaced > 0 || work.delivered != due {
        bail!("{} of {due} events were replayed, {} of them out of order", work.delivered, work.misplaced);
    }
    Ok(spent)
}
