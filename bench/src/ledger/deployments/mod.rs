//! What faults are done to: a topology of the service, with the way to it and everything that can fail about it.

mod cluster;
mod deployment;
mod instance;
mod single;

pub use cluster::Cluster;
pub use deployment::Deployment;
pub use single::Single;
