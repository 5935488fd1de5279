//! `guild upgrade finish`: after the last process of the old version has gone.

use db::{Access, Db};

use super::output::print;
use crate::assemble::MIGRATIONS;
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;

/// Lets the kinds of events that this program knows be written to the database that the settings name.
///
/// # Errors
/// The database cannot be opened or written.
pub async fn finish_upgrade(settings: &Settings) -> Result<u8, Failure> {
    let url = &settings.services.database;
    let db = Db::open(url, &MIGRATIONS, Access::Tool).await.map_err(Failure::new)?;
    let finished = messages::finish_upgrade(&db).await;
    db.close().await;
    let (before, now) = finished.map_err(Failure::new)?;
    if before == now {
        print(format_args!("{url}: the log is at version {now} already; there is nothing to finish"))?;
    } else {
        print(format_args!(
            "{url}: the log is at version {now} now, before at {before}; older versions of guild cannot be started over it"
        ))?;
    }
    Ok(exit::DONE)
}
