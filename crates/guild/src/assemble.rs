//! The only place that knows which service is in this process: today all of them. It opens the database, puts the services on the bus,
//! and makes one router of what they answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use bus::Bus;
use chat::Chat;
use contract::Clock;
use db::{Access, Db, Migrations};
use messages::Messages;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use users::Users;

use crate::http::{Program, with_own_routes};
use crate::serve::StartError;
use crate::settings::Settings;

/// The schemas of everything that keeps something, for whoever opens the database.
pub const MIGRATIONS: [Migrations; 2] = [users::MIGRATIONS, messages::MIGRATIONS];

/// The services at work, and what they answer over HTTP.
pub struct Assembled {
    /// Everything that is answered.
    pub router: Router,
    /// Set it, and the server says that it is not ready any more.
    pub stopping: Arc<AtomicBool>,
    /// Live connections.
    pub chat: Chat,
    /// Rooms and the log.
    pub messages: Arc<Messages>,
    /// Where everything is kept.
    pub db: Db,
    /// What runs beside the calls; it ends with this.
    pub tasks: JoinSet<()>,
}

/// Starts every service over the database that the settings name.
///
/// # Errors
/// The database cannot be opened, or a service refuses it or its settings.
pub async fn assemble(settings: &Settings, metrics: PrometheusHandle) -> Result<Assembled, StartError> {
    let db = Db::open(&settings.services.database, &MIGRATIONS, Access::Server).await?;
    let bus = if settings.services.encode { Bus::encoding() } else { Bus::near() };
    let clock = Clock::system();

    let users = Users::new(db.clone(), bus.clone(), settings.users(), clock.clone())?;
    users.start_check().await?;
    users.serve(&bus);
    let mut tasks = users.start();

    let messages = Messages::new(db.clone(), bus.clone(), settings.messages(), clock.clone());
    Messages::serve(&messages, &bus);

    let chat = Chat::start(bus.clone(), settings.chat(), clock);

    let services = users::http::routes(&users, bus.clone()).merge(messages::http::routes(Arc::clone(&messages), bus));
    let stopping = Arc::new(AtomicBool::new(false));
    tasks.spawn(tidy(metrics.clone()));
    let program = Program { db: db.clone(), stopping: Arc::clone(&stopping), metrics };
    let router = with_own_routes(services, program, &chat::document()).merge(chat.router());
    Ok(Assembled { router: edge::outer(router, settings.outer()), stopping, chat, messages, db, tasks })
}

/// The recorder keeps every single measurement until somebody reads or tidies, and perhaps nobody reads.
async fn tidy(metrics: PrometheusHandle) {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}
