//! What a program opens a database for.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To serve it: on SQLite one server at a time, held by the lock file `guild.db.lock`. Brings the schema up to date.
    Server,
    /// To administer it, whether or not a server runs. Brings the schema up to date.
    Tool,
    /// To replace its contents, or to move all of it elsewhere: no server may run, and none can start, on either engine. Brings the schema up
    /// to date.
    Alone,
    /// To read it: nothing is written, and a schema that is not exactly this program's is refused.
    ReadOnly,
}
