//! With hyper, over a stream within the process. The runtime moves the clock to the next timer when nothing else is left to do.

use super::*;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// Serves one connection; a request for `/slow` is answered after ten minutes, one for `/upgrade` by becoming an echo.
fn serve() -> (DuplexStream, JoinHandle<hyper::Result<()>>) {
    let (client, stream) = tokio::io::duplex(64 * 1024);
    let requests = RequestTracker::default();
    let stream = DeadlineStream::new(stream, requests.clone(), RequestDeadlines::default());
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let guard = requests.begin();
        async move {
            let answer = match request.uri().path() {
                "/slow" => {
                    tokio::time::sleep(SECOND * 600).await;
                    "slowly".into_response()
                }
                "/stream" => Body::from_stream(futures_util::stream::unfold(0, |n| async move {
                    tokio::time::sleep(SECOND * 200).await;
                    (n < 3).then(|| (Ok::<_, Infallible>("piece"), n + 1))
                }))
                .into_response(),
                "/upgrade" => {
                    let upgraded = hyper::upgrade::on(&mut request);
                    tokio::spawn(async move {
                        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
                        tokio::io::copy(&mut read, &mut write).await
                    });
                    (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")]).into_response()
                }
                _ => "at once".into_response(),
            };
            Ok::<_, Infallible>(guard.until_given(answer))
        }
    });
    let connection = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    (client, tokio::spawn(connection.with_upgrades()))
}

/// Reads until these words have come.
async fn until(client: &mut DuplexStream, words: &str) {
    let mut said = String::new();
    while !said.contains(words) {
        let mut bytes = [0; 1024];
        let count = client.read(&mut bytes).await.unwrap();
        assert!(count > 0, "closed after {said:?}");
        said += std::str::from_utf8(&bytes[..count]).unwrap();
    }
}

/// How long the server takes to close the connection from now on.
async fn closed(client: &mut DuplexStream) -> Duration {
    let began = Instant::now();
    assert_eq!(client.read(&mut [0; 1024]).await.unwrap(), 0, "something was said instead");
    began.elapsed()
}

fn is_about(took: Duration, seconds: u32) -> bool {
    (SECOND * seconds..SECOND * (seconds + 1)).contains(&took)
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    let (mut client, _) = serve();
    for _ in 0..3 {
        client.write_all(REQUEST).await.unwrap();
        until(&mut client, "at once").await;
        tokio::time::sleep(SECOND * 129).await;
    }
    client.write_all(REQUEST).await.unwrap();
    until(&mut client, "at once").await;
    let took = closed(&mut client).await;
    assert!(is_about(took, 130), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_has_its_time_from_its_first_byte() {
    let (mut client, _) = serve();
    client.write_all(REQUEST).await.unwrap();
    until(&mut client, "at once").await;
    tokio::time::sleep(SECOND * 120).await;
    let (mut read, mut write) = tokio::io::split(client);
    let began = Instant::now();
    let dripping = tokio::spawn(async move {
        for byte in b"GET / HTTP/1.1\r\nx: ".iter().chain(&[b'a'; 1_000]) {
            if write.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(SECOND).await;
        }
    });
    assert_eq!(read.read(&mut [0; 1024]).await.unwrap(), 0);
    assert!(is_about(began.elapsed(), 30), "{:?}", began.elapsed());
    drop(read);
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_has_a_heads_time() {
    let (mut client, serving) = serve();
    let took = closed(&mut client).await;
    assert!(is_about(took, 30), "{took:?}");
    let _ = serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_longer_than_both() {
    let (mut client, _) = serve();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut client, "slowly").await;
    client.write_all(b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut client, "0\r\n\r\n").await;
    let took = closed(&mut client).await;
    assert!(is_about(took, 130), "idle since the answer's end: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_behind_another_waits_for_its_turn() {
    let (mut client, _) = serve();
    let both = [b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n".as_slice(), REQUEST].concat();
    client.write_all(&both).await.unwrap();
    until(&mut client, "at once").await;
    let took = closed(&mut client).await;
    assert!(is_about(took, 130), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_became_something_else_is_left_alone() {
    let (mut client, _) = serve();
    client.write_all(b"GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await.unwrap();
    until(&mut client, "101 Switching Protocols").await;
    for _ in 0..2 {
        tokio::time::sleep(SECOND * 3_600).await;
        client.write_all(b"still there").await.unwrap();
        until(&mut client, "still there").await;
    }
}
