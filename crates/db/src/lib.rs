//! One thin face over SQLite and PostgreSQL: run this statement with these values, map each row by position.
//!
//! It opens a database (and says to an operator, in one line, why not), brings its schema up to date, gives
//! consistent reads on several threads, and one write transaction at a time: `Ok` from [`Db::write`]
//! means committed and synced to disk.
//!
//! It may not know what is stored: no user, room or message is named here, and no service's statement stands here.
//! A service's store writes each statement once, in the dialect that both engines share:
//!
//! - values are integers, text, bytes and null; columns are `BIGINT`, `TEXT` and `BYTEA` (SQLite takes those names too);
//! - parameters are `$1`, `$2`, ...; `CAST($1 AS BIGINT)` where nothing else tells PostgreSQL a parameter's type;
//! - `ON CONFLICT` and `RETURNING` are fine; `CASE` for booleans; no `NUMERIC` out of `SUM` (cast it to `BIGINT`);
//! - PostgreSQL's text columns are `COLLATE "C"`, so that both engines order alike; text never holds a NUL;
//! - **after an error a transaction can only fail**, as PostgreSQL has it: every later statement and the commit answer
//!   that first error, even if the work returned `Ok`. A statement whose row may exist already says
//!   `ON CONFLICT DO NOTHING` and looks at the count, or the caller takes [`Error::Conflict`] from [`Db::write`] itself.

mod access;
mod coalescer;
pub mod copy;
mod db;
mod error;
mod migrations;
pub mod numbers;
mod postgres;
mod refusal;
mod row;
mod slow;
mod sqlite;
mod trips;
mod tx;
mod url;
mod value;
mod work;

pub use access::Access;
pub use coalescer::Coalescer;
pub use db::{Db, Engine};
pub use error::{Error, OpenError};
pub use migrations::{Migration, Migrations};
pub use row::Row;
pub use trips::Trips;
pub use tx::Tx;
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use value::{Nullable, Value};
