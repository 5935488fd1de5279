//! `guild check`: reads a database and proves every promise about its log. Each check is one statement that finds what breaks a rule,
//! recomputing from the log whatever else is stored; none trusts the index that is there to keep the same rule.
//!
//! Rows of kinds or versions that this program does not know keep the rules of all rows (positions, seqs, times, nonces). What such a row
//! does to its room's counts is not known here, so the counts of each row are compared with those of the row before it.

mod amendments;
mod mentions;
mod own_state;
mod projections;
mod rules;
mod threads;

use crate::store::log::is_known;
use db::{Db, Engine, Error, Row, Tx, values};

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was read: a name and a count.
    pub counts: Vec<(&'static str, i64)>,
    /// The rules that were checked, in words, with how many breaches were seen (20 of each at the most are described).
    pub rules: Vec<(&'static str, usize)>,
    /// One line for each breach that is described.
    pub problems: Vec<String>,
}

/// How many breaches of one rule are described.
const SHOWN: usize = 20;

/// Reads everything in one snapshot; the service may run meanwhile.
///
/// # Errors
/// Where the database cannot be read at all.
pub async fn check(db: &Db) -> Result<Report, Error> {
    let sqlite = db.engine() == Engine::Sqlite;
    db.read(move |tx| Box::pin(inside(tx, sqlite))).await
}

/// The check inside a transaction; `sqlite` for what only that engine can tell.
pub(crate) async fn inside(tx: &mut Tx, sqlite: bool) -> Result<Report, Error> {
    let mut report = Report::default();
    if sqlite {
        integrity(tx, &mut report).await?;
    }
    for (name, sql) in COUNTS {
        let count = tx.row(sql, &values![], |row| row.int(0)).await?.unwrap_or(0);
        report.counts.push((name, count));
    }
    let unknown = tx.row(UNKNOWN.1, &values![], |row| row.int(0)).await?.unwrap_or(0);
    if unknown > 0 {
        report.counts.insert(1, (UNKNOWN.0, unknown));
    }
    for rule in rules::RULES.into_iter().chain(amendments::RULES).chain(threads::RULES).chain(own_state::RULES) {
        let broken = tx.rows(rule.finds, &values![], |row| describe(row, rule.columns)).await?;
        report.note(rule.says, broken);
    }
    projections::check(tx, &mut report).await?;
    let broken = mentions::check(tx).await?;
    report.note("the mentions of messages are noted", broken);
    own_state::check(tx, &mut report).await?;
    Ok(report)
}

impl Report {
    /// Notes how a rule was kept.
    fn note(&mut self, says: &'static str, broken: Vec<String>) {
        self.rules.push((says, broken.len()));
        self.problems.extend(broken.into_iter().take(SHOWN).map(|what| format!("{says}: {what}")));
    }
}

async fn integrity(tx: &mut Tx, report: &mut Report) -> Result<(), Error> {
    let said = tx.rows("PRAGMA integrity_check(20)", &values![], |row| row.text(0)).await?;
    let broken: Vec<_> = said.into_iter().filter(|line| line != "ok").collect();
    report.note("the file is whole", broken);
    Ok(())
}

const COUNTS: [(&str, &str); 4] = [
    ("rows of the log", "SELECT COUNT(*) FROM log"),
    ("messages", "SELECT COUNT(*) FROM log WHERE kind = 2 AND version BETWEEN 1 AND 3"),
    ("rooms", "SELECT COUNT(*) FROM rooms"),
    ("members", "SELECT COUNT(*) FROM members WHERE state = 'active'"),
];

/// Rows that this program does not know: told where there are any.
const UNKNOWN: (&str, &str) =
    ("of them of kinds or versions that a newer program has written", concat!("SELECT COUNT(*) FROM log WHERE NOT ", is_known!()));

struct Rule {
    says: &'static str,
    /// A statement whose rows are the breaches.
    finds: &'static str,
    /// What its columns are: ids in hexadecimal, numbers.
    columns: &'static [Column],
}

enum Column {
    Id(&'static str),
    Number(&'static str),
}

fn describe(row: &Row<'_>, columns: &[Column]) -> Result<String, Error> {
    let parts: Result<Vec<String>, Error> = columns
        .iter()
        .enumerate()
        .map(|(i, column)| match column {
            Column::Id(name) => Ok(format!("{name} {}", contract::RoomId::from_bytes(row.id(i)?))),
            Column::Number(name) => Ok(format!("{name} {}", row.maybe_int(i)?.map_or_else(|| "none".to_owned(), |n| n.to_string()))),
        })
        .collect();
    Ok(parts?.join(", "))
}
