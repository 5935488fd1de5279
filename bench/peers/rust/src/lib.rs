//! What the two Rust peers share: the words of the protocol, the command line, the listener and the [`writer`].
//!
//! A peer does the work that every chat server must do (join a room, keep a message, tell the room, acknowledge after the commit)
//! and none of what Guild Chat adds to it. It may know nothing of Guild Chat's crates: it is there to be compared with them.

pub mod writer;

use std::{error::Error, net::Ipv4Addr, path::PathBuf, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket};
use uuid::Uuid;

/// A message as its room hears of it.
#[derive(Serialize)]
pub struct Message {
    /// UUIDv7.
    pub id: Uuid,
    /// The room's id, as the client gave it.
    pub room: String,
    /// Counts the room's messages 1, 2, 3, … in the order of their commits.
    pub seq: i64,
    /// The user's name.
    pub sender: Arc<str>,
    /// The text.
    pub body: String,
    /// The commit's time, RFC 3339 in UTC with milliseconds.
    pub created_at: Arc<str>,
}

/// What `message` takes.
#[derive(Deserialize)]
pub struct Send {
    /// The room's id.
    pub room: String,
    /// The text.
    pub body: String,
    /// The client's key for this send. It is stored, and not compared with earlier ones.
    pub nonce: String,
}

/// What `join` takes.
#[derive(Deserialize)]
pub struct Join {
    /// The room's id; a room exists when somebody is in it.
    pub room: String,
}

/// What a client connects with. Nothing of it is verified.
#[derive(Deserialize)]
pub struct Auth {
    username: Option<String>,
    token: Option<String>,
}

impl Auth {
    /// The user's name: `username`, else that claim of the JWT's payload. `None` where neither can be read.
    pub fn name(self) -> Option<Arc<str>> {
        #[derive(Deserialize)]
        struct Claims {
            username: String,
        }
        if let Some(name) = self.username.filter(|name| !name.is_empty()) {
            return Some(name.into());
        }
        let token = self.token?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        Some(serde_json::from_slice::<Claims>(&payload).ok()?.username.into())
    }
}

/// The command line: `PORT FOLDER`.
pub fn arguments() -> Result<(u16, PathBuf), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(port), Some(folder), None) => Ok((port.parse()?, folder.into())),
        _ => Err("takes PORT FOLDER: a port of 127.0.0.1 (0 is any free one) and the folder for the database".into()),
    }
}

/// Listens on 127.0.0.1:`port` (0 is any free one) and says so on stdout. The queue of 4,096 is what the kernel allows by default; a
/// load generator connects by the thousand.
pub fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Linux hands this on to accepted sockets.
    socket.set_nodelay(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    let listener = socket.listen(4096)?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}
