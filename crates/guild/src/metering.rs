//! The numbers at `/metrics`: one recorder a process, and what each number means.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets for everything that is measured in seconds: an ack takes half a millisecond, a login a hundred, a slow one seconds.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Buckets for how many appends shared a commit, or calls a request; about 1,000 is the most.
const BATCH: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Starts counting, once a process, and answers what can print the counts.
///
/// # Errors
/// When another recorder has been installed.
pub fn start() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("guild_commit_batch".to_owned()), &BATCH)?
        .set_buckets_for_metric(Matcher::Full("guild_nats_bundle".to_owned()), &BATCH)?
        .install_recorder()?;
    describe();
    begin_at_zero();
    Ok(HANDLE.get_or_init(|| handle).clone())
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    gauge!("guild_connections", "Live Socket.IO connections.");
    gauge!("guild_users_online", "Users with a live, authenticated socket at this process.");
    gauge!("guild_graphql_sockets", "WebSockets open for GraphQL.");
    gauge!("guild_writer_queue", "Transactions that wait for the database's writer.");
    gauge!("guild_reader_queue", "Reads that wait for a reader of the database.");
    gauge!("guild_append_queue", "Appends to the log that wait for the next commit.");
    gauge!("guild_nats_connected", "1 while NATS is connected, 0 while it is not; absent without nats.url.");
    counter!("guild_nats_calls_total", "Calls to other processes, by outcome: answered, nobody, late, away, too_large.");
    counter!("guild_nats_answers_total", "Calls of other processes, by outcome: answered, expired, too_many.");
    counter!(
        "guild_nats_hints_dropped_total",
        "Hints that another process did not get, or could not read. It looks into the database instead."
    );
    counter!("guild_messages_total", "Messages that were committed.");
    counter!("guild_deliveries_total", "Events handed to connections.");
    counter!("guild_slow_clients_cut_total", "Connections cut because they could not keep up; they resume by their cursor.");
    counter!("guild_rate_limited_total", "Calls refused by a limit, by what was limited.");
    counter!("guild_replayed_total", "Events sent again to clients that came back with a cursor.");
    counter!("guild_resyncs_total", "Cursors that could not be taken up and were answered by resync.");
    counter!("guild_log_lines_dropped_total", "Lines of the log that its output did not take.");
    counter!("guild_http_requests_total", "HTTP requests, by method, route and status.");
    histogram!("guild_http_seconds", "Seconds from an HTTP request's head to its answer's.");
    histogram!("guild_ack_seconds", "Seconds from a message event's arrival to its acknowledgement.");
    histogram!("guild_commit_batch", "Appends that shared a commit.");
    histogram!("guild_nats_bundle", "Calls that shared a request to another process.");
    histogram!("guild_commit_seconds", "Seconds that a commit of the log took, the sync to disk included.");
    histogram!("guild_login_seconds", "Seconds that a login took, the wait for the hashing pool included.");
}

/// A counter that nobody has moved yet is not printed, and a rate over what appears at 1 misses the first one.
fn begin_at_zero() {
    for name in [
        "guild_messages_total",
        "guild_deliveries_total",
        "guild_slow_clients_cut_total",
        "guild_replayed_total",
        "guild_resyncs_total",
        "guild_log_lines_dropped_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
    for what in ["send", "create_room", "logins", "sockets", "events"] {
        metrics::counter!("guild_rate_limited_total", "what" => what).absolute(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_have_buckets() {
        let handle = start().unwrap();
        metrics::histogram!("guild_ack_seconds").record(0.0007);
        metrics::histogram!("guild_commit_batch").record(3.0);
        handle.run_upkeep();
        let text = handle.render();
        assert!(text.contains("guild_ack_seconds_bucket{le=\"0.001\"} 1"), "{text}");
        assert!(text.contains("guild_commit_batch_bucket{le=\"4\"} 1"), "{text}");
        assert!(text.contains("# HELP guild_ack_seconds "), "{text}");
        start().unwrap();
    }
}
