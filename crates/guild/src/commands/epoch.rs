//! `guild epoch new`: after a backup was restored.

use db::{Access, Db};

use super::output::print;
use crate::assemble::MIGRATIONS;
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;

/// Begins a new epoch in the database that the settings name.
///
/// # Errors
/// A server runs over it, or it cannot be opened or written.
pub async fn new_epoch(settings: &Settings) -> Result<u8, Failure> {
    let url = &settings.services.database;
    // A server would go on giving out cursors of the old epoch for a moment.
    let db = Db::open(url, &MIGRATIONS, Access::Alone).await.map_err(Failure::new)?;
    let epoch = db.new_epoch().await;
    db.close().await;
    let epoch = epoch.map_err(Failure::new)?;
    print(format_args!("{url}: epoch {epoch:x} has begun; every cursor from before is answered by resync"))?;
    Ok(exit::DONE)
}
