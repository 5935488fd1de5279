//! What faults are done to: a shape of the service, with the way to it and everything that can fail about it.

mod alone;
mod cluster;
mod instance;
mod scene;

pub use alone::Alone;
pub use cluster::Cluster;
pub use scene::Scene;
