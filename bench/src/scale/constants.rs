//! What was measured on one core: read from the table of docs/scaling.md, so that the page and the sums cannot differ.

use anyhow::{Context, Result};

/// The page, as it was when this program was built.
pub const PAGE: &str = include_str!("../../../docs/scaling.md");

/// What the sums are made of; the page says what each is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the page says what each is")]
pub struct Constants {
    pub gateway_send: f64,
    pub gateway_delivery: f64,
    pub gateway_hint: f64,
    pub gateway_idle: f64,
    pub gateway_connect: f64,
    pub connection_bytes: f64,
    pub messages_send: f64,
    pub users_connect: f64,
    pub database_send: f64,
    pub nats_message: f64,
    pub partition_rate: f64,
    pub row_bytes: f64,
    pub hint_bytes: f64,
    /// All of them as they stand there.
    pub rows: Vec<Row>,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    name: &'static str,
    /// Its value.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is.
    pub what: &'static str,
}

impl Constants {
    /// Those of the page, as it was when this program was built.
    ///
    /// # Errors
    /// The page lacks one.
    pub fn of_docs() -> Result<Self> {
        let rows: Vec<Row> = PAGE.lines().filter_map(row).collect();
        let value = |name: &str| {
            let row = rows.iter().find(|row| row.name == name);
            row.map(|row| row.value).with_context(|| format!("docs/scaling.md has no constant `{name}`"))
        };
        Ok(Self {
            gateway_send: value("gateway_send")?,
            gateway_delivery: value("gateway_delivery")?,
            gateway_hint: value("gateway_hint")?,
            gateway_idle: value("gateway_idle")?,
            gateway_connect: value("gateway_connect")?,
            connection_bytes: value("connection_bytes")?,
            messages_send: value("messages_send")?,
            users_connect: value("users_connect")?,
            database_send: value("database_send")?,
            nats_message: value("nats_message")?,
            partition_rate: value("partition_rate")?,
            row_bytes: value("row_bytes")?,
            hint_bytes: value("hint_bytes")?,
            rows,
        })
    }
}

/// A row that begins with a name in backticks and a number: `` | `name` | 1,000 | unit | what it is | ``.
fn row(line: &'static str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [name, value, unit, what] = cells[..] else { return None };
    let name = name.strip_prefix('`')?.strip_suffix('`')?;
    Some(Row { name, value: value.replace(',', "").parse().ok()?, unit, what })
}
