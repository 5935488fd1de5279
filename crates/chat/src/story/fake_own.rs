//! Users' own state in the fake services' memory.

use super::fake::{EPOCH, Fake, World};
use super::random::Random;
use contract::calls::state::{ChangedKeys, StateEnds, StateKeysAfter, StateNews, StateNow, StateSince, StatesNow};
use contract::log::{Batch, StateChanges};
use contract::{Answer, Caller, Refusal, Stamp, StateKey, StateValue, UserId};
use serde_json::json;
use std::collections::BTreeMap;

/// So many changed values are told at the most.
const MOST: usize = 3;

#[derive(Default)]
pub(super) struct OwnRows {
    rows: BTreeMap<(UserId, StateKey), OwnRow>,
    /// The number of the last change in each partition.
    ends: Vec<i64>,
}

struct OwnRow {
    now: StateNow,
    part: usize,
    position: i64,
    number: i64,
}

impl OwnRows {
    pub(super) fn new(partitions: usize) -> Self {
        Self { rows: BTreeMap::new(), ends: vec![0; partitions] }
    }

    /// Where a user's values have changed last.
    pub(super) fn changed(&self, user: UserId) -> Vec<i64> {
        let last = |part| self.of(user).filter(|row| row.part == part).map(|row| row.position).max();
        (0..self.ends.len()).map(|part| last(part).unwrap_or(-1)).collect()
    }

    /// A user's values.
    pub(super) fn values(&self, user: UserId) -> BTreeMap<StateKey, StateValue> {
        self.of(user).filter_map(|row| Some((row.now.key.clone(), row.now.value.clone()?))).collect()
    }

    fn of(&self, user: UserId) -> impl Iterator<Item = &OwnRow> {
        self.rows.iter().filter(move |((owner, _), _)| *owner == user).map(|(_, row)| row)
    }
}

impl World {
    /// About so many random changes of the log, and of users' own state, as what a commit to each partition has done.
    pub(super) fn commit_with_own(&mut self, changes: usize, own: usize, random: &mut Random) -> Vec<Batch> {
        let before = self.ends();
        for _ in 0..changes {
            self.change(random);
        }
        let mut keys: Vec<Vec<(UserId, StateKey)>> = vec![Vec::new(); self.log.len()];
        for _ in 0..own {
            let user = self.users[random.below(self.users.len())].id;
            let key = StateKey::try_from(format!("k{}", random.below(5))).unwrap();
            let changed = &mut keys[random.below(before.len())];
            if !changed.contains(&(user, key.clone())) {
                changed.push((user, key));
            }
        }
        let mut batches = Vec::new();
        for (part, keys) in keys.into_iter().enumerate() {
            let position = self.log[part].len() as i64;
            for (user, key) in &keys {
                self.own.ends[part] += 1;
                let value = (!random.one_in(4)).then(|| json!(random.below(1_000_000)).try_into().unwrap());
                let now = StateNow { key: key.clone(), value, stamp: Stamp::new() };
                let row = OwnRow { now, part, position, number: self.own.ends[part] };
                self.own.rows.insert((*user, key.clone()), row);
            }
            let entries: Vec<_> = self.log[part][before[part] as usize..].iter().map(|(entry, _)| entry.clone()).collect();
            if !(entries.is_empty() && keys.is_empty()) {
                let state = Some(StateChanges { end: self.own.ends[part], keys });
                batches.push(Batch { epoch: EPOCH, partition: part as u16, first: before[part] + 1, last: position, entries, state });
            }
        }
        batches
    }
}

impl Answer<StateEnds> for Fake {
    async fn answer(&self, who: &Caller, _: StateEnds) -> Result<Vec<i64>, Refusal> {
        self.read(who, |world| world.own.ends.clone()).await
    }
}

impl Answer<StateKeysAfter> for Fake {
    async fn answer(&self, who: &Caller, call: StateKeysAfter) -> Result<ChangedKeys, Refusal> {
        let part = usize::from(call.partition);
        self.read(who, |world| {
            let rows = world.own.rows.iter().filter(|(_, row)| row.part == part && row.number > call.after);
            let mut found: Vec<_> = rows.map(|(key, row)| (row.number, key.clone())).collect();
            found.sort();
            // Short pages, so that a gap takes several.
            let more = found.len() > 2;
            found.truncate(2);
            let end = if more { found[1].0 } else { world.own.ends[part] };
            let keys = found.into_iter().map(|(_, key)| key).collect();
            ChangedKeys { keys, forgotten: Vec::new(), end, position: world.log[part].len() as i64, more }
        })
        .await
    }
}

impl Answer<StatesNow> for Fake {
    async fn answer(&self, who: &Caller, call: StatesNow) -> Result<Vec<(UserId, StateNow)>, Refusal> {
        self.read(who, |world| call.keys.into_iter().map(|key| (key.0, world.own.rows[&key].now.clone())).collect()).await
    }
}

impl Answer<StateSince> for Fake {
    async fn answer(&self, who: &Caller, call: StateSince) -> Result<StateNews, Refusal> {
        self.read(who, |world| {
            let changed = world.own.of(call.user).filter(|row| row.position >= call.cursor.positions[row.part]);
            let values: Vec<_> = changed.map(|row| row.now.clone()).collect();
            if values.len() > MOST { StateNews::Reset } else { StateNews::Changes { values, marks: Vec::new() } }
        })
        .await
    }
}
