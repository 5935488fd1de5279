//! `fill`: makes a database with many rooms and messages, as `rooms` and `history` do for themselves.

mod house;
mod kept;
mod plan;
mod words;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

pub use kept::{Copy, Filled, filled};
pub use plan::{Shape, TOGETHER};
pub use words::word;

use crate::cli::Common;
use crate::report::{Cell, Table, column};
use crate::run::Found;

/// Of `fill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Rooms.
    #[arg(long, default_value_t = 1_000_000)]
    pub rooms: usize,
    /// Members of a room: two are a direct room, more a group.
    #[arg(long, default_value_t = 2)]
    pub members: usize,
    /// Messages in a room.
    #[arg(long, default_value_t = 3)]
    pub messages: usize,
    /// Users (f0, f1, …); without it as many as make everybody a member of 20 rooms.
    #[arg(long)]
    pub users: Option<usize>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    pub body: usize,
    /// Rooms that talk at a time, a message each in turn: so many rows lie between the messages of one room.
    #[arg(long, default_value_t = TOGETHER)]
    pub together: usize,
    /// The file; without it one in `bench` in the target folder that is named for its contents, where `rooms` and `history` look.
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
    /// Makes it anew even if it is there.
    #[arg(long)]
    pub fresh: bool,
}

/// Runs it.
///
/// # Errors
/// It could not be done.
pub fn command(_common: &Common, args: &Args) -> Result<Found> {
    let shape = Shape::new(args.rooms, args.members, args.messages, args.users, args.body)?.talking_together(args.together);
    let began = Instant::now();
    let filled = match &args.database {
        Some(file) => kept::filled_at(shape, file.clone(), args.fresh)?,
        None => filled(shape, args.fresh)?,
    };
    let columns = [
        column("file", "file"),
        column("rooms", "rooms"),
        column("messages", "messages"),
        column("users", "users"),
        column("mib", "MiB"),
        column("seconds", "s"),
    ];
    let mut table = Table::new("Filled", &columns);
    #[allow(clippy::cast_precision_loss)]
    let size = filled.size() as f64 / 1_048_576.0;
    table.rows.push(vec![
        Cell::Text(filled.file.display().to_string()),
        shape.rooms.into(),
        (shape.rooms * shape.messages).into(),
        shape.users.into(),
        Cell::number(size),
        Cell::number(began.elapsed().as_secs_f64()),
    ]);
    table.notes.push("The secret of its users' tokens is the benchmark's own; any other does as well.".to_owned());
    Ok((vec![table], true))
}
