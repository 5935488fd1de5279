//! How a running server is reached: where it listens, how it is spoken to, and which processes it is.

use std::net::SocketAddr;

use anyhow::{Result, bail};

use super::tokens::Tokens;
use super::usage::{Usage, usage};
use crate::net::Net;

/// How a server wants to be spoken to. The events are the same; getting in differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The contract of Guild Chat: a token, `ready`, rooms that one member creates for all.
    Guild,
    /// The peers of `bench/peers`: a username, and every member joins a room by its name.
    Peer,
}

/// A running server.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the tables call it.
    pub name: String,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where others listen that share its users: further gateways of one cluster.
    pub others: Vec<SocketAddr>,
    /// Its processes, where they are known: without any there are no figures of CPU and memory.
    pub pids: Vec<u32>,
    /// Signs the users' tokens.
    pub tokens: Tokens,
}

impl Target {
    /// What its processes and all below them have used so far.
    ///
    /// # Errors
    /// One of them has ended.
    pub fn usage(&self) -> Result<Option<Usage>> {
        if self.pids.is_empty() {
            return Ok(None);
        }
        let mut sum = Usage::default();
        for pid in &self.pids {
            sum.add(usage(*pid)?);
        }
        Ok(Some(sum))
    }

    /// The text of a CONNECT for this user, with a cursor to resume from.
    pub fn connect(&self, username: &str, cursor: Option<&str>) -> String {
        let mut auth = serde_json::Map::new();
        match self.dialect {
            Dialect::Guild => auth.insert("token".to_owned(), self.tokens.of(username).into()),
            Dialect::Peer => auth.insert("username".to_owned(), username.into()),
        };
        if let Some(cursor) = cursor {
            auth.insert("cursor".to_owned(), cursor.into());
        }
        format!("40{}", serde_json::Value::Object(auth))
    }

    /// Connections to it, and in turns to those that share its users.
    ///
    /// # Errors
    /// The kernel gives no poll.
    pub fn net(&self) -> std::io::Result<Net> {
        let mut net = Net::new(self.addr)?;
        net.share(&self.others);
        Ok(net)
    }

    /// A server that somebody else has started; with commas, gateways that share its users.
    ///
    /// # Errors
    /// One of the addresses is none.
    pub fn running(addrs: &str, pids: &[u32], secret: &str) -> Result<Self> {
        let mut others = Vec::new();
        for addr in addrs.split(',') {
            let Ok(addr) = addr.parse() else {
                bail!("--addr {addr}: give an IP address and a port, such as 127.0.0.1:8080");
            };
            others.push(addr);
        }
        let addr = others.remove(0);
        Ok(Self { name: "guild".to_owned(), dialect: Dialect::Guild, addr, others, pids: pids.to_vec(), tokens: Tokens::new(secret) })
    }
}
