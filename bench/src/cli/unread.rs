//! `bench unread`.

use anyhow::{Result, bail};

use crate::scenarios::unread::{LISTED, Size, Unread};

/// Of `unread`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages of the large room.
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// Threads of the large room, all followed by its reader.
    #[arg(long, default_value_t = 10_000)]
    threads: usize,
    /// Messages of each small room.
    #[arg(long, default_value_t = 100)]
    small_messages: usize,
    /// Threads of each small room, all followed by its reader.
    #[arg(long, default_value_t = 10)]
    small_threads: usize,
    /// Small rooms: marks are moved in all of them, so that each stays small; the rest is asked of one.
    #[arg(long, default_value_t = 100)]
    rooms: usize,
    /// Threads with something unread in each room, 1 to 20.
    #[arg(long, default_value_t = 5)]
    unread: usize,
    /// Unread messages that mention the reader in each room.
    #[arg(long, default_value_t = 5)]
    mentions: usize,
    /// Connections, each with one request under way; with commas, one number after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    connections: Vec<usize>,
    /// Reads of each kind, of each side in a turn.
    #[arg(long, default_value_t = 2_000)]
    reads: usize,
    /// Turns that are measured; one more goes before them.
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 100)]
    body: usize,
}

impl Args {
    /// What was asked for.
    ///
    /// # Errors
    /// It cannot be.
    pub fn scenario(&self) -> Result<Unread> {
        let Self { rooms, unread, mentions, reads, turns, body, .. } = *self;
        let small = Size { messages: self.small_messages, threads: self.small_threads };
        let large = Size { messages: self.messages, threads: self.threads };
        if [small, large].iter().any(|size| size.threads > size.messages / 2 || mentions > size.messages / 2) {
            bail!(
                "threads begin in the first half of a room and unread mentions lie in the second: give at most half as many of each as messages"
            );
        }
        if !(1..=LISTED).contains(&unread) || unread >= small.threads {
            bail!("give --unread of 1 to {LISTED}, and more --small-threads than that");
        }
        let marked = rooms * (small.threads - unread);
        if large.threads < unread + marked {
            bail!(
                "marks are moved in as many threads of the large room as of the small ones: give --threads of {} or more",
                unread + marked
            );
        }
        if rooms == 0 || reads == 0 || turns == 0 || self.connections.contains(&0) {
            bail!("give at least one of --rooms, --reads, --turns and --connections");
        }
        Ok(Unread { small, large, rooms, unread, mentions, body, connections: self.connections.clone(), reads, turns })
    }
}
