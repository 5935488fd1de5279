use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server on loopback that answers one connection with these bytes; it tells what it was asked.
async fn once(answer: impl Into<Vec<u8>>) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = answer.into();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut some = [0; 1024];
            match stream.read(&mut some).await.unwrap() {
                0 => break,
                read => asked.extend_from_slice(&some[..read]),
            }
        }
        // Who is told too much hangs up before the end.
        drop(stream.write_all(&answer).await);
        drop(stream.shutdown().await);
        String::from_utf8(asked).unwrap()
    });
    (port, asked)
}

fn on_loopback() -> Fetcher {
    Fetcher::new(FetchRules { allow: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()], insecure: true })
}

async fn get(fetcher: &Fetcher, url: &str, within: Duration) -> Result<Fetched, FetchError> {
    let url = url.parse().unwrap();
    fetcher.fetch(Fetch { url: &url, method: Method::GET, headers: HeaderMap::new(), body: Bytes::new(), within }).await
}

const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let (port, asked) = once("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncache-control: max-age=7\r\n\r\nhello").await;
    let fetched = get(&on_loopback(), &format!("http://127.0.0.1:{port}/keys?a=b"), WITHIN).await.unwrap();
    assert_eq!((fetched.status.as_u16(), &*fetched.body, fetched.whole), (200, &b"hello"[..], true));
    assert_eq!(fetched.headers["cache-control"], "max-age=7");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /keys?a=b HTTP/1.1\r\n") && asked.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{asked}");
    let (port, _) = once("HTTP/1.1 200 OK\r\n\r\nuntil the end").await;
    assert_eq!(&*get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), WITHIN).await.unwrap().body, b"until the end");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, _asked) = once("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (port, _) = once(format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{elsewhere}/\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!(get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), WITHIN).await.unwrap().status, 302);
    assert!(!_asked.is_finished());
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.resize(answer.len() + MOST_BYTES + 1, b'x');
    let (port, _) = once(answer.clone()).await;
    let fetched = get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), WITHIN).await.unwrap();
    assert_eq!((fetched.body.len(), fetched.whole), (MOST_BYTES, false));
    answer.pop();
    let (port, _) = once(answer).await;
    let fetched = get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), WITHIN).await.unwrap();
    assert_eq!((fetched.body.len(), fetched.whole), (MOST_BYTES, true));
}

#[tokio::test]
async fn who_is_slow_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let within = Duration::from_millis(50);
    assert_eq!(get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), within).await.unwrap_err(), FetchError::TooSlow(within));
    drop(listener);
    let gone = get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), WITHIN).await.unwrap_err();
    assert!(matches!(&gone, FetchError::Unreachable(why) if why.contains("cannot be reached")), "{gone}");
    let (port, _) = once("SSH-2.0-x\r\n").await;
    assert!(matches!(get(&on_loopback(), &format!("http://127.0.0.1:{port}/"), WITHIN).await, Err(FetchError::Unreachable(_))));
}

#[tokio::test]
async fn what_is_not_public_is_not_called() {
    let (port, asked) = once("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let strict = Fetcher::new(FetchRules { allow: vec![], insecure: true });
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"] {
        let refused = get(&strict, &format!("http://{host}:{port}/"), WITHIN).await.unwrap_err();
        assert!(matches!(&refused, FetchError::Forbidden(why) if why.contains("no public address")), "{host}: {refused}");
    }
    let insecure = Fetcher::new(FetchRules { insecure: false, ..on_loopback().rules });
    let refused = get(&insecure, &format!("http://127.0.0.1:{port}/"), WITHIN).await.unwrap_err();
    assert!(matches!(&refused, FetchError::Forbidden(why) if why.contains("https")), "{refused}");
    assert!(!asked.is_finished(), "nobody has called");
    assert_eq!(get(&on_loopback(), &format!("http://[::ffff:127.0.0.1]:{port}/"), WITHIN).await.unwrap().status, 200);
}

#[test]
fn one_inner_address_among_several_is_enough_to_refuse() {
    let strict = Fetcher::new(FetchRules::default());
    let url: FetchUrl = "https://host.example/".parse().unwrap();
    let at = |addresses: &[&str]| addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 443)).collect();
    assert_eq!(strict.checked(&url, at(&["1.1.1.1", "2606:4700::1"])).unwrap().len(), 2);
    let refused = strict.checked(&url, at(&["1.1.1.1", "::ffff:10.0.0.1"])).unwrap_err();
    assert!(refused.to_string().contains("::ffff:10.0.0.1"), "{refused}");
    assert!(matches!(strict.checked(&url, at(&[])), Err(FetchError::Unreachable(_))));
}
