//! What the program's own routes look at.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bus::Bus;
use db::Db;
use metrics_exporter_prometheus::PrometheusHandle;
use vital::Vital;

use super::documents::Documents;
use super::pinged::Pinged;

/// What the probes look at.
#[derive(Clone)]
pub struct Program {
    /// The database that has to answer for `/readyz`, where there is one.
    pub db: Option<Db>,
    /// What it has answered lately.
    pub pinged: Arc<Pinged>,
    /// What has to reach other processes for `/readyz`, where there are any.
    pub bus: Bus,
    /// Set when the server has been told to stop.
    pub stopping: Arc<AtomicBool>,
    /// The tasks that must live for `/readyz`.
    pub vitals: Vec<Vital>,
    /// Prints the metrics.
    pub metrics: PrometheusHandle,
}

/// The state of the program's own routes.
#[derive(Clone)]
pub struct Own {
    /// See [`Program`].
    pub program: Program,
    /// See [`Documents`].
    pub documents: Arc<Documents>,
}
