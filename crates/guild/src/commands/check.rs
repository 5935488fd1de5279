//! `guild check`: proves every promise about the log, and prints what was proven.

use db::{Access, Db};
use messages::Report;

use super::output::print;
use crate::assemble::MIGRATIONS;
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;

/// Checks the database that the settings name. It is only read, and may be in use.
///
/// # Errors
/// The database cannot be opened or read.
pub async fn check(settings: &Settings) -> Result<u8, Failure> {
    let url = &settings.services.database;
    let db = Db::open(url, &MIGRATIONS, Access::ReadOnly).await.map_err(Failure::new)?;
    let report = messages::check(&db).await;
    db.close().await;
    let report = report.map_err(Failure::new)?;
    print(told(&url.to_string(), &report))?;
    Ok(if broken(&report) == 0 { exit::DONE } else { exit::FAILED })
}

/// How often a rule is broken.
pub(super) fn broken(report: &Report) -> usize {
    report.rules.iter().map(|(_, breaches)| breaches).sum()
}

/// A report for the operator.
pub(super) fn told(database: &str, report: &Report) -> String {
    let counts: Vec<String> = report.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let mut lines = vec![format!("{database}: {}", counts.join(", "))];
    for (rule, breaches) in &report.rules {
        let found = if *breaches == 0 { "ok      ".to_owned() } else { format!("{breaches:<7} ") };
        lines.push(format!("  {found}{rule}"));
    }
    if !report.problems.is_empty() {
        lines.push(String::new());
        lines.extend(report.problems.iter().map(|problem| format!("  {problem}")));
        lines.push(String::new());
    }
    lines.push(match broken(report) {
        0 => format!("all {} promises are kept", report.rules.len()),
        breaches => format!("{breaches} breaches: stop the server, keep a copy of the database, and restore a backup if there is one"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_was_checked_and_what_is_wrong() {
        let mut report = Report { counts: vec![("messages", 7), ("rooms", 2)], rules: vec![("no gaps", 0)], problems: vec![] };
        assert_eq!(told("sqlite:x.db", &report), "sqlite:x.db: 7 messages, 2 rooms\n  ok      no gaps\nall 1 promises are kept");
        report.rules.push(("no doubles", 3));
        report.problems.push("no doubles: room 1".into());
        let text = told("sqlite:x.db", &report);
        assert!(text.contains("  3       no doubles") && text.contains("  no doubles: room 1") && text.contains("3 breaches"), "{text}");
        assert_eq!(broken(&report), 3);
    }
}
