//! The server on a loopback port, spoken to by hand over both transports.

// The attribute tells clippy that these are tests.
#[cfg(test)]
mod support;

use std::time::Duration;

use serde_json::json;
use socketio::{Config, Frame, SendError};
use support::{Polling, Running, WebSocket, fill, handshake, http, soon};
use tokio_tungstenite::{connect_async, tungstenite::Error};

fn quick() -> Config {
    Config { max_payload: 10_000, ..Config::default() }
}

fn number(number: usize) -> Frame {
    Frame::raw("n", &number.to_string())
}

#[tokio::test]
async fn websocket_connects_and_acknowledges_in_order() {
    let mut server = Running::start(Config::default()).await;
    let (mut client, answer) = WebSocket::connect(server.address, r#"{"token":"x"}"#).await;
    let conn = server.connected().await;
    assert_eq!(answer, format!("40{{\"sid\":\"{}\"}}", conn.id()));
    assert!(conn.peer().unwrap().ip().is_loopback());
    assert!(conn.set_state(std::sync::Arc::new(7_u32)));
    assert!(!conn.set_state(std::sync::Arc::new(8_u32)));
    assert_eq!(conn.state::<u32>().as_deref(), Some(&7));
    assert_eq!(conn.state::<String>(), None);

    for id in 0..200 {
        client.send(&format!("42{id}[\"say\",{id}]")).await;
    }
    for id in 0..200 {
        let expected = json!({"got": id.to_string(), "binary": false});
        assert_eq!(client.next().await.unwrap(), format!("43{id}[{expected}]"));
        assert_eq!(server.event().await, ("say".to_owned(), id.to_string()));
    }

    conn.send(&Frame::event("hello", &json!({"a": 1})).unwrap()).unwrap();
    assert_eq!(client.next().await.unwrap(), r#"42["hello",{"a":1}]"#);
    drop(client);
    assert_eq!(server.disconnected().await, "transport error");
    assert_eq!(conn.send(&number(1)), Err(SendError::Closed));
    assert!(!conn.drained(0).await);
    server.empty().await;
}

#[tokio::test]
async fn polling_connects_and_acknowledges_in_order() {
    let mut server = Running::start(quick()).await;
    let (client, answer) = Polling::connect(server.address, "").await;
    assert_eq!(client.open["maxPayload"], 10_000);
    assert_eq!(client.open["pingInterval"], 25_000);
    assert_eq!(client.open["pingTimeout"], 20_000);
    assert_eq!(client.open["upgrades"], json!(["websocket"]));
    let conn = server.connected().await;
    assert_eq!(answer, format!("40{{\"sid\":\"{}\"}}", conn.id()));
    assert_ne!(conn.id(), client.sid);

    let body: Vec<String> = (0..100).map(|id| format!("42{id}[\"say\",{id}]")).collect();
    assert_eq!(client.post(&body.join("\u{1e}")).await, (200, "ok".to_owned()));
    for (id, ack) in client.messages(100).await.iter().enumerate() {
        assert!(ack.starts_with(&format!("43{id}[")), "{ack}");
        assert_eq!(server.event().await, ("say".to_owned(), id.to_string()));
    }
    assert_eq!(conn.behind(), 0);

    // More than a polling body may be long comes in one answer.
    for n in 0..2000 {
        conn.send(&number(n)).unwrap();
    }
    let expected: Vec<String> = (0..2000).map(|n| format!("42[\"n\",{n}]")).collect();
    assert_eq!(client.messages(2000).await, expected);
    assert_eq!(conn.behind(), 0);

    assert_eq!(client.post("1").await.0, 200);
    assert_eq!(server.disconnected().await, "transport close");
    assert_eq!(client.poll().await.0, 400);
    server.empty().await;
}

#[tokio::test]
async fn an_upgrade_loses_and_reorders_nothing() {
    let mut server = Running::start(quick()).await;
    let (client, _) = Polling::connect(server.address, "").await;
    let conn = server.connected().await;
    // So wide that a few dozen are more than the engine would put into one answer.
    let wide = |n: usize| format!("\"{n:0>300}\"");
    let send = |n: usize| conn.send(&Frame::raw("n", &wide(n))).unwrap();
    let sent: Vec<String> = (0..3000).map(|n| format!("42[\"n\",{}]", wide(n))).collect();
    for n in 0..1500 {
        send(n);
    }
    let mut seen = client.messages(1500).await;
    for n in 1500..2500 {
        send(n);
    }
    assert_eq!(client.post("42[\"before\"]").await.0, 200);
    // One answer, and the upgrade: what the answer left over, if it did, the engine would forget.
    seen.extend(client.poll().await.1.split('\u{1e}').map(str::to_owned));

    let mut socket = WebSocket::bare(server.address, &format!("&sid={}", client.sid)).await;
    socket.send("2probe").await;
    // As a stock client does: polling goes on while the websocket is probed.
    let mut probed = false;
    while !probed {
        tokio::select! {
            answer = socket.text() => { assert_eq!(answer.unwrap(), "3probe"); probed = true; }
            (status, body) = client.poll() => {
                assert_eq!(status, 200);
                let texts = body.split('\u{1e}').filter(|text| !matches!(*text, "2" | "6"));
                seen.extend(texts.map(str::to_owned));
            }
        }
    }
    for n in 2500..3000 {
        send(n);
    }
    socket.send("5").await;
    socket.send("420[\"after\"]").await;
    while seen.len() < 3000 {
        let text = socket.next().await.unwrap();
        if !text.starts_with("430[") {
            seen.push(text);
        }
    }
    assert_eq!(seen, sent);
    assert_eq!(server.event().await.0, "before");
    assert_eq!(server.event().await.0, "after");
    // The polling half is gone.
    assert_eq!(client.post("42[\"late\"]").await.0, 400);
    soon(conn.drained(0)).await;
    socket.send("1").await;
    assert_eq!(server.disconnected().await, "transport close");
    server.empty().await;
}

#[tokio::test]
async fn a_failed_upgrade_ends_the_session() {
    let mut server = Running::start(Config::default()).await;
    let (client, _) = Polling::connect(server.address, "").await;
    server.connected().await;
    let mut socket = WebSocket::bare(server.address, &format!("&sid={}", client.sid)).await;
    socket.send("nonsense").await;
    assert_eq!(server.disconnected().await, "transport error");
    server.empty().await;

    let (client, _) = Polling::connect(server.address, "").await;
    server.connected().await;
    let socket = WebSocket::bare(server.address, &format!("&sid={}", client.sid)).await;
    drop(socket);
    assert_eq!(server.disconnected().await, "transport error");
    server.empty().await;
}

#[tokio::test]
async fn a_refusal_carries_data_and_one_may_ask_again() {
    let mut server = Running::start(Config::default()).await;
    let auth = r#"{"refuse":{"code":"unauthenticated"}}"#;
    let (mut client, answer) = WebSocket::connect(server.address, auth).await;
    let error: serde_json::Value = serde_json::from_str(answer.strip_prefix("44").unwrap()).unwrap();
    assert_eq!(error, json!({"message": "refused", "data": {"code": "unauthenticated"}}));
    client.send("40{}").await;
    assert!(client.next().await.unwrap().starts_with("40{"));
    server.connected().await;
}

#[tokio::test]
async fn other_namespaces_are_refused_without_harm() {
    let mut server = Running::start(Config::default()).await;
    let (mut client, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    client.send("40/admin,{\"token\":1}").await;
    assert_eq!(client.next().await.unwrap(), r#"44/admin,{"message":"Invalid namespace"}"#);
    client.send("42/,1[\"x\"]").await;
    assert!(client.next().await.unwrap().starts_with("431["));
    assert_eq!(server.event().await.0, "x");
    client.send("42/admin,[\"x\"]").await;
    assert_eq!(client.rest().await, Vec::<String>::new());
    assert_eq!(server.disconnected().await, "protocol error");
}

#[tokio::test]
async fn a_client_may_disconnect_and_connect_again() {
    let mut server = Running::start(Config::default()).await;
    let (mut client, first) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    client.send("41").await;
    assert_eq!(server.disconnected().await, "client namespace disconnect");
    assert_eq!(conn.send(&number(1)), Err(SendError::Closed));
    conn.close("no effect on what comes next");
    conn.abort();
    client.send("40").await;
    let second = client.next().await.unwrap();
    assert!(second.starts_with("40{") && second != first, "{second}");
    let again = server.connected().await;
    again.send(&number(1)).unwrap();
    assert_eq!(client.next().await.unwrap(), "42[\"n\",1]");
}

#[tokio::test]
async fn what_breaks_the_protocol_closes_that_connection_only() {
    let mut server = Running::start(Config::default()).await;
    let (mut bystander, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    for (packets, reason) in [
        (&["40"][..], "protocol error"),
        (&["44{\"message\":\"x\"}"], "protocol error"),
        (&["4"], "parse error"),
        (&["4x"], "parse error"),
        (&["42[]"], "parse error"),
        (&["42[1]"], "parse error"),
        (&["42[\"disconnect\"]"], "parse error"),
        (&["42999999999999999999999[\"x\"]"], "parse error"),
        (&["451-[\"x\",{\"_placeholder\":true,\"num\":0}]", "42[\"y\"]"], "parse error"),
        (&["4511-[\"x\"]"], "parse error"),
        (&["7"], "parse error"),
        (&["0"], "parse error"),
        (&["é"], "parse error"),
    ] {
        let (mut client, _) = WebSocket::connect(server.address, "").await;
        server.connected().await;
        for packet in packets {
            client.send(packet).await;
        }
        assert_eq!(client.rest().await, Vec::<String>::new(), "{packets:?}");
        assert_eq!(server.disconnected().await, reason, "{packets:?}");
    }
    // Before a CONNECT, with nobody to be told of it.
    for packet in ["42[\"x\"]", "41", "43[]", "44{}", "451-[\"x\"]", "42/a,[\"x\"]"] {
        let mut client = WebSocket::open(server.address).await;
        client.send(packet).await;
        assert_eq!(client.rest().await, Vec::<String>::new(), "{packet}");
    }
    assert!(server.told_nothing_more());
    bystander.send("421[\"x\"]").await;
    assert!(bystander.next().await.unwrap().starts_with("431["));
}

#[tokio::test]
async fn binary_events_are_told_as_such() {
    let mut server = Running::start(quick()).await;
    let (mut client, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    let packet = r#"452-9["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    client.send(packet).await;
    client.send_binary(&[0; 5000]).await;
    client.send_binary(b"").await;
    let ack = client.next().await.unwrap();
    assert!(ack.starts_with("439[") && ack.contains("\"binary\":true"), "{ack}");
    assert_eq!(server.event().await.0, "file");
    // An acknowledgement that nobody asked for, with an attachment.
    client.send("461-3[{\"_placeholder\":true,\"num\":0}]").await;
    client.send_binary(&[1]).await;
    client.send(packet).await;
    client.send_binary(&[0; 9000]).await;
    client.send_binary(&[0; 9000]).await;
    assert_eq!(client.rest().await, Vec::<String>::new());
    assert_eq!(server.disconnected().await, "payload too large");

    let (mut client, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    client.send_binary(&[1]).await;
    assert_eq!(client.rest().await, Vec::<String>::new());
    assert_eq!(server.disconnected().await, "parse error");

    let (client, _) = Polling::connect(server.address, "").await;
    server.connected().await;
    let body = "451-4[\"file\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAAAA";
    assert_eq!(client.post(body).await.0, 200);
    assert!(client.messages(1).await[0].contains("\"binary\":true"));
    assert_eq!(server.event().await.0, "file");
}

#[tokio::test]
async fn too_big_a_payload_closes_that_connection_only() {
    let mut server = Running::start(quick()).await;
    let (mut bystander, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    let fits = format!("42[\"x\",\"{}\"]", "x".repeat(10_000 - 10));
    assert_eq!(fits.len(), 10_000);
    let over = format!("42[\"x\",\"{}\"]", "x".repeat(10_000 - 9));

    let (mut client, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    client.send(&fits).await;
    assert_eq!(server.event().await.0, "x");
    client.send(&over).await;
    assert_eq!(client.rest().await, Vec::<String>::new());
    assert_eq!(server.disconnected().await, "transport error");

    let (client, _) = Polling::connect(server.address, "").await;
    server.connected().await;
    assert_eq!(client.post(&fits).await.0, 200);
    assert_eq!(server.event().await.0, "x");
    assert_eq!(client.post(&over).await.0, 413);
    client.poll().await;
    assert_eq!(server.disconnected().await, "payload too large");

    bystander.send("421[\"x\"]").await;
    assert!(bystander.next().await.unwrap().starts_with("431["));
}

#[tokio::test]
async fn events_during_a_connect_are_held_in_order() {
    let mut server = Running::start(Config::default()).await;
    let mut client = WebSocket::open(server.address).await;
    client.send("40{\"wait\":1}").await;
    for n in 0..64 {
        client.send(&format!("42{n}[\"x\",{n}]")).await;
    }
    // Answered when all before it have been read.
    client.send("40/other,").await;
    assert!(client.next().await.unwrap().starts_with("44/other,"));
    assert!(server.told_nothing_more());
    server.recorder.gate.add_permits(1);
    assert!(client.next().await.unwrap().starts_with("40{"));
    server.connected().await;
    for n in 0..64 {
        assert!(client.next().await.unwrap().starts_with(&format!("43{n}[")));
        assert_eq!(server.event().await.1, n.to_string());
    }
}

#[tokio::test]
async fn too_many_events_during_a_connect_close() {
    let mut server = Running::start(quick()).await;
    for (count, size) in [(65, 10), (3, 9000)] {
        let mut client = WebSocket::open(server.address).await;
        client.send("40{\"wait\":1}").await;
        for _ in 0..count {
            client.send(&format!("42[\"x\",\"{}\"]", "x".repeat(size))).await;
        }
        assert_eq!(client.rest().await, Vec::<String>::new());
        server.empty().await;
        // Nobody waits for the answer: it is dropped, with all that was kept for it.
        server.forgotten().await;
    }
    assert!(server.told_nothing_more());
}

#[tokio::test]
async fn a_client_that_leaves_during_a_connect_leaves_nothing_behind() {
    let mut server = Running::start(Config::default()).await;
    for packet in ["1", "41"] {
        let mut client = WebSocket::open(server.address).await;
        client.send("40{\"wait\":1}").await;
        client.send(packet).await;
        server.empty().await;
        // The answer may take as long as it likes: nothing waits for it.
        server.forgotten().await;
    }
    let mut client = WebSocket::open(server.address).await;
    client.send("40{\"wait\":1}").await;
    while server.recorder.kept() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    server.empty().await;
    server.forgotten().await;
    assert!(server.told_nothing_more());
    // Granted to somebody who has gone: the handler is told of the end, and of no connection.
    let client = WebSocket::connect_only(server.address, "{\"close\":1}").await;
    assert_eq!(server.disconnected().await, "asked");
    client.rest().await;
    server.forgotten().await;
    assert!(server.told_nothing_more());
}

#[tokio::test]
async fn a_connection_without_a_connect_is_closed() {
    let config = Config { connect_timeout: Duration::from_millis(100), ..Config::default() };
    let mut server = Running::start(config).await;
    let (mut connected, _) = WebSocket::connect(server.address, "").await;
    server.connected().await;
    let idle = WebSocket::open(server.address).await;
    let polling = Polling::open(server.address).await;
    let refused = WebSocket::connect(server.address, "{\"refuse\":1}").await.0;
    assert_eq!(idle.rest().await, Vec::<String>::new());
    assert_eq!(refused.rest().await, Vec::<String>::new());
    soon(async { while polling.poll().await.0 == 200 {} }).await;
    assert!(server.told_nothing_more());
    connected.send("421[\"x\"]").await;
    assert!(connected.next().await.unwrap().starts_with("431["));
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_up_and_can_be_cut() {
    let config = Config { max_burst: 100_000, ..Config::default() };
    let mut server = Running::start(config).await;
    let (client, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    let frame = Frame::event("x", &"x".repeat(1000)).unwrap();
    // The kernel takes some megabytes first; full is what no longer moves.
    let mut before = usize::MAX;
    soon(async {
        while fill(&conn, &frame) > 0 || before != conn.behind() {
            before = conn.behind();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(conn.send(&frame), Err(SendError::Full));
    assert!(conn.behind() <= 100_000 && conn.behind() > 98_000);
    assert!(conn.free() < 1_100);
    let waiting = tokio::spawn({
        let conn = conn.clone();
        async move { conn.drained(0).await }
    });
    // From a thread that is none of the runtime's, as a handler's own threads may do.
    std::thread::spawn(move || conn.abort()).join().unwrap();
    assert_eq!(server.disconnected().await, "server abort");
    assert!(!soon(waiting).await.unwrap());
    server.empty().await;
    drop(client);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_by_itself() {
    let config = Config { max_lag: Duration::from_millis(200), ..Config::default() };
    let mut server = Running::start(config).await;
    let (client, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    let frame = Frame::event("x", &"x".repeat(100_000)).unwrap();
    let reason = soon(async {
        loop {
            tokio::select! {
                reason = server.disconnected() => return reason,
                () = tokio::time::sleep(Duration::from_millis(5)) => drop(conn.send(&frame)),
            }
        }
    })
    .await;
    assert_eq!(reason, "slow client");
    drop(client);
}

#[tokio::test]
async fn a_burst_to_a_client_that_reads_is_drained() {
    let mut server = Running::start(Config::default()).await;
    let (mut client, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    let total = 20_000;
    let sender = tokio::spawn(async move {
        for n in 0..total {
            assert!(conn.drained(32 * 1024).await);
            conn.send(&number(n)).unwrap();
        }
        assert!(conn.drained(0).await);
        assert_eq!(conn.behind(), 0);
    });
    for n in 0..total {
        assert_eq!(client.next().await.unwrap(), format!("42[\"n\",{n}]"));
    }
    soon(sender).await.unwrap();
}

#[tokio::test]
async fn a_burst_at_once_does_not_count_against_a_client_that_reads() {
    let mut server = Running::start(Config::default()).await;
    let (mut client, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    let frame = Frame::event("x", &"x".repeat(32 * 1024)).unwrap();
    // Nothing is awaited in between, so the writer has no chance: what two users may send at once, who each have a burst of 60.
    for _ in 0..120 {
        conn.send(&frame).unwrap();
    }
    let all = conn.behind();
    // The network takes a part of it, and then no more until the client reads.
    soon(async {
        let mut before = all;
        while before == all || before != conn.behind() {
            before = conn.behind();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    for _ in 0..60 {
        conn.send(&frame).unwrap();
    }
    for n in 0..180 {
        assert!(client.next().await.is_some(), "{n}");
    }
    assert!(soon(conn.drained(0)).await);
}

#[tokio::test]
async fn a_client_that_leaves_too_much_for_too_long_is_cut() {
    // Long before the bound in time, which is longer than this test may take.
    let config = Config { max_behind: 100_000, max_lag: Duration::from_secs(60), ..Config::default() };
    let mut server = Running::start(config).await;
    let (client, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    let frame = Frame::event("x", &"x".repeat(32 * 1024)).unwrap();
    // More than the kernel takes for a client that does not read.
    fill(&conn, &frame);
    assert_eq!(server.disconnected().await, "slow client");
    drop(client);

    let (client, _) = Polling::connect(server.address, "").await;
    let conn = server.connected().await;
    for _ in 0..10 {
        conn.send(&frame).unwrap();
    }
    assert_eq!(server.disconnected().await, "slow client");
    drop(client);
}

#[tokio::test]
async fn the_queue_is_bounded_in_packets_too() {
    let config = Config { queue: 16, ..Config::default() };
    let mut server = Running::start(config).await;
    let (client, _) = Polling::connect(server.address, "").await;
    let conn = server.connected().await;
    let count = fill(&conn, &number(1));
    assert!((15..=16).contains(&count), "{count}");
    assert_eq!(client.messages(count).await.len(), count);
    assert_eq!(conn.behind(), 0);
    conn.send(&number(2)).unwrap();
}

#[tokio::test]
async fn a_close_flushes_what_was_queued() {
    let mut server = Running::start(Config::default()).await;
    let (client, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    for n in 0..1000 {
        conn.send(&number(n)).unwrap();
    }
    std::thread::spawn(move || {
        conn.close("asked");
        conn.close("again");
        assert_eq!(conn.send(&number(0)), Err(SendError::Closed));
    })
    .join()
    .unwrap();
    let mut expected: Vec<String> = (0..1000).map(|n| format!("42[\"n\",{n}]")).collect();
    expected.push("41".to_owned());
    assert_eq!(client.rest().await, expected);
    assert_eq!(server.disconnected().await, "asked");

    let (client, _) = Polling::connect(server.address, "").await;
    let conn = server.connected().await;
    for n in 0..1000 {
        conn.send(&number(n)).unwrap();
    }
    conn.close("asked");
    assert_eq!(client.messages(1001).await, expected);
    assert_eq!(server.disconnected().await, "asked");
    assert_eq!(client.poll().await.0, 400);
}

#[tokio::test]
async fn a_close_from_within_an_event_ends_the_events() {
    let mut server = Running::start(Config::default()).await;
    let (client, _) = Polling::connect(server.address, "").await;
    server.connected().await;
    let body = "421[\"close\"]\u{1e}42[\"late\"]";
    assert_eq!(client.post(body).await.0, 200);
    assert_eq!(server.event().await.0, "close");
    let messages = client.messages(2).await;
    assert!(messages[0].starts_with("431["));
    assert_eq!(messages[1], "41");
    assert_eq!(server.disconnected().await, "asked");
    assert!(server.told_nothing_more());
}

#[tokio::test]
async fn a_server_that_closes_flushes_and_waits() {
    let mut server = Running::start(Config::default()).await;
    let (socket, _) = WebSocket::connect(server.address, "").await;
    let on_socket = server.connected().await;
    let (polling, _) = Polling::connect(server.address, "").await;
    let on_polling = server.connected().await;
    on_socket.send(&number(1)).unwrap();
    on_polling.send(&number(1)).unwrap();
    let closing = tokio::spawn({
        let server = server.server.clone();
        async move { server.close().await }
    });
    // No DISCONNECT, which would keep stock clients from reconnecting.
    assert_eq!(socket.rest().await, ["42[\"n\",1]"]);
    assert_eq!(polling.messages(1).await, ["42[\"n\",1]"]);
    soon(closing).await.unwrap();
    assert_eq!(server.server.connections(), 0);
    assert_eq!(server.disconnected().await, "server shutting down");
    assert_eq!(server.disconnected().await, "server shutting down");
    let path = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(http(server.address, "GET", path, "").await.0, 503);
}

#[tokio::test]
async fn what_is_no_engine_io_4_gets_the_reference_errors() {
    let server = Running::start(Config::default()).await;
    for (method, query, code) in [
        ("GET", "EIO=3&transport=polling", "\"5\""),
        ("GET", "EIO=3&transport=websocket", "\"5\""),
        ("GET", "transport=polling", "\"5\""),
        ("GET", "EIO=4&transport=smoke", "\"0\""),
        ("GET", "EIO=4", "\"0\""),
        ("GET", "EIO=4&transport=polling&sid=nobody", "\"1\""),
        ("POST", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", "\"1\""),
        ("POST", "EIO=4&transport=polling", "\"2\""),
        ("POST", "EIO=4&transport=websocket", "\"2\""),
        ("GET", "EIO=4&transport=websocket", "\"3\""),
    ] {
        let path = format!("/socket.io/?{query}");
        let (status, body) = http(server.address, method, &path, "").await;
        assert_eq!(status, 400, "{query}: {body}");
        assert!(body.contains(code), "{query}: {body}");
    }
    assert_eq!(http(server.address, "GET", "/elsewhere", "").await.0, 404);
    assert_eq!(http(server.address, "GET", "/socket.io?EIO=4&transport=polling", "").await.0, 200);
}

#[tokio::test]
async fn a_transport_needs_a_place_and_gives_it_back() {
    let server = Running::start(Config::default()).await;
    let places = &server.recorder.places;
    let all = places.available_permits();
    places.forget_permits(all - 2);
    let socket = WebSocket::open(server.address).await;
    let polling = Polling::open(server.address).await;
    let open = "/socket.io/?EIO=4&transport=polling";
    assert_eq!(http(server.address, "GET", open, "").await.0, 429);
    let websocket = connect_async(format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address)).await;
    assert!(matches!(websocket, Err(Error::Http(answer)) if answer.status() == 429));
    // What is there already goes on: a session may poll and upgrade.
    assert_eq!(polling.poll().await.0, 200);
    let mut upgrade = WebSocket::bare(server.address, &format!("&sid={}", polling.sid)).await;
    upgrade.send("2probe").await;
    assert_eq!(upgrade.text().await.unwrap(), "3probe");
    drop((socket, upgrade));
    server.empty().await;
    assert_eq!(places.available_permits(), 2);
    // A request that opens nothing keeps none.
    assert_eq!(http(server.address, "GET", "/socket.io/?EIO=3&transport=polling", "").await.0, 400);
    assert_eq!(places.available_permits(), 2);
}

#[tokio::test]
async fn a_handshake_of_another_version_is_told_the_right_one_and_a_key_is_16_bytes() {
    let server = Running::start(Config::default()).await;
    let (upgrade, connection, version) = ("upgrade: websocket", "connection: Upgrade", "sec-websocket-version: 13");
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let answer = handshake(server.address, &[upgrade, connection, version, key]).await;
    // The example of RFC 6455, section 1.3.
    assert!(answer.starts_with("http/1.1 101 ") && answer.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
    for wrong in [
        &["sec-websocket-version: 8"][..],
        &["sec-websocket-version: 8, 13"],
        &["sec-websocket-version: 13", "sec-websocket-version: 8"],
        &[],
    ] {
        let headers = [&[upgrade, connection, key][..], wrong].concat();
        let answer = handshake(server.address, &headers).await;
        assert!(answer.starts_with("http/1.1 426 "), "{wrong:?}: {answer}");
        assert!(answer.contains("\r\nsec-websocket-version: 13\r\n") && answer.contains("\r\nupgrade: websocket"), "{wrong:?}: {answer}");
    }
    let keys = [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub24=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "YQ==",
        "dGhlIHNhbXBsZSBub25jZSEhIQ==",
        "dGhlIHNhbXBsZSBub25j_Q==",
        "dGhlIHNhbXBsZSBub25j Q==",
        "hello",
    ];
    for wrong in keys {
        let answer = handshake(server.address, &[upgrade, connection, version, &format!("sec-websocket-key: {wrong}")]).await;
        assert!(answer.starts_with("http/1.1 400 "), "{wrong:?}: {answer}");
    }
    let twice = handshake(server.address, &[upgrade, connection, version, key, key]).await;
    assert!(twice.starts_with("http/1.1 400 "), "{twice}");
    server.empty().await;
}

#[tokio::test]
async fn a_session_has_one_upgrade_and_one_post_at_a_time() {
    let mut server = Running::start(Config::default()).await;
    let (client, _) = Polling::connect(server.address, "").await;
    server.connected().await;
    let _upgrade = WebSocket::bare(server.address, &format!("&sid={}", client.sid)).await;
    let again = connect_async(format!("ws://{}/socket.io/?EIO=4&transport=websocket&sid={}", server.address, client.sid)).await;
    assert!(matches!(again, Err(Error::Http(answer)) if answer.status() == 400));

    let (client, _) = Polling::connect(server.address, "").await;
    let conn = server.connected().await;
    let slow = client.begin_post(1_000).await;
    // It is being taken once nothing else can be posted.
    let overlaps = soon(async {
        loop {
            match client.post("42[\"x\"]").await {
                (200, _) => {}
                refused => return refused,
            }
        }
    })
    .await;
    assert_eq!(overlaps.0, 400, "{overlaps:?}");
    soon(conn.over()).await;
    soon(async { while server.disconnected_or_event().await.is_none() {} }).await;
    // The slow one is not waited for either.
    assert!(soon(slow).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn what_is_posted_to_nobody_is_not_read() {
    let server = Running::start(Config::default()).await;
    let (mut nobody, _) = Polling::connect(server.address, "").await;
    nobody.sid = "AAAAAAAAAAAAAAAA".to_owned();
    assert!(soon(nobody.begin_post(1_000).await).await.contains("Session ID unknown"));
}

#[tokio::test]
async fn the_head_of_a_request_is_not_kept() {
    let mut server = Running::start(Config::default()).await;
    let (_socket, _) = WebSocket::connect(server.address, "").await;
    let (_polling, _) = Polling::connect(server.address, "").await;
    for _ in 0..2 {
        let conn = server.connected().await;
        assert!(conn.req_parts().headers.is_empty() && !conn.req_parts().uri.to_string().contains("socket.io"));
        assert!(conn.peer().is_some());
    }
}

#[tokio::test]
async fn a_hang_up_flushes_and_looks_like_a_broken_line() {
    let mut server = Running::start(Config::default()).await;
    let (mut socket, _) = WebSocket::connect(server.address, "").await;
    let conn = server.connected().await;
    for n in 0..1000 {
        conn.send(&number(n)).unwrap();
    }
    conn.hang_up("asked");
    let expected: Vec<String> = (0..1000).map(|n| format!("42[\"n\",{n}]")).collect();
    let mut seen = Vec::new();
    while let Some(text) = socket.text().await {
        seen.push(text);
    }
    seen.retain(|text| text != "2");
    assert_eq!(seen, expected, "neither a DISCONNECT nor Engine.IO's CLOSE");
    assert_eq!(server.disconnected().await, "asked");

    let (polling, _) = Polling::connect(server.address, "").await;
    let conn = server.connected().await;
    conn.send(&number(1)).unwrap();
    conn.hang_up("asked");
    let mut seen = Vec::new();
    let end = loop {
        match polling.poll().await {
            (200, body) => seen.extend(body.split('\u{1e}').map(str::to_owned)),
            end => break end,
        }
    };
    assert_eq!((seen, end.0), (vec!["42[\"n\",1]".to_owned()], 400), "{}", end.1);
    assert_eq!(server.disconnected().await, "asked");
    server.empty().await;
}
