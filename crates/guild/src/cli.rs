//! The command line: which command, and with which settings. The flags for settings are made from `guild.default.toml`, one each, so
//! that neither their names nor their help can drift from it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::settings::{Kind, Setting, Sources, Value, catalog};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the server.
    Serve,
    /// Prove every promise about the log.
    Check,
    /// Move everything to another database.
    Copy {
        /// The address of the one that is there.
        from: String,
        /// The address of the one that is to be.
        to: String,
    },
    /// Administer users.
    User(UserAction),
    /// Begin a new epoch.
    NewEpoch,
    /// Let the newest kinds of events be written.
    FinishUpgrade,
    /// Print the settings that are in force.
    Settings,
}

/// What is to be done about users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAction {
    /// Make one.
    Add {
        /// The username.
        name: String,
        /// The name to show; without it the username.
        display_name: Option<String>,
        /// Whether the password comes from standard input.
        password_stdin: bool,
    },
    /// Give one a new password.
    Password {
        /// The username.
        name: String,
        /// Whether the password comes from standard input.
        password_stdin: bool,
    },
    /// Lock one out.
    Disable {
        /// The username.
        name: String,
    },
    /// Let one in again.
    Enable {
        /// The username.
        name: String,
    },
    /// List them.
    List,
}

const ABOUT: &str = "A chat server for your application: Socket.IO for what happens now, REST for what happened.\n\n\
    A message that was acknowledged is on disk, and every member gets it exactly once, in order, whatever crashes in between.";

const EXAMPLES: &str = "\
Examples:
  guild                             serve on http://127.0.0.1:8080, all kept in ./guild.db
  guild --listen 0.0.0.0:80         a bare guild takes every flag of guild serve
  GUILD_AUTH_MODE=open guild        a demo: a username is enough to log in
  guild serve --help                every setting, its default and its variable
  guild settings                    what is in force here, and where it comes from
  guild user add alice              makes a user; asks for the password
  guild copy --from … --to …        moves to another database, such as PostgreSQL
  guild check                       proves that the log in ./guild.db keeps its promises

Settings come from guild.toml in the working folder, then from GUILD_... in the
environment, then from flags; the last one wins.

Exit codes:
  0  it did what it was told; a server that was asked to stop did so in time
  1  it could not: the database or the address is in use, a check found a problem,
     a stop took more than 10 seconds or was asked for twice
  2  a wrong setting or flag; nothing was started
  3  a part of the server ended by a fault of the program, which the log tells; what was
     acknowledged is on disk: start it again";

/// The whole command line.
pub fn command() -> Command {
    let root = Command::new("guild")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXAMPLES)
        .subcommand_required(false)
        .disable_help_subcommand(true)
        .arg(config())
        // They are `guild serve`'s; here they would bury the commands.
        .args(catalog().iter().map(|setting| flag(setting).hide(true)));
    root.subcommand(
        Command::new("serve")
            .about("Runs the server; what a bare `guild` does too")
            .long_about(
                "Runs the server until SIGTERM or SIGINT, which stop it gracefully within 10 seconds; a second one ends it at once.\n\n\
                 Every flag below is a setting; -h lists them in brief. Lists are written with commas.",
            )
            .arg(config())
            .args(catalog().iter().map(flag)),
    )
    .subcommand(tool("check").about("Proves every promise about the log: gaps, positions, nonces, counts").long_about(
        "Reads the whole database and proves every promise about its log: no gap in any room's seq, no gap in the positions, \
                 every nonce once, every count right. Prints what was checked and what is wrong; exit code 1 if anything is. \
                 It only reads, and works while a server runs.",
    ))
    .subcommand(copy())
    .subcommand(user())
    .subcommand(
        Command::new("epoch").about("Begins a new epoch of cursors, after a backup was restored").subcommand_required(true).subcommand(
            tool("new").about("Begins a new epoch: needed once after a backup was restored").long_about(
                "Begins a new epoch. A restored backup has lost what came after it, and would give positions that clients have seen to \
                 other messages. With a new epoch every cursor from before is answered by `resync`, and nobody misses anything in \
                 silence. Refuses while a server runs.",
            ),
        ),
    )
    .subcommand(
        Command::new("upgrade")
            .about("Finishes an upgrade, after the last process of the old version")
            .subcommand_required(true)
            .subcommand(tool("finish").about("Lets this version's new kinds of events be written").long_about(
                "Lets this version's new kinds of events be written. Until then the servers of this version do without them, so that \
                 those of the version before, which may still run over the same database, know all that they read. Give it when the \
                 last old process has gone; servers notice within 5 seconds. An old version cannot be started over this database \
                 after that. A new database needs none of it.",
            )),
    )
    .subcommand(
        Command::new("settings")
            .about("Prints the settings that are in force, and where each comes from")
            .long_about(
                "Prints the settings that are in force as guild.toml would have them, each with its origin. Secrets are masked. \
                 Takes every flag of `guild serve`.",
            )
            .arg(config())
            .args(catalog().iter().map(|setting| flag(setting).hide(true))),
    )
}

fn copy() -> Command {
    let url = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("URL").required(true).help(help);
    Command::new("copy")
        .about("Copies everything to another database, such as from SQLite to PostgreSQL")
        .long_about(
            "Copies everything to another database of either engine, while no server runs over either. The target has to be empty, or to \
             hold a part of the same copy: one that was cut short goes on when the same command is given again. At the end both are checked \
             as by guild check. Nothing in the source is changed.\n\n\
             Example: guild copy --from sqlite:guild.db --to postgres://guild:password@db.example/guild",
        )
        .arg(config())
        .arg(url("from", "The database that is there: sqlite:guild.db or postgres://user:password@host/name"))
        .arg(url("to", "The database that it is copied to, in the same form"))
}

fn user() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true).help("The username");
    let password_stdin = || {
        Arg::new("password-stdin")
            .long("password-stdin")
            .action(ArgAction::SetTrue)
            .help("Read the password from standard input instead of asking for it")
    };
    Command::new("user")
        .about("Adds, lists, disables and enables users, and sets passwords")
        .long_about("Administers users in the database. It works while a server runs, which takes notice within a second.")
        .subcommand_required(true)
        .subcommand(
            tool("add")
                .about("Makes a user")
                .arg(name())
                .arg(Arg::new("display-name").long("display-name").value_name("TEXT").help("The name to show; without it the username"))
                .arg(password_stdin()),
        )
        .subcommand(tool("password").about("Sets a user's password and ends their logins").arg(name()).arg(password_stdin()))
        .subcommand(tool("disable").about("Locks a user out: no login, and those that there are end").arg(name()))
        .subcommand(tool("enable").about("Lets a user log in again").arg(name()))
        .subcommand(tool("list").about("Lists all users"))
}

/// A command over a database: it takes the file, and the database's flag, which is the one setting that it needs.
fn tool(name: &'static str) -> Command {
    let flags = catalog().iter().filter(|setting| setting.key == "database.url");
    Command::new(name).arg(config()).args(flags.map(flag))
}

fn config() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("The settings file [without it: guild.toml in the working folder, if there is one]")
}

/// The flag of a setting.
fn flag(setting: &Setting) -> Arg {
    let default = match &setting.default {
        Value::Text(text) => text.clone(),
        Value::List(texts) => texts.join(","),
        other => other.to_string(),
    };
    let default = if default.is_empty() { "nothing".to_owned() } else { default };
    let arg = Arg::new(setting.key.clone())
        .long(setting.flag())
        .help(format!("{} [default: {default}]", setting.summary()))
        .long_help(format!("{}\n[default: {default}] [env: {}]", setting.help, setting.variable()))
        .help_heading(heading(setting))
        .allow_negative_numbers(true);
    match setting.kind {
        Kind::Flag => arg.value_name("true|false").num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::Number => arg.value_name("NUMBER"),
        Kind::Text => arg.value_name("TEXT"),
        Kind::List => arg.value_name("A,B"),
    }
}

/// Under which heading of the help a setting stands: its section in the file.
fn heading(setting: &Setting) -> &'static str {
    match setting.key.split('.').next() {
        Some("auth") => "Who may come in (auth)",
        Some("limits") => "Limits",
        Some("database" | "nats" | "bus") => "Storage and services",
        _ => "The server",
    }
}

/// Reads the arguments (the first is the program's name) into what is to be done and what the operator said about settings.
/// The environment is the caller's to give.
///
/// # Errors
/// What is wrong with them, or the help or version that was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>, environment: Vec<(String, String)>) -> Result<(Action, Sources), clap::Error> {
    let matches = command().try_get_matches_from(arguments)?;
    let mut sources = Sources { environment, ..Sources::default() };
    let mut level = Some(&matches);
    // Each level's flags, from the outermost in: `guild --config x serve --listen y`.
    while let Some(matches) = level {
        take(matches, &mut sources);
        level = matches.subcommand().map(|(_, inner)| inner);
    }
    Ok((action(&matches), sources))
}

fn take(matches: &ArgMatches, sources: &mut Sources) {
    if let Ok(Some(path)) = matches.try_get_one::<PathBuf>("config") {
        sources.config = Some(path.clone());
    }
    for setting in catalog() {
        if let Ok(Some(text)) = matches.try_get_one::<String>(&setting.key) {
            sources.flags.push((setting.key.clone(), text.clone()));
        }
    }
}

fn action(matches: &ArgMatches) -> Action {
    match matches.subcommand() {
        Some(("check", _)) => Action::Check,
        Some(("copy", inner)) => {
            let url = |id: &str| inner.get_one::<String>(id).cloned().unwrap_or_default();
            Action::Copy { from: url("from"), to: url("to") }
        }
        Some(("user", inner)) => Action::User(user_action(inner)),
        Some(("epoch", _)) => Action::NewEpoch,
        Some(("upgrade", _)) => Action::FinishUpgrade,
        Some(("settings", _)) => Action::Settings,
        _ => Action::Serve,
    }
}

fn user_action(matches: &ArgMatches) -> UserAction {
    let Some((command, matches)) = matches.subcommand() else { return UserAction::List };
    let text = |id: &str| matches.try_get_one::<String>(id).ok().flatten().cloned();
    let name = text("name").unwrap_or_default();
    let password_stdin = matches.try_get_one::<bool>("password-stdin").ok().flatten().copied().unwrap_or_default();
    match command {
        "add" => UserAction::Add { name, display_name: text("display-name"), password_stdin },
        "password" => UserAction::Password { name, password_stdin },
        "disable" => UserAction::Disable { name },
        "enable" => UserAction::Enable { name },
        _ => UserAction::List,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, layer};

    fn parsed(line: &str) -> Result<(Action, Sources), clap::Error> {
        parse(line.split(' ').map(OsString::from), vec![])
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_flag_with_help() {
        for setting in catalog() {
            let value = match setting.kind {
                Kind::Text => "text",
                Kind::Number => "7",
                Kind::Flag => "true",
                Kind::List => "a,b",
            };
            for line in [format!("guild --{}={value}", setting.flag()), format!("guild serve --{}={value}", setting.flag())] {
                let (action, mut sources) = parsed(&line).unwrap();
                assert_eq!(action, Action::Serve);
                sources.config = Some("/dev/null".into());
                let layered = layer(&sources).unwrap();
                let given = &layered[setting.key.as_str()];
                assert_eq!(given.origin, Origin::Flag(format!("--{}", setting.flag())), "{line}");
                assert_eq!(Some(&given.value), setting.kind.read(value).as_ref(), "{line}");
            }
        }
        let help = command().find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        for setting in catalog() {
            assert!(help.contains(&format!("--{}", setting.flag())) && help.contains(&setting.variable()), "{}", setting.key);
        }
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(parsed("guild").unwrap().0, Action::Serve);
        assert_eq!(parsed("guild serve").unwrap().0, Action::Serve);
        assert_eq!(parsed("guild check").unwrap().0, Action::Check);
        assert_eq!(parsed("guild settings").unwrap().0, Action::Settings);
        assert_eq!(parsed("guild epoch new").unwrap().0, Action::NewEpoch);
        assert_eq!(parsed("guild upgrade finish").unwrap().0, Action::FinishUpgrade);
        assert_eq!(parsed("guild user list").unwrap().0, Action::User(UserAction::List));
        let add = UserAction::Add { name: "alice".into(), display_name: Some("Al".into()), password_stdin: true };
        assert_eq!(parsed("guild user add alice --display-name Al --password-stdin").unwrap().0, Action::User(add));
        let copy = Action::Copy { from: "sqlite:a.db".into(), to: "postgres://h/d".into() };
        assert_eq!(parsed("guild copy --from sqlite:a.db --to postgres://h/d").unwrap().0, copy);
        for wrong in [
            "guild copy --from sqlite:a.db",
            "guild fly",
            "guild user",
            "guild epoch",
            "guild user add",
            "guild --listn x",
            "guild user list --listen 127.0.0.1:1",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_are_taken_before_and_after_the_command() {
        let (_, sources) = parsed("guild --config a.toml --auth-open-to-network check --database-url sqlite:x.db").unwrap();
        assert_eq!(sources.config, Some("a.toml".into()));
        assert_eq!(
            sources.flags,
            [("auth.open_to_network".to_owned(), "true".to_owned()), ("database.url".to_owned(), "sqlite:x.db".to_owned()),]
        );
    }

    #[test]
    fn the_help_tells_exit_codes_and_examples() {
        let help = command().render_long_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("guild user add alice") && !help.contains("--limits-"), "{help}");
    }
}
