//! The page of `--report`: the tables, and a bar chart of each charted column, as SVG in one file that needs nothing else.

use std::fmt::Write as _;

use super::tables::{Cell, Report, Table};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733;background:#fff}\
h2{margin-top:2.5rem}table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}\
td,th{padding:.3rem .8rem;border-bottom:1px solid #d8dee6;text-align:right;white-space:nowrap}\
td:first-child,th:first-child{text-align:left}figure{margin:1.5rem 0}figcaption{font-weight:600}code{background:#eef2f6;padding:.1rem .3rem}";

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Guild Chat: what was measured</title><style>{STYLE}</style><h1>Guild Chat: what was measured</h1>\
         <p><code>{}</code><br>{}</p>",
        escaped(&report.command),
        escaped(&report.machine)
    );
    for table in &report.tables {
        section(&mut html, table);
    }
    html.push_str("</html>\n");
    html
}

fn section(html: &mut String, table: &Table) {
    let _ = write!(html, "<h2>{}</h2><table><tr>", escaped(&table.title));
    for column in &table.columns {
        let _ = write!(html, "<th>{}</th>", escaped(column.heading));
    }
    html.push_str("</tr>");
    for row in &table.rows {
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<td>{}</td>", escaped(&cell.shown()));
        }
        html.push_str("</tr>");
    }
    html.push_str("</table>");
    for note in &table.notes {
        let _ = write!(html, "<p>{}</p>", escaped(note));
    }
    for place in (0..table.columns.len()).filter(|place| table.columns.get(*place).is_some_and(|column| column.charted)) {
        if let Some(svg) = chart(table, place) {
            let heading = table.columns.get(place).map_or("", |column| column.heading);
            let _ = write!(html, "<figure><figcaption>{}</figcaption>{svg}</figure>", escaped(heading));
        }
    }
}

/// All charts of a report below one another, as one SVG file for a page of documentation.
pub fn drawing(report: &Report) -> String {
    let (mut inner, mut height) = (String::new(), 0.0);
    for table in &report.tables {
        for (place, column) in table.columns.iter().enumerate().filter(|(_, column)| column.charted) {
            if let Some(bars) = bars(table, place) {
                let heading = escaped(column.heading);
                let _ = write!(inner, "<text x=\"4\" y=\"{:.0}\" font-weight=\"600\">{heading}</text>", height + 22.0);
                let _ = write!(
                    inner,
                    "<svg y=\"{:.0}\" width=\"{WIDTH:.0}\" height=\"{:.0}\">{}</svg>",
                    height + 30.0,
                    bars.height,
                    bars.lines
                );
                height += bars.height + 44.0;
            }
        }
    }
    // A page may be dark behind it.
    format!("{}<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{inner}</svg>\n", open(height))
}

const LABEL: f64 = 260.0;
const BAR: f64 = 420.0;
const LINE: f64 = 26.0;
const WIDTH: f64 = LABEL + BAR + 120.0;

fn open(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
         font-family=\"system-ui,sans-serif\" font-size=\"13\" fill=\"#1c2733\" role=\"img\" style=\"max-width:100%;height:auto\">"
    )
}

struct Bars {
    lines: String,
    height: f64,
}

/// One bar a row that has this figure; nothing where fewer than two have.
fn bars(table: &Table, place: usize) -> Option<Bars> {
    let bars: Vec<(String, f64, String)> = table
        .rows
        .iter()
        .filter_map(|row| {
            let cell = row.get(place)?;
            Some((label(table, row), cell.figure()?, cell.shown()))
        })
        .collect();
    if bars.len() < 2 {
        return None;
    }
    let most = bars.iter().map(|(_, figure, _)| *figure).fold(f64::MIN_POSITIVE, f64::max);
    let (mut lines, mut height) = (String::new(), 4.0);
    for (label, figure, shown) in &bars {
        let (middle, length) = (height + LINE * 0.68, (figure / most * BAR).max(1.0));
        // Ours stands out among the others.
        let colour = if label.starts_with("guild") { "#0b6e4f" } else { "#8aa0b6" };
        let _ = write!(
            lines,
            "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABEL:.0}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"{:.0}\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{middle:.0}\">{}</text>",
            LABEL - 8.0,
            escaped(label),
            height + 4.0,
            LINE - 8.0,
            LABEL + length + 6.0,
            escaped(shown)
        );
        height += LINE;
    }
    Some(Bars { lines, height })
}

/// What tells a row from the others: its words, and how many members a room has.
fn label(table: &Table, row: &[Cell]) -> String {
    let words = table.columns.iter().zip(row).filter_map(|(column, cell)| match cell {
        Cell::Text(text) => Some(text.clone()),
        _ if column.key == "members" => Some(format!("room of {}", cell.shown())),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" · ")
}

fn chart(table: &Table, place: usize) -> Option<String> {
    bars(table, place).map(|bars| format!("{}{}</svg>", open(bars.height), bars.lines))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::tables::{charted, column};
    use super::*;

    #[test]
    fn a_column_becomes_bars_as_long_as_its_figures() {
        let mut table = Table::new("Chat <now>", &[column("server", "server"), charted("acks", "acked/s")]);
        assert_eq!(chart(&table, 1), None);
        table.rows.push(vec!["guild".into(), 100_usize.into()]);
        table.rows.push(vec!["a & b".into(), 25_usize.into()]);
        let svg = chart(&table, 1).unwrap();
        assert!(svg.contains("width=\"420.0\"") && svg.contains("width=\"105.0\"") && svg.contains("a &amp; b"), "{svg}");
        let report = Report { command: "bench".into(), machine: "here".into(), tables: vec![table] };
        let html = page(&report);
        assert!(drawing(&report).contains("acked/s</text>"));
        assert!(html.contains("Chat &lt;now&gt;") && html.contains("<svg"));
    }
}
