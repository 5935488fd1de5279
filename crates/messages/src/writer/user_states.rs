//! Users' own state in a batch: what operations read of it, and what they have changed. It is written once, at the batch's end, however often a
//! value changed.

use crate::store::user_state::{self, StateChange, StateCount, StateRow, StateRowKey};
use contract::log::StateChanges;
use contract::{Stamp, UserId};
use db::{Error, Tx};
use std::collections::{BTreeSet, HashMap};

/// See the module.
#[derive(Default)]
pub(super) struct UserStates {
    /// What was read, or has changed since; none where nothing ever stood.
    rows: HashMap<StateRowKey, Option<StateRow>>,
    /// What the database counts, without the changes of this batch.
    counts: HashMap<UserId, StateCount>,
    /// What the changes of this batch add to that.
    added: HashMap<UserId, StateCount>,
    /// What has changed, in the order of the last change of each.
    changed: Vec<StateRowKey>,
}

impl UserStates {
    /// Reads what a batch will look at, before it begins: the values, and how many rows their owners have where a value is new. The rows are locked
    /// in ascending order (see [`user_state::find_each_to_change`]), so this is called once.
    pub(super) async fn prefetch(&mut self, tx: &mut Tx, wanted: BTreeSet<StateRowKey>) -> Result<(), Error> {
        let keys: Vec<StateRowKey> = wanted.into_iter().collect();
        let rows = user_state::find_each_to_change(tx, &keys).await?;
        let is_new = |row: &Option<StateRow>| row.as_ref().is_none_or(|row| row.value.is_none());
        let owners: BTreeSet<UserId> = keys.iter().zip(&rows).filter(|(_, row)| is_new(row)).map(|((owner, _), _)| *owner).collect();
        let owners: Vec<UserId> = owners.into_iter().collect();
        let counts = user_state::count_each(tx, &owners).await?;
        self.rows = keys.into_iter().zip(rows).collect();
        self.counts = owners.into_iter().zip(counts).collect();
        Ok(())
    }

    /// What stands under a key.
    pub(super) async fn row(&mut self, tx: &mut Tx, key: &StateRowKey) -> Result<Option<StateRow>, Error> {
        if let Some(row) = self.rows.get(key) {
            return Ok(row.clone());
        }
        let row = user_state::find_each_to_change(tx, std::slice::from_ref(key)).await?.into_iter().next().flatten();
        self.rows.insert(key.clone(), row.clone());
        Ok(row)
    }

    /// How many rows a user has.
    pub(super) async fn count(&mut self, tx: &mut Tx, owner: UserId) -> Result<StateCount, Error> {
        let counted = match self.counts.get(&owner) {
            Some(counted) => *counted,
            // Nothing of this batch is in the table yet.
            None => user_state::count_each(tx, &[owner]).await?.first().copied().unwrap_or_default(),
        };
        self.counts.insert(owner, counted);
        let added = self.added.get(&owner).copied().unwrap_or_default();
        Ok(StateCount { live: counted.live + added.live, rows: counted.rows + added.rows })
    }

    /// Puts a value under a key whose row was read, or removes it.
    pub(super) fn set(&mut self, key: StateRowKey, value: Option<String>, stamp: Stamp) {
        let row = StateRow { value, stamp };
        let (is_live, before) = (row.value.is_some(), self.rows.insert(key.clone(), Some(row)).flatten());
        let was_live = before.as_ref().is_some_and(|before| before.value.is_some());
        let added = self.added.entry(key.0).or_default();
        added.live += i64::from(is_live) - i64::from(was_live);
        added.rows += i64::from(before.is_none());
        self.changed.retain(|changed| *changed != key);
        self.changed.push(key);
    }

    /// Writes what has changed, after the change of the partition that has the number `end`, at the partition's last position.
    pub(super) async fn write(&mut self, tx: &mut Tx, (part, position): (u16, i64), end: i64) -> Result<StateChanges, Error> {
        let keys = std::mem::take(&mut self.changed);
        let mut changes = Vec::with_capacity(keys.len());
        for (key, number) in keys.iter().zip(end + 1..) {
            let Some(row) = self.rows.get(key).cloned().flatten() else { continue };
            changes.push(StateChange { key: key.clone(), row, number });
        }
        user_state::save_each(tx, &changes, part, position).await?;
        Ok(StateChanges { end: changes.last().map_or(end, |last| last.number), keys })
    }
}
