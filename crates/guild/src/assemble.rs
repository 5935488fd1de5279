//! The only place that knows which services are in this process. It opens the database where one of them keeps something, puts the
//! services on the bus, and makes one router of what they answer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use bus::Bus;
use chat::Chat;
use contract::Clock;
use db::{Access, Db, Migrations};
use edge::Admission;
use graphql::Graphql;
use messages::Messages;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use users::Users;
use utoipa_axum::router::OpenApiRouter;
use vital::Vital;

use crate::http::{Program, with_own_routes};
use crate::settings::{Run, Settings};
use crate::start_error::StartError;

/// The schemas of all services, for the tools that open the whole database.
pub const MIGRATIONS: [Migrations; 2] = [users::MIGRATIONS, messages::MIGRATIONS];

/// The services at work, and what they answer over HTTP.
pub struct Assembled {
    /// Everything that is answered.
    pub router: Router,
    /// Set it, and the server says that it is not ready any more.
    pub stopping: Arc<AtomicBool>,
    /// How the services reach each other, and those in other processes.
    pub bus: Bus,
    /// Accounts, where they are in this process.
    pub users: Option<Arc<Users>>,
    /// Live connections, where they are in this process.
    pub chat: Option<Chat>,
    /// GraphQL, where rooms and the log are in this process.
    pub graphql: Option<Graphql>,
    /// Rooms and the log, where they are in this process.
    pub messages: Option<Arc<Messages>>,
    /// Where everything is kept; none where nothing is.
    pub db: Option<Db>,
    /// What runs beside the calls; it ends with this.
    pub tasks: JoinSet<()>,
    /// The program's own tasks that must live.
    pub own: Vital,
    /// Those, and the ones of every part.
    pub vitals: Vec<Vital>,
}

/// Starts the services that the settings name.
///
/// # Errors
/// The database cannot be opened, NATS cannot even be looked for, or a service refuses its settings or this database.
pub async fn assemble(settings: &Settings, metrics: PrometheusHandle) -> Result<Assembled, StartError> {
    let run = settings.services.run;
    let db = match migrations(run) {
        schemas if schemas.is_empty() => None,
        schemas => Some(Db::open(&settings.services.database, &schemas, Access::Server).await?),
    };
    let bus = match &settings.services.nats {
        Some(nats) => Bus::connected(nats.clone()).await?,
        None if settings.services.encode => Bus::encoding(),
        None => Bus::near(),
    };
    let clock = Clock::system();
    let admission = Admission::new(&settings.admission(), &clock);
    let (mut tasks, own) = (JoinSet::new(), Vital::new());
    let mut vitals = vec![own.clone(), bus.vital()];
    vitals.extend(db.as_ref().map(Db::vital));
    let mut routes = OpenApiRouter::with_openapi(edge::document());

    let mut users = None;
    if let Some(db) = db.clone().filter(|_| run.users) {
        let service = Users::new(db, bus.clone(), settings.users(), clock.clone())?;
        service.start_check().await?;
        service.serve(&bus);
        tasks = service.start();
        vitals.push(service.vital());
        routes = routes.merge(users::http::routes(bus.clone(), Arc::clone(&admission)));
        users = Some(service);
    }
    let (mut messages, mut graphql) = (None, None);
    if let Some(db) = db.clone().filter(|_| run.messages) {
        let service = Messages::new(db, bus.clone(), settings.messages(), clock.clone());
        service.start_check().await.map_err(StartError::Log)?;
        Messages::serve(&service, &bus);
        tasks.spawn(service.keep_index());
        tasks.spawn(service.keep_version());
        tasks.spawn(Messages::keep_telling(&service));
        vitals.push(service.vital());
        routes = routes.merge(messages::http::routes(Arc::clone(&service), bus.clone(), Arc::clone(&admission)));
        messages = Some(service);
        // Here, because nearly all that it asks is answered here.
        let edge = Graphql::start(bus.clone(), settings.graphql(), clock.clone(), Arc::clone(&admission));
        routes = routes.merge(edge.routes());
        vitals.push(edge.vital());
        graphql = Some(edge);
    }
    let chat = run.chat.then(|| Chat::start(bus.clone(), settings.chat(), clock, admission));
    vitals.extend(chat.as_ref().map(Chat::vital));

    let stopping = Arc::new(AtomicBool::new(false));
    tasks.spawn(own.keep("the tidying of the metrics", tidy(metrics.clone())));
    let program = Program {
        db: db.clone(),
        pinged: Arc::default(),
        bus: bus.clone(),
        stopping: Arc::clone(&stopping),
        vitals: vitals.clone(),
        metrics,
    };
    let events = chat.is_some().then(chat::document);
    let mut router = with_own_routes(routes, program, run, events.as_ref());
    if let Some(chat) = &chat {
        router = router.merge(chat.router());
    }
    let router = edge::outer(router, settings.outer());
    Ok(Assembled { router, stopping, bus, users, chat, graphql, messages, db, tasks, own, vitals })
}

/// The schemas of what these services keep: each brings its own tables, and needs nobody else's.
fn migrations(run: Run) -> Vec<Migrations> {
    let all = [(run.users, users::MIGRATIONS), (run.messages, messages::MIGRATIONS)];
    all.into_iter().filter(|(runs, _)| *runs).map(|(_, schema)| schema).collect()
}

/// The recorder keeps every single measurement until somebody reads or tidies, and perhaps nobody reads.
async fn tidy(metrics: PrometheusHandle) {
    let mut every = tokio::time::interval(std::time::Duration::from_secs(5));
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}
