//! Who has live sockets, and where. A row counts while its gateway's lease runs, so a gateway that dies takes its users with it. That is
//! also why nothing here is synced to disk: after a crash of the machine nobody is online.

use super::{Store, user_columns, user_with_online, username};
use contract::{GatewayId, Time, User, UserId, UserRef};
use db::{Error, Row, Tx, values};
use std::collections::{BTreeSet, HashMap};

/// Somebody has, or has no more, sockets at a gateway.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) gateway: GatewayId,
    pub(crate) user: UserRef,
    pub(crate) online: bool,
}

const AT_ANY: &str = "SELECT p.user_id FROM presence p JOIN gateways g ON g.id = p.gateway_id
    WHERE p.user_id = $1 AND g.lease_until > $2 LIMIT 1";
const LEASE: &str = "INSERT INTO gateways (id, lease_until) VALUES ($1, $2)
    ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";
const COME: &str = "INSERT INTO presence (user_id, gateway_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const GO: &str = "DELETE FROM presence WHERE user_id = $1 AND gateway_id = $2";
const AT_GATEWAY: &str = "SELECT u.id, u.username FROM presence p JOIN users u ON u.id = p.user_id WHERE p.gateway_id = $1";

impl Store {
    /// Stores all of these in one transaction, in their order, with leases until `lease_until`. Who came from nowhere or is nowhere any
    /// more is the answer.
    pub(crate) async fn set_presence(&self, changes: Vec<Change>, now: Time, lease_until: Time) -> Result<Vec<(UserRef, bool)>, Error> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    // Before any lease is renewed: who was at a gateway whose lease had run out was nowhere.
                    let mut before: Vec<(UserRef, bool)> = Vec::new();
                    let mut seen = BTreeSet::new();
                    for change in &changes {
                        if seen.insert(change.user.id) {
                            before.push((change.user.clone(), is_anywhere(tx, change.user.id, now).await?));
                        }
                    }
                    for gateway in changes.iter().map(|change| change.gateway).collect::<BTreeSet<_>>() {
                        tx.execute(LEASE, &values![gateway.bytes(), lease_until.0]).await?;
                    }
                    for change in &changes {
                        let sql = if change.online { COME } else { GO };
                        tx.execute(sql, &values![change.user.id.bytes(), change.gateway.bytes()]).await?;
                    }
                    let mut changed = Vec::new();
                    let last: HashMap<UserId, bool> = changes.iter().map(|change| (change.user.id, change.online)).collect();
                    for (user, was) in before {
                        // Whoever came last of all is at a gateway whose lease was renewed just now.
                        let is = last.get(&user.id) == Some(&true) || is_anywhere(tx, user.id, now).await?;
                        if is != was {
                            changed.push((user, is));
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

    /// Ends one gateway. Who was there and is nowhere now is the answer.
    pub(crate) async fn end_gateway(&self, gateway: GatewayId, now: Time) -> Result<Vec<UserRef>, Error> {
        self.db.write(move |tx| Box::pin(async move { end(tx, &[gateway], now).await })).await
    }

    /// Ends every gateway whose lease has run out. Who is nowhere now is the answer.
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
                    let dead = tx.rows(SQL, &values, gateway).await?;
                    end(tx, &dead, now).await
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

async fn is_anywhere(tx: &mut Tx, user: UserId, now: Time) -> Result<bool, Error> {
    Ok(tx.row(AT_ANY, &values![user.bytes(), now.0], |row| row.id(0)).await?.is_some())
}

/// Ends these gateways; who was at one of them and is nowhere now.
async fn end(tx: &mut Tx, gateways: &[GatewayId], now: Time) -> Result<Vec<UserRef>, Error> {
    let mut there: Vec<UserRef> = Vec::new();
    for gateway in gateways {
        let id = values![gateway.bytes()];
        let read = |row: &Row<'_>| Ok(UserRef { id: UserId::from_bytes(row.id(0)?), username: username(row, 1)? });
        there.extend(tx.rows(AT_GATEWAY, &id, read).await?);
        tx.execute("DELETE FROM presence WHERE gateway_id = $1", &id).await?;
        tx.execute("DELETE FROM gateways WHERE id = $1", &id).await?;
    }
    there.sort_by_key(|user| user.id);
    there.dedup();
    let mut gone = Vec::new();
    for user in there {
        if !is_anywhere(tx, user.id, now).await? {
            gone.push(user);
        }
    }
    Ok(gone)
}
