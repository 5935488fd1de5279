//! The program from its arguments to its exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cli::{self, Action};
use crate::failure::Failure;
use crate::serve;
use crate::settings::{Layered, Log, Settings, Sources, layer};
use crate::shutdown::Signals;
use crate::{commands, exit, logging};

/// Does what the command line says.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: Vec<(String, String)>) -> ExitCode {
    let (action, sources) = match cli::parse(arguments, environment) {
        Ok(parsed) => parsed,
        Err(asked) => {
            // Also the help and the version that were asked for, which are no mistakes.
            let code = if asked.use_stderr() { exit::WRONG } else { exit::DONE };
            let _ = asked.print();
            return code.into();
        }
    };
    let _flushed = logging::FlushAtEnd;
    match act(action, &sources) {
        Ok(code) => code.into(),
        Err(Failure { text, code }) => {
            logging::say(&format!("guild: {text}"));
            code.into()
        }
    }
}

fn act(action: Action, sources: &Sources) -> Result<u8, Failure> {
    let layered = layer(sources)?;
    let settings = Settings::check(&layered)?;
    match action {
        Action::Serve => {
            start_logging(&settings.log)?;
            on_a_runtime(serve(&settings))
        }
        Action::Settings => print_settings(&layered),
        Action::Check => as_a_tool(&settings, commands::check(&settings)),
        Action::Copy { from, to } => as_a_tool(&settings, commands::copy(&from, &to)),
        Action::FinishUpgrade => as_a_tool(&settings, commands::finish_upgrade(&settings)),
        Action::NewEpoch => as_a_tool(&settings, commands::new_epoch(&settings)),
        Action::User(what) => as_a_tool(&settings, commands::user(&settings, what)),
    }
}

/// A tool speaks for itself; the log is for what goes wrong meanwhile.
fn as_a_tool(settings: &Settings, work: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    start_logging(&Log { filter: "warn".to_owned(), format: settings.log.format })?;
    on_a_runtime(work)
}

fn start_logging(log: &Log) -> Result<(), Failure> {
    logging::start(log).map_err(|error| Failure::new(format!("cannot log: {error}")))
}

fn on_a_runtime(work: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start its threads: {error}")))?;
    let done = runtime.block_on(work);
    // Nobody waits for a password hash that is still being computed.
    runtime.shutdown_background();
    done
}

async fn serve(settings: &Settings) -> Result<u8, Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(format!("cannot hear signals: {error}")))?;
    let server = tokio::select! {
        server = serve::start(settings) => server?,
        // Nothing has been accepted yet.
        name = signals.stop() => return Err(Failure::new(format!("{name} came before it had started"))),
    };
    Ok(server.serve(signals, settings.limits.drain).await)
}

fn print_settings(layered: &Layered) -> Result<u8, Failure> {
    use std::io::Write;
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().write_all(commands::settings(layered).as_bytes());
    Ok(exit::DONE)
}
