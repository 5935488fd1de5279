//! The peer `limit`: the least server that can serve this load, to know what the machine, the kernel and the database allow. One
//! thread for the sockets, one for the database.
//!
//! A message is encoded once, whoever gets it; a committed batch is queued for all before anything is written, so that a client's
//! frames leave in one system call; and there are no rules.
//!
//! ```text
//! limit PORT FOLDER
//! ```

mod connection;
mod hub;
mod reading;
mod ws;

use std::{error::Error, rc::Rc, time::Duration};

use peers::writer;
use tokio::{
    runtime::{Builder, LocalOptions},
    task::spawn_local,
    time::{interval, sleep},
};

use crate::{connection::Connection, hub::Hub};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let (port, folder) = peers::arguments()?;
    let (jobs, mut committed) = writer::start(&folder.join("limit.db"))?;
    let hub = Rc::new(Hub::new(jobs));

    let teller = hub.clone();
    spawn_local(async move {
        while let Some(outcome) = committed.recv().await {
            teller.tell(outcome);
        }
    });
    let pinger = hub.clone();
    spawn_local(async move {
        let mut clock = interval(Duration::from_secs(1));
        for second in 0.. {
            clock.tick().await;
            pinger.heartbeat(second);
        }
    });

    let listener = peers::listen(port)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let hub = hub.clone();
                spawn_local(async move {
                    let (reader, writer) = stream.into_split();
                    let connection = Connection::new(hub.number(), writer);
                    // A client that breaks off is nothing to tell anybody.
                    let _ = reading::serve(&connection, reader, &hub).await;
                    hub.closed(&connection);
                });
            }
            // Most likely no file descriptor is free: somebody must leave first.
            Err(error) => {
                eprintln!("could not accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
