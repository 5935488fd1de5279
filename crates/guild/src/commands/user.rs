//! `guild user …`: administers users in the database, whether or not a server runs over it.

use std::io::{IsTerminal, Read};

use contract::{Clock, NewDisplayName, Password, Username};
use db::{Access, Db};
use users::admin::{self, Account};

use super::output::{note, print};
use crate::assemble::MIGRATIONS;
use crate::cli::UserAction;
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;

/// How many users are read at a time.
const PAGE: u16 = 500;

/// Does it, and says that it is done.
///
/// # Errors
/// A name or password that cannot be, a user who is not there (or is already), or a database that cannot be used.
pub async fn user(settings: &Settings, action: UserAction) -> Result<u8, Failure> {
    // What is asked of a person comes first: the database is not held open meanwhile.
    let wish = Wish::read(action)?;
    let db = Db::open(&settings.services.database, &MIGRATIONS, Access::Tool).await.map_err(Failure::new)?;
    let done = wish.fulfil(&db).await;
    db.close().await;
    done.map(|()| exit::DONE)
}

/// What is to be done, with everything in it checked.
enum Wish {
    Add(Username, Password, Option<NewDisplayName>),
    Password(Username, Password),
    Disable(Username),
    Enable(Username),
    List,
}

impl Wish {
    fn read(action: UserAction) -> Result<Self, Failure> {
        Ok(match action {
            UserAction::Add { name, display_name, password_stdin } => {
                let name = username(name)?;
                let display_name = display_name.map(NewDisplayName::try_from).transpose().map_err(Failure::wrong)?;
                let password = password(&name, password_stdin)?;
                Self::Add(name, password, display_name)
            }
            UserAction::Password { name, password_stdin } => {
                let name = username(name)?;
                let password = password(&name, password_stdin)?;
                Self::Password(name, password)
            }
            UserAction::Disable { name } => Self::Disable(username(name)?),
            UserAction::Enable { name } => Self::Enable(username(name)?),
            UserAction::List => Self::List,
        })
    }

    async fn fulfil(self, db: &Db) -> Result<(), Failure> {
        let now = Clock::system().now();
        match self {
            Self::Add(name, password, display_name) => {
                admin::add(db, name.clone(), password, display_name, now).await.map_err(Failure::new)?;
                print(format_args!("{name} can log in"))?;
            }
            Self::Password(name, password) => {
                admin::set_password(db, &name, password).await.map_err(Failure::new)?;
                print(format_args!("{name} has a new password, and has to log in again everywhere"))?;
            }
            Self::Disable(name) => {
                admin::disable(db, &name, now).await.map_err(Failure::new)?;
                print(format_args!("{name} is locked out"))?;
            }
            Self::Enable(name) => {
                admin::enable(db, &name).await.map_err(Failure::new)?;
                print(format_args!("{name} can log in again"))?;
            }
            Self::List => list(db).await?,
        }
        Ok(())
    }
}

async fn list(db: &Db) -> Result<(), Failure> {
    let mut after = String::new();
    let mut count = 0_u64;
    loop {
        let page = admin::list(db, &after, PAGE).await.map_err(Failure::new)?;
        for account in &page {
            print(line(account))?;
            count += 1;
        }
        match page.last() {
            Some(last) if page.len() == usize::from(PAGE) => after = last.username.to_string(),
            _ => break,
        }
    }
    note(format_args!("{count} users"));
    Ok(())
}

/// One user, in columns: name, how they come in, since when, and the name that is shown.
fn line(account: &Account) -> String {
    let way = match (account.disabled, account.from_host, account.has_password) {
        (true, _, _) => "disabled",
        (_, true, _) => "jwt",
        (_, _, true) => "password",
        _ => "open",
    };
    // A name from before there were rules for it could say something to the terminal.
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let shown: String = account.display_name.as_str().chars().map(plain).collect();
    format!("{:<32}  {way:<8}  {}  {shown}", account.username.as_str(), account.created_at)
}

fn username(name: String) -> Result<Username, Failure> {
    Username::try_from(name).map_err(Failure::wrong)
}

fn password(name: &Username, from_stdin: bool) -> Result<Password, Failure> {
    let text = if from_stdin { piped()? } else { asked(name)? };
    Password::try_from(text).map_err(Failure::wrong)
}

/// Everything on standard input but the line's end.
fn piped() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::new(format!("the password cannot be read: {error}")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// Asked for twice on the terminal, without showing it.
fn asked(name: &Username) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::wrong("there is no terminal to ask for the password on; pipe it in with --password-stdin"));
    }
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt).map_err(|error| Failure::new(format!("the password cannot be asked for: {error}")))
    };
    let first = ask(format!("Password for {name}: "))?;
    if ask("Once more: ".to_owned())? == first { Ok(first) } else { Err(Failure::wrong("the two passwords are not the same")) }
}
