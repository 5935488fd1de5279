//! What is logged, and how it is written.

use super::reader::Reader;

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What is logged: a filter as `tracing-subscriber` reads it, checked.
    pub filter: String,
    /// How it is written.
    pub format: Format,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let filter = reader.parsed("log", |text| filter(text).map(|()| text.to_owned()));
        let format = reader.parsed("log_format", |text| match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("allowed is text or json".to_owned()),
        });
        Some(Self { filter: filter?, format: format? })
    }
}

fn filter(text: &str) -> Result<(), String> {
    let allowed = "allowed is error, warn, info, debug, trace or off, also for each part: info,messages=debug";
    // A bare word that is no level would be taken for the name of a part, and log nothing but it.
    let level = |word: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&word.to_ascii_lowercase().as_str());
    let words = text.split(',').map(str::trim);
    if text.trim().is_empty() || words.filter(|word| !word.contains('=')).any(|word| !level(word)) {
        return Err(allowed.to_owned());
    }
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error}; {allowed}")),
    }
}
