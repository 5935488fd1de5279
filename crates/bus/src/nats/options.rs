//! From settings to a client that connects in the background.

use super::settings::{CannotConnect, NatsSettings};
use async_nats::{Client, ConnectOptions, Event, Subscriber};
use futures_util::FutureExt;
use percent_encoding::percent_decode_str;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// A server that says nothing for three of these is given up, and another one (or the same) is connected to.
const PING: Duration = Duration::from_secs(2);

/// Never longer between two attempts, so that everything goes on within seconds of NATS's return.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(3);

/// After this time the server has heard that nothing more is wanted.
const HEARD: Duration = Duration::from_millis(100);

/// Hints and calls that may wait to be looked at, for each subject.
const SUBSCRIPTION: usize = 16_384;

/// A client, connected or about to be, and what happens to its connection.
pub(super) async fn connect(settings: NatsSettings) -> Result<(Client, Thread, mpsc::UnboundedReceiver<Event>), CannotConnect> {
    let (tell, events) = mpsc::unbounded_channel();
    let options = ConnectOptions::new()
        .name(&settings.name)
        .no_echo()
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(pause)
        .ping_interval(PING)
        .connection_timeout(ATTEMPT)
        .subscription_capacity(SUBSCRIPTION)
        .event_callback(move |event| {
            // The receiver is gone when nobody wants to know any more.
            let _ = tell.send(event);
            std::future::ready(())
        });
    let options = secure(identify(options, &settings)?, &settings)?;
    let servers = settings.servers.0.clone();
    let (made, client) = oneshot::channel();
    let thread = std::thread::Builder::new().name("nats".to_owned()).spawn(move || {
        // It asks the system for what has arrived between any two turns: see `Thread::drain`.
        let runtime = match tokio::runtime::Builder::new_current_thread().event_interval(1).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(made.send(Err(error.to_string()))),
        };
        runtime.block_on(async move {
            let (alive, ended) = oneshot::channel();
            let client = options.connect(servers).await.map_err(|error| error.to_string());
            let thread = Thread { runtime: Handle::current(), _alive: alive };
            if made.send(client.map(|client| (client, thread))).is_ok() {
                // Nothing is ever sent: it ends when the thread's handle is dropped.
                let _: Result<(), _> = ended.await;
            }
        });
    });
    let connected = match thread {
        Ok(_) => client.await.unwrap_or_else(|_| Err("its thread has ended".to_owned())),
        Err(error) => Err(error.to_string()),
    };
    let (client, thread) = connected.map_err(|error| CannotConnect(format!("nats.url: {}: {error}", settings.servers)))?;
    Ok((client, thread, events))
}

/// The thread that the connection lives on, alone. It ends with this.
pub(super) struct Thread {
    runtime: Handle,
    _alive: oneshot::Sender<()>,
}

impl Thread {
    /// Has the server send nothing more to these, and gives them back with everything that was on its way.
    ///
    /// The client forgets a subscription in its next turn after it has asked for its end. What the server sends until it has heard would be
    /// lost, and whoever asked would wait in vain. So the thread stands still until the server has surely heard: then the client reads
    /// everything that was on its way before it forgets. For that the runtime must have asked the system what has arrived, hence its
    /// interval of 1. The flush tells when to stand still: it ends in the turn in which the client writes that it wants no more, and what
    /// waits for it on this thread runs right after that turn.
    pub(super) async fn drain(&self, client: &Client, mut subscribers: Vec<Subscriber>) -> Vec<Subscriber> {
        let client = client.clone();
        let drained = self.runtime.spawn(async move {
            for subscriber in &mut subscribers {
                // Enters the client's queue. All of them must be in it before the client's turn, so this does not wait.
                let _ = subscriber.drain().now_or_never();
            }
            // An error is about a connection that is gone already.
            let _ = client.flush().await;
            std::thread::sleep(HEARD);
            subscribers
        });
        drained.await.unwrap_or_default()
    }
}

/// How long to wait before the attempt of this number: nothing before the first, then longer and longer.
fn pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(2)).unwrap_or(u32::MAX).min(10);
    if attempt <= 1 { Duration::ZERO } else { (Duration::from_millis(20) * 2_u32.pow(doublings)).min(PAUSE) }
}

impl NatsSettings {
    /// Whether the files that are named can be used, and belong together.
    ///
    /// # Errors
    /// What is wrong: the setting, a colon, and why.
    pub fn check(&self) -> Result<(), CannotConnect> {
        identify(ConnectOptions::new(), self).and_then(|options| secure(options, self)).map(|_| ())
    }
}

fn identify(options: ConnectOptions, settings: &NatsSettings) -> Result<ConnectOptions, CannotConnect> {
    if let Some(file) = &settings.credentials {
        let text = read("nats.credentials", file)?;
        return options.credentials(&text).map_err(|error| {
            CannotConnect(format!(
                "nats.credentials: {} holds no credentials ({error}): it is what nsc or `nats auth` writes",
                file.display()
            ))
        });
    }
    if let Some(token) = &settings.token {
        return Ok(options.token(token.clone()));
    }
    if let Some(user) = &settings.user {
        return Ok(options.user_and_password(user.clone(), settings.password.clone().unwrap_or_default()));
    }
    let in_address = settings.servers.0.iter().find_map(|server| Some((decoded(server.username()?), server.password().map(decoded))));
    Ok(match in_address {
        Some((user, Some(password))) => options.user_and_password(user, password),
        Some((token, None)) => options.token(token),
        None => options,
    })
}

fn secure(mut options: ConnectOptions, settings: &NatsSettings) -> Result<ConnectOptions, CannotConnect> {
    if let Some(file) = &settings.tls_ca {
        options = options.add_root_certificates(pem("nats.tls_ca", file, "CERTIFICATE")?).require_tls(true);
    }
    match (&settings.tls_cert, &settings.tls_key) {
        (Some(cert), Some(key)) => {
            let (cert, key) = (pem("nats.tls_cert", cert, "CERTIFICATE")?, pem("nats.tls_key", key, "PRIVATE KEY")?);
            Ok(options.add_client_certificate(cert, key).require_tls(true))
        }
        (None, None) => Ok(options),
        (Some(_), None) => Err(CannotConnect("nats.tls_cert: it needs nats.tls_key, the certificate's private key".into())),
        (None, Some(_)) => Err(CannotConnect("nats.tls_key: it needs nats.tls_cert, the key's certificate".into())),
    }
}

fn read(setting: &str, file: &Path) -> Result<String, CannotConnect> {
    std::fs::read_to_string(file).map_err(|error| CannotConnect(format!("{setting}: {} cannot be read ({error})", file.display())))
}

/// The file, once it is sure that it holds such a thing.
fn pem(setting: &str, file: &Path, what: &str) -> Result<PathBuf, CannotConnect> {
    if read(setting, file)?.contains(&format!("{what}-----")) {
        return Ok(file.to_owned());
    }
    Err(CannotConnect(format!("{setting}: {} holds no {} as PEM", file.display(), what.to_lowercase())))
}

/// A user, password or token out of an address, where some characters are written as `%40`.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_close_together_and_never_far_apart() {
        assert_eq!([pause(1), pause(2), pause(3)], [Duration::ZERO, Duration::from_millis(20), Duration::from_millis(40)]);
        assert_eq!(pause(usize::MAX), PAUSE);
    }

    #[test]
    fn what_is_escaped_in_an_address_is_read() {
        assert_eq!(decoded("a%40b%2Fc%zz%4"), "a@b/c%zz%4");
    }
}
