//! Tables: for people as Markdown, for machines as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A figure in a table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A count.
    Count(u64),
    /// A measurement, and how many decimals of it mean anything.
    Number(f64, usize),
    /// Not measured.
    Nothing,
}

impl Cell {
    /// A measurement with two decimals below ten, one below a hundred, none beyond.
    pub fn number(value: f64) -> Self {
        let decimals = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 100.0) };
        Self::Number(value, decimals)
    }

    /// A measurement that may be missing.
    pub fn maybe(value: Option<f64>) -> Self {
        value.map_or(Self::Nothing, Self::number)
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Number(number, _) => json!(number),
            Self::Nothing => Value::Null,
        }
    }

    /// Its number, if it is one.
    pub fn figure(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss)]
            Self::Count(count) => Some(*count as f64),
            Self::Number(number, _) => Some(*number),
            Self::Text(_) | Self::Nothing => None,
        }
    }

    /// As it stands in a table.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(&count.to_string()),
            Self::Number(number, decimals) => {
                let text = format!("{number:.decimals$}");
                let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
                grouped(whole) + rest
            }
            Self::Nothing => "–".to_owned(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// 1234567 as 1,234,567.
fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

/// A column: its key in JSON, and its heading.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// In JSON.
    pub key: &'static str,
    /// In tables; with the unit.
    pub heading: &'static str,
    /// Whether the page draws it.
    pub charted: bool,
}

/// A column that is only written.
pub const fn column(key: &'static str, heading: &'static str) -> Column {
    Column { key, heading, charted: false }
}

/// A column that the page draws too.
pub const fn charted(key: &'static str, heading: &'static str) -> Column {
    Column { key, heading, charted: true }
}

/// What one scenario found.
#[derive(Clone, Debug)]
pub struct Table {
    /// What was done.
    pub title: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// One row a case, a cell a column.
    pub rows: Vec<Vec<Cell>>,
    /// What must be known to read it, a sentence each.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty one.
    pub fn new(title: impl Into<String>, columns: &[Column]) -> Self {
        Self { title: title.into(), columns: columns.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    /// As Markdown, with aligned columns, to be read on a terminal as well.
    pub fn markdown(&self) -> String {
        let headings: Vec<String> = self.columns.iter().map(|column| column.heading.to_owned()).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        let width = |place: usize| {
            let cells = rows.iter().chain(std::iter::once(&headings)).filter_map(|row| row.get(place));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        let right: Vec<bool> =
            (0..headings.len()).map(|place| self.rows.iter().all(|row| !matches!(row.get(place), Some(Cell::Text(_))))).collect();
        let mut text = format!("### {}\n\n", self.title);
        let mut line = |cells: &[String]| {
            for ((cell, width), right) in cells.iter().zip(&widths).zip(&right) {
                let _ = if *right { write!(text, "| {cell:>width$} ") } else { write!(text, "| {cell:<width$} ") };
            }
            text.push_str("|\n");
        };
        line(&headings);
        let rule = |(width, right): (&usize, &bool)| if *right { "-".repeat(width - 1) + ":" } else { "-".repeat(*width) };
        line(&widths.iter().zip(&right).map(rule).collect::<Vec<_>>());
        rows.iter().for_each(|row| line(row));
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    fn json(&self) -> Value {
        let row = |row: &Vec<Cell>| -> Value {
            let fields = self.columns.iter().zip(row).map(|(column, cell)| (column.key.to_owned(), cell.value()));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        json!({ "title": self.title, "rows": self.rows.iter().map(row).collect::<Vec<_>>(), "notes": self.notes })
    }
}

/// All that a command found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The command that gives it again.
    pub command: String,
    /// Where it was measured.
    pub machine: String,
    /// What was found.
    pub tables: Vec<Table>,
}

impl Report {
    /// For people.
    pub fn markdown(&self) -> String {
        let tables: Vec<_> = self.tables.iter().map(Table::markdown).collect();
        format!("`{}` on {}\n\n{}", self.command, self.machine, tables.join("\n"))
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let tables: Vec<_> = self.tables.iter().map(Table::json).collect();
        json!({ "command": self.command, "machine": self.machine, "tables": tables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_reads_well_and_has_the_same_figures_in_json() {
        let mut table = Table::new("Chat", &[column("server", "server"), charted("acks", "acked/s"), column("p99", "p99 ms")]);
        table.rows.push(vec!["guild".into(), 1_234_567_usize.into(), Cell::number(0.456)]);
        table.rows.push(vec!["node".into(), 12_usize.into(), Cell::Nothing]);
        table.notes.push("A note.".to_owned());
        let expected = "### Chat\n\n| server |   acked/s | p99 ms |\n| ------ | --------: | -----: |\n| guild  | 1,234,567 |   0.46 |\n\
                        | node   |        12 |      – |\n\nA note.\n";
        assert_eq!(table.markdown(), expected);
        assert_eq!(table.json()["rows"][0], json!({"server": "guild", "acks": 1_234_567, "p99": 0.456}));
        assert_eq!(table.json()["rows"][1]["p99"], Value::Null);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(Cell::Number(-1234.5, 1).shown(), "-1,234.5");
        assert_eq!(Cell::number(123.4).shown(), "123");
        assert_eq!(Cell::Count(0).shown(), "0");
    }
}
