//! The log: readable text with fields, or a JSON object a line, on standard error. Request and connection ids come from spans.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::{Format, Log};

/// Libraries that say in their own words what the program says too. Whoever wants to read them names them in the filter, which wins.
const LIBRARIES: &str = "async_nats=error,tokio_postgres=warn";

/// Starts logging. The first start in a process counts; a later one changes nothing.
pub fn start(log: &Log) {
    let lines = tracing_subscriber::fmt()
        // Checked when the settings were read.
        .with_env_filter(EnvFilter::new(format!("{LIBRARIES},{}", log.filter)))
        .with_writer(std::io::stderr);
    let started = match log.format {
        Format::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "the log is running already");
    }
}
