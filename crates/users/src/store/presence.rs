//! Which users have live sockets at which gateway. A row counts while its gateway's lease runs, so a dead gateway's users go offline. That is
//! also why nothing here is synced to disk: after a crash of the machine nobody is online.

use super::{Store, user_columns, user_ref, user_with_online};
use contract::{GatewayId, Time, User, UserId, UserRef};
use db::{Error, Row, Tx, values};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A user's first socket at a gateway was opened, or the last one closed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) gateway: GatewayId,
    pub(crate) user: UserRef,
    pub(crate) online: bool,
}

/// Held by every transaction that changes presence, on all servers. Without it, two gateways that lose the same user at once would each see
/// the other's row, and nobody would publish that the user is offline. `GILDPRES`.
const LOCK: i64 = 0x4749_4c44_5052_4553;

const AT_ANY: &str = "SELECT p.user_id FROM presence p JOIN gateways g ON g.id = p.gateway_id
    WHERE p.user_id = $1 AND g.lease_until > $2 LIMIT 1";
const LEASE: &str = "INSERT INTO gateways (id, lease_until) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";
const COME: &str = "INSERT INTO presence (user_id, gateway_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const GO: &str = "DELETE FROM presence WHERE user_id = $1 AND gateway_id = $2";
const AT_GATEWAY: &str = "SELECT u.id, u.username FROM presence p JOIN users u ON u.id = p.user_id WHERE p.gateway_id = $1";

impl Store {
    /// Stores all of these in one transaction, in their order, with leases until `lease_until`. Answers who has come online and who is offline
    /// everywhere now.
    pub(crate) async fn set_presence(&self, changes: Vec<Change>, now: Time, lease_until: Time) -> Result<Vec<(UserRef, bool)>, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    tx.lock(LOCK).await?;
                    // Read before any lease is renewed: users of a gateway whose lease had run out were offline.
                    let users: BTreeMap<UserId, &UserRef> = changes.iter().map(|change| (change.user.id, &change.user)).collect();
                    let before = are_anywhere(tx, users.keys().copied(), now).await?;
                    let gateways: BTreeSet<GatewayId> = changes.iter().map(|change| change.gateway).collect();
                    let leases: Vec<_> = gateways.iter().map(|gateway| values![gateway.bytes(), lease_until.0]).collect();
                    tx.execute_each(LEASE, &leases).await?;
                    // Of several changes of one user at one gateway the last counts.
                    let last: BTreeMap<(UserId, GatewayId), bool> =
                        changes.iter().map(|change| ((change.user.id, change.gateway), change.online)).collect();
                    for (sql, online) in [(COME, true), (GO, false)] {
                        let each = last.iter().filter(|(_, is)| **is == online);
                        let each: Vec<_> = each.map(|((user, gateway), _)| values![user.bytes(), gateway.bytes()]).collect();
                        tx.execute_each(sql, &each).await?;
                    }
                    // A user whose last change is online is at a gateway whose lease was renewed just now.
                    let last: HashMap<UserId, bool> = changes.iter().map(|change| (change.user.id, change.online)).collect();
                    let came = |user: &UserId| last.get(user) == Some(&true);
                    let after = are_anywhere(tx, users.keys().copied().filter(|user| !came(user)), now).await?;
                    let mut changed = Vec::new();
                    let mut reported = BTreeSet::new();
                    for user in changes.iter().map(|change| &change.user) {
                        let (was, is) = (before.contains(&user.id), came(&user.id) || after.contains(&user.id));
                        if was != is && reported.insert(user.id) {
                            changed.push((user.clone(), is));
                        }
                    }
                    Ok(changed)
                })
            })
            .await
    }

    /// Lengthens a gateway's lease; false where it has none (any more).
    pub(crate) async fn renew_lease(&self, gateway: GatewayId, lease_until: Time) -> Result<bool, Error> {
        const SQL: &str = "UPDATE gateways SET lease_until = $2 WHERE id = $1";
        let values = values![gateway.bytes(), lease_until.0];
        self.db.write(|tx| Box::pin(async move { Ok(tx.execute(SQL, &values).await? > 0) })).await
    }

    /// Ends one gateway. Answers which of its users are offline everywhere now.
    pub(crate) async fn end_gateway(&self, gateway: GatewayId, now: Time) -> Result<Vec<UserRef>, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    tx.lock(LOCK).await?;
                    end(tx, &[gateway], Time(i64::MAX), now).await
                })
            })
            .await
    }

    /// Ends every gateway whose lease has run out. Answers which of their users are offline everywhere now.
    pub(crate) async fn end_dead_gateways(&self, now: Time) -> Result<Vec<UserRef>, Error> {
        const SQL: &str = "SELECT id FROM gateways WHERE lease_until <= $1";
        let values = values![now.0];
        // Mostly there is none, and a read costs no commit.
        let dead = self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, gateway).await })).await?;
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        let values = values![now.0];
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    tx.lock(LOCK).await?;
                    let dead = tx.rows(SQL, &values, gateway).await?;
                    end(tx, &dead, now, now).await
                })
            })
            .await
    }

    /// Who is online as of `now` and comes after this username, by username.
    pub(crate) async fn online(&self, after: &str, limit: i64, now: Time) -> Result<Vec<User>, Error> {
        const SQL: &str = concat!(
            "SELECT ",
            user_columns!(),
            ", CAST(1 AS BIGINT) FROM users u WHERE u.username > $2 AND u.id IN
            (SELECT p.user_id FROM presence p JOIN gateways g ON g.id = p.gateway_id WHERE g.lease_until > $1)
            ORDER BY u.username LIMIT $3"
        );
        let values = values![now.0, after, limit];
        self.db.read(|tx| Box::pin(async move { tx.rows(SQL, &values, user_with_online).await })).await
    }

    /// How many users are online as of `now`.
    pub(crate) async fn count_online(&self, now: Time) -> Result<i64, Error> {
        const SQL: &str = "SELECT COUNT(DISTINCT p.user_id) FROM presence p JOIN gateways g ON g.id = p.gateway_id
            WHERE g.lease_until > $1";
        let values = values![now.0];
        self.db.read(|tx| Box::pin(async move { Ok(tx.row(SQL, &values, |row| row.int(0)).await?.unwrap_or(0)) })).await
    }
}

fn gateway(row: &Row<'_>) -> Result<GatewayId, Error> {
    Ok(GatewayId::from_bytes(row.id(0)?))
}

/// Who of these is at a gateway whose lease runs longer than `now`.
async fn are_anywhere(tx: &mut Tx, users: impl Iterator<Item = UserId>, now: Time) -> Result<BTreeSet<UserId>, Error> {
    let each: Vec<_> = users.map(|user| values![user.bytes(), now.0]).collect();
    let found = tx.row_each(AT_ANY, &each, |row| row.id(0)).await?;
    Ok(found.into_iter().flatten().map(UserId::from_bytes).collect())
}

/// Ends those of these gateways whose lease has run out by `expired`. Answers which of their users are offline everywhere as of `now`.
async fn end(tx: &mut Tx, gateways: &[GatewayId], expired: Time, now: Time) -> Result<Vec<UserRef>, Error> {
    const END: &str = "DELETE FROM gateways WHERE id = $1 AND lease_until <= $2";
    let mut there: Vec<UserRef> = Vec::new();
    for gateway in gateways {
        // A lease that is renewed just now is not over.
        if tx.execute(END, &values![gateway.bytes(), expired.0]).await? == 0 {
            continue;
        }
        let id = values![gateway.bytes()];
        there.extend(tx.rows(AT_GATEWAY, &id, user_ref).await?);
        tx.execute("DELETE FROM presence WHERE gateway_id = $1", &id).await?;
    }
    there.sort_by_key(|user| user.id);
    there.dedup();
    let anywhere = are_anywhere(tx, there.iter().map(|user| user.id), now).await?;
    there.retain(|user| !anywhere.contains(&user.id));
    Ok(there)
}
