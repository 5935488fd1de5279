//! What a run found: tables for people, JSON for machines, and a page with charts.

mod html;
mod tables;

pub use html::{drawing, page};
pub use tables::{Cell, Column, Report, Table, charted, column};
