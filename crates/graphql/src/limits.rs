//! How much one request may ask for: the numbers. `query_limits`, `budget` and `operation_cost` hold requests to them.

/// The bounds. Introspection as the usual tools ask for it stays below half of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Words and signs in one document: bounds what is read at all.
    pub tokens: usize,
    /// Brackets of any kind within one another, in the text.
    pub brackets: usize,
    /// Fields within one another, fragments followed.
    pub depth: usize,
    /// Fields, fragments followed each time that they are spread.
    pub fields: usize,
    /// Fields that are given another name, fragments followed.
    pub aliases: usize,
    /// Directives, fragments followed.
    pub directives: usize,
    /// Values that the answer could hold: a field of each item of `first: 50` counts fifty times.
    pub complexity: usize,
    /// Bytes that services may have answered for one request (a batch is one) before it asks for more: about what it holds in memory.
    pub read_bytes: usize,
    /// Bytes of messages' text in the answer to one request.
    pub text_bytes: usize,
    /// Both of these for each event of a subscription: a socket may get many at once.
    pub event_bytes: usize,
    /// Requests in one batch.
    pub batch: usize,
    /// Subscriptions on one socket.
    pub subscriptions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: 2_000,
            brackets: 32,
            depth: 16,
            fields: 600,
            aliases: 30,
            directives: 50,
            complexity: 20_000,
            // Twice what an answer may hold. A page of the longest messages is 3.2 MB, and what was asked for last may go past the bound.
            read_bytes: 8 << 20,
            text_bytes: 4 << 20,
            event_bytes: 1 << 20,
            batch: 10,
            subscriptions: 20,
        }
    }
}
