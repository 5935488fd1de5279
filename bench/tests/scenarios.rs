//! Every scenario against the real server, small: what is asserted is counts, never times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// Runs the program and reads the tables that it found.
fn bench(arguments: &[&str]) -> Vec<Value> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_bench"));
    // The program that users run, where that is built (scripts/test says where); a debug build is slow for what is asked of it here.
    let guild = std::env::var_os("BENCH_GUILD").map_or_else(|| program.with_file_name("guild"), PathBuf::from);
    assert!(guild.exists(), "{} is missing: cargo build", guild.display());
    let mut command = Command::new(&program);
    command.args(arguments).arg("--json").arg("--no-pin").arg("--guild").arg(&guild).env("BENCH_QUIET", "1");
    let done = command.output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "bench {arguments:?} ended with {}: {said}\n{errors}", done.status);
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    report["tables"].as_array().unwrap().clone()
}

fn rows(table: &Value) -> &Vec<Value> {
    table["rows"].as_array().unwrap()
}

#[test]
fn chat_in_a_closed_loop_loses_nothing() {
    let tables = bench(&["chat", "--members", "5", "--rooms", "4", "--window", "3", "--seconds", "1"]);
    let row = &rows(&tables[0])[0];
    assert!(row["acked"].as_u64().unwrap() > 50, "{row}");
    assert_eq!((&row["missing"], &row["misplaced"]), (&0.into(), &0.into()));
    assert!(row["cpu_us_per_ack"].as_f64().unwrap() > 0.0 && row["ack_p99_ms"].as_f64() >= row["ack_p50_ms"].as_f64());
}

#[test]
fn chat_at_a_rate_sends_at_that_rate() {
    let tables = bench(&["chat", "--members", "2", "--rooms", "10", "--rate", "100", "--seconds", "1"]);
    let row = &rows(&tables[0])[0];
    // One second to warm up, one that is measured.
    let acked = row["acked"].as_u64().unwrap();
    assert!((190..=210).contains(&acked), "{row}");
    assert_eq!((&row["missing"], &row["misplaced"]), (&0.into(), &0.into()));
}

fn count(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("no count {key} in {row}"))
}

/// Nothing was lost, came twice or came in another order.
fn exact(row: &Value) {
    for key in ["missing", "doubled", "misplaced", "refused", "resyncs"] {
        assert_eq!(count(row, key), 0, "{key}: {row}");
    }
    assert_eq!(row["delivered_percent"].as_f64(), Some(100.0), "{row}");
}

#[test]
fn idle_holds_its_connections_and_tells_what_they_cost() {
    let tables = bench(&["idle", "--connections", "1000", "--seconds", "1"]);
    let row = &rows(&tables[0])[0];
    assert_eq!((count(row, "connections"), count(row, "lost")), (1_000, 0));
    assert!(row["resident_bytes"].as_f64().unwrap() > 1_000.0, "{row}");
}

#[test]
fn clients_that_are_cut_at_once_have_all_they_missed() {
    let tables = bench(&["resume", "--clients", "40", "--rate", "100", "--away", "0.5"]);
    let row = &rows(&tables[0])[0];
    exact(row);
    assert_eq!(count(row, "clients"), 40);
    assert!(count(row, "replayed") > 0 && count(row, "due") > 100, "{row}");
}

#[test]
fn jitter_loses_nothing_with_a_cursor_and_something_without() {
    let tables = bench(&["jitter", "--clients", "20", "--rate", "50", "--seconds", "4", "--every", "1", "--away", "0.3", "--seed", "1"]);
    let [with, without] = &rows(&tables[0])[..] else { panic!("two rows: {}", tables[0]) };
    exact(with);
    assert!(count(with, "cuts") > 20 && count(with, "replayed") > 0, "{with}");
    assert!(count(without, "missing") > 0, "a client without a cursor cannot have all: {without}");
}

#[test]
fn a_database_is_filled_and_its_history_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filled.db");
    let filled = bench(&["fill", "--rooms", "40", "--messages", "3", "--database", file.to_str().unwrap()]);
    let row = &rows(&filled[0])[0];
    assert_eq!((count(row, "rooms"), count(row, "messages")), (40, 120));
    assert!(file.exists());
    let tables = bench(&["history", "--messages", "2000", "--rooms", "20", "--seconds", "1"]);
    let row = &rows(&tables[0])[0];
    assert_eq!(count(row, "wrong"), 0);
    assert!(count(row, "pages") > 50, "{row}");
}

#[test]
fn changes_are_set_beside_sends_and_each_changes_something() {
    let tables = bench(&["changes", "--rooms", "4", "--members", "3", "--window", "3", "--each", "20", "--turns", "2"]);
    assert_eq!(rows(&tables[0]).len(), 4, "{}", tables[0]);
    for row in rows(&tables[0]) {
        assert_eq!((count(row, "acked"), count(row, "missing"), count(row, "misplaced")), (160, 0, 0), "{row}");
    }
}

#[test]
fn amended_pages_hold_what_was_changed() {
    let small = ["--messages", "120", "--members", "3", "--emojis", "2", "--connections", "2", "--pages", "40", "--turns", "1"];
    let tables = bench(&[["amended"].as_slice(), &small].concat());
    let [plain, amended] = &rows(&tables[0])[..] else { panic!("two rows: {}", tables[0]) };
    assert_eq!((count(plain, "pages"), count(amended, "pages")), (40, 40));
    assert!(count(amended, "bytes_per_page") > count(plain, "bytes_per_page"), "{amended}");
}

#[test]
fn a_rooms_events_are_the_same_by_page_and_by_replay() {
    let tables = bench(&["events", "--messages", "120", "--members", "3", "--page", "50", "--turns", "1"]);
    let read: Vec<_> = rows(&tables[0]).iter().map(|row| count(row, "events")).collect();
    // 24 edits, 120 reactions and 12 deletions in the second room; three members read all of it.
    assert_eq!(read, [360, 360, 828, 828]);
}

#[test]
fn what_is_unread_is_the_same_in_a_small_room_and_in_a_large_one() {
    let small = ["--small-messages", "40", "--small-threads", "6", "--rooms", "2", "--unread", "2", "--mentions", "2"];
    let large = ["--messages", "400", "--threads", "40", "--connections", "2", "--reads", "40", "--turns", "2"];
    let tables = bench(&[["unread"].as_slice(), &small, &large].concat());
    let answers: Vec<_> = rows(&tables[0]).iter().map(|row| count(row, "answers")).collect();
    // In a turn two marks in each of four threads of each small room, and as many in the large one.
    assert_eq!(answers, [80, 80, 80, 80, 32, 32], "{}", tables[0]);
}

#[test]
fn few_rooms_are_set_beside_many() {
    // A rate at which no client has more unanswered events than it may, even if the machine halts for a second.
    let small = ["--small", "40", "--large", "400", "--times", "1", "--seconds", "1", "--connects", "10", "--rate", "300"];
    let tables = bench(&[["rooms"].as_slice(), &small].concat());
    assert_eq!(rows(&tables[0]).iter().map(|row| count(row, "rooms")).collect::<Vec<_>>(), [40, 400]);
    for row in rows(&tables[0]) {
        assert!(count(row, "acked") > 50, "{row}");
        assert_eq!((count(row, "missing"), count(row, "misplaced"), count(row, "refused")), (0, 0, 0), "{row}");
    }
    assert!(rows(&tables[1]).len() > 3, "{}", tables[1]);
}
