//! How much text a batch may hold. A batch has up to a thousand operations, and each may read a hundred long messages; so a batch ends early when
//! this is used up, and the operations that are left are the next one.

use crate::store::log::{Kind, LogRow};

/// A batch ends after so many bytes, and has one operation at least. That is far more than a thousand usual operations need, and a partition's
/// writer holds some times as much at the most.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// What a message that is read counts besides its text: the row, its state, and what it answers.
const OF_A_MESSAGE: usize = 8 * 1024;

/// What a row that is appended counts besides its text. With a created room goes what its reader is told of it.
const OF_A_ROW: usize = 1024;
const OF_A_ROOM: usize = 4 * 1024;

/// Adds up what a batch holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes(usize);

impl Bytes {
    /// Whether no further operation belongs into the batch.
    pub(super) fn are_used_up(self) -> bool {
        self.0 >= MOST
    }

    /// A message was read whose texts have so many bytes. They are there twice where the index forgets them.
    pub(super) fn add_message(&mut self, texts: usize) {
        self.0 = self.0.saturating_add(OF_A_MESSAGE).saturating_add(texts.saturating_mul(2));
    }

    /// A row is appended. It is there twice: to be written, and to be published.
    pub(super) fn add_row(&mut self, row: &LogRow) {
        let own = if row.kind == Kind::RoomCreated { OF_A_ROOM } else { OF_A_ROW };
        self.0 = self.0.saturating_add(own).saturating_add(texts_of(row).saturating_mul(2));
    }
}

/// The bytes of a row's texts, and of those of its state, if it is a message that was changed.
pub(super) fn texts_of(row: &LogRow) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let state = row.state().map_or(0, |state| length(&state.body) + length(&state.extra));
    length(&row.payload) + length(&row.extra) + state
}
