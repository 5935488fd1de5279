//! `guild copy`: moves everything to another database, of whichever engine, while no server runs over either.

use db::copy::Copy;
use db::{Access, DatabaseUrl, Db};

use super::check::{broken, told};
use super::copy_progress::Progress;
use super::output::{note, print};
use crate::assemble::MIGRATIONS;
use crate::exit;
use crate::failure::Failure;

/// Copies the database at one address to the one at another, goes on with what was cut short, and proves both at the end.
///
/// # Errors
/// An address that is none; a database that cannot be used, is in use, or holds other data; a promise that is not kept.
pub async fn copy(from: &str, to: &str) -> Result<u8, Failure> {
    let (here, there) = (address("--from", from)?, address("--to", to)?);
    if here == there {
        return Err(Failure::wrong("--from and --to are the same database"));
    }
    if let DatabaseUrl::File(file) = &here
        && !file.exists()
    {
        return Err(Failure::new(format!("{here} does not exist: there is nothing to copy")));
    }
    let from = Db::open(&here, &MIGRATIONS, Access::Alone).await.map_err(Failure::new)?;
    let to = Db::open(&there, &MIGRATIONS, Access::Alone).await.map_err(Failure::new)?;
    let done = between(&from, &to, (&here, &there)).await;
    from.close().await;
    to.close().await;
    done
}

fn address(flag: &str, text: &str) -> Result<DatabaseUrl, Failure> {
    match text.parse() {
        Ok(DatabaseUrl::Memory) => Err(Failure::wrong(format!("{flag}: a database in memory is gone when this ends"))),
        Ok(url) => Ok(url),
        Err(error) => Err(Failure::wrong(format!("{flag}: {error}"))),
    }
}

async fn between(from: &Db, to: &Db, (here, there): (&DatabaseUrl, &DatabaseUrl)) -> Result<u8, Failure> {
    note(format_args!("copying {here} to {there}"));
    let mut totals = users::copy::counts(from).await.map_err(Failure::new)?;
    totals.extend(messages::copy::counts(from).await.map_err(Failure::new)?);
    let mut progress = Progress::new(totals);
    let must_be_empty = users::copy::MUST_BE_EMPTY.iter().chain(messages::copy::MUST_BE_EMPTY).copied().collect();
    let mut copy = Copy::begin(from, to, must_be_empty, |table, rows| progress.moved(table, rows)).await.map_err(Failure::new)?;
    users::copy::copy(&mut copy).await.map_err(Failure::new)?;
    messages::copy::copy(&mut copy).await.map_err(Failure::new)?;

    note("checking both");
    let mut breaches = 0;
    for (db, url) in [(from, here), (to, there)] {
        let report = messages::check(db).await.map_err(Failure::new)?;
        breaches += broken(&report);
        print(told(&url.to_string(), &report))?;
    }
    if breaches > 0 {
        return Err(Failure::new("the copy is not usable: a promise is not kept (see above). Nothing of the source was changed"));
    }
    let keeps = messages::copy::keeps_positions(from, to);
    copy.finish(keeps).await.map_err(Failure::new)?;
    print(format_args!(
        "{there} is a whole copy: set database.url to it. {}",
        if keeps { "Cursors go on as before" } else { "Positions were counted anew, so clients that come back are told to resync once" }
    ))?;
    Ok(exit::DONE)
}
