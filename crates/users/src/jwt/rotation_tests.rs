//! Keys that change while the server runs: in a file, and at an address of a real server on loopback.

use super::tests::{NOW, claims, file, jwk, signed};
use super::*;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use contract::Code;
use edge::fetch::FetchRules;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// Time passes, for what sleeps and compares; what talks over sockets is not disturbed.
async fn later(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn rsa(kid: &str) -> Value {
    jwk("rsa", Algorithm::RS256, Some(kid))
}

fn p256(kid: &str) -> Value {
    jwk("p256", Algorithm::ES256, Some(kid))
}

/// What comes of a token that is signed with the RSA key, or with the other, under this kid.
async fn by_rsa(jwt: &Jwt, kid: &str) -> Result<Bearer, Code> {
    jwt.bearer(&signed(Algorithm::RS256, Some(kid), &claims()), NOW).await.map_err(|refusal| refusal.code)
}

async fn by_p256(jwt: &Jwt, kid: &str) -> Result<Bearer, Code> {
    jwt.bearer(&signed(Algorithm::ES256, Some(kid), &claims()), NOW).await.map_err(|refusal| refusal.code)
}

fn in_a_file(text: &str) -> (TempDir, PathBuf, Jwt) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, text).unwrap();
    let jwt = Jwt::new(&JwtSettings { jwks: Some(path.clone()), ..JwtSettings::default() }).unwrap();
    (folder, path, jwt)
}

#[tokio::test]
async fn a_file_is_read_again_for_a_key_that_is_not_in_it_and_not_too_often() {
    let (_folder, path, jwt) = in_a_file(&set(&[rsa("one")]));
    assert!(by_rsa(&jwt, "one").await.is_ok());
    assert_eq!(by_p256(&jwt, "two").await, Err(Code::Unauthenticated));
    let before = jwt.generation();
    std::fs::write(&path, set(&[p256("two")])).unwrap();
    assert_eq!(by_p256(&jwt, "two").await, Err(Code::Unauthenticated), "it was looked at just now");
    later(FILES_SOONEST).await;
    assert!(by_p256(&jwt, "two").await.is_ok());
    assert_eq!(by_rsa(&jwt, "one").await, Err(Code::Unauthenticated), "a key that was taken out is no key any more");
    assert_ne!(jwt.generation(), before);
}

#[tokio::test]
async fn a_file_that_is_broken_or_gone_leaves_the_keys_of_before() {
    let (_folder, path, jwt) = in_a_file(&set(&[rsa("one")]));
    let before = jwt.generation();
    for broken in ["", "{\"keys\": [", "{\"keys\": []}"] {
        std::fs::write(&path, broken).unwrap();
        jwt.reload().await;
        assert!(by_rsa(&jwt, "one").await.is_ok(), "{broken}");
    }
    std::fs::remove_file(&path).unwrap();
    jwt.reload().await;
    assert!(by_rsa(&jwt, "one").await.is_ok());
    assert_eq!(jwt.generation(), before);
    std::fs::write(&path, set(&[p256("two")])).unwrap();
    jwt.reload().await;
    assert!(by_p256(&jwt, "two").await.is_ok());
}

#[tokio::test]
async fn files_are_looked_at_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::copy(file("rsa.public.pem"), &path).unwrap();
    let jwt = Arc::new(Jwt::new(&JwtSettings { public_key: Some(path.clone()), ..JwtSettings::default() }).unwrap());
    let before = jwt.generation();
    let _watch = Beside::keep_fresh(&jwt);
    tokio::task::yield_now().await;
    std::fs::copy(file("p256.public.pem"), &path).unwrap();
    while jwt.generation() == before {
        later(FILES_EVERY).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(by_p256(&jwt, "any").await.is_ok());
    assert!(by_rsa(&jwt, "any").await.is_err());
}

/// A task that ends with its test.
struct Beside(tokio::task::JoinHandle<()>);

impl Beside {
    fn keep_fresh(jwt: &Arc<Jwt>) -> Self {
        let jwt = Arc::clone(jwt);
        Self(tokio::spawn(async move { jwt.keep_fresh().await }))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A status, headers and a body.
type Answer = (u16, Vec<(&'static str, String)>, String);

/// An identity provider.
#[derive(Clone)]
struct Provider {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    /// An answer needs a permit.
    open: Arc<Semaphore>,
    url: String,
}

impl Provider {
    async fn start(body: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let provider = Self {
            answer: Arc::new(Mutex::new((200, Vec::new(), body))),
            asked: Arc::default(),
            open: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            url,
        };
        let shared = provider.clone();
        let router = axum::Router::new().fallback(move || {
            let shared = shared.clone();
            async move { shared.respond().await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    async fn respond(&self) -> impl IntoResponse + use<> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _permit = self.open.acquire().await.unwrap();
        let (status, headers, body) = self.answer.lock().unwrap().clone();
        let headers = headers.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        (StatusCode::from_u16(status).unwrap(), headers.collect::<HeaderMap>(), body)
    }

    fn answers(&self, status: u16, headers: &[(&'static str, &str)], body: impl Into<String>) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        *self.answer.lock().unwrap() = (status, headers, body.into());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn jwt(&self) -> Jwt {
        let jwks_rules = FetchRules { allow: vec!["127.0.0.1".parse().unwrap()], insecure: true };
        Jwt::new(&JwtSettings { jwks_url: Some(self.url.parse().unwrap()), jwks_rules, ..JwtSettings::default() }).unwrap()
    }
}

#[tokio::test]
async fn an_address_is_asked_for_a_key_that_is_not_known_at_most_once_in_ten_seconds() {
    let provider = Provider::start(set(&[rsa("one")])).await;
    let jwt = provider.jwt();
    assert_eq!(provider.asked(), 0, "a server starts without it");
    assert!(by_rsa(&jwt, "one").await.is_ok());
    provider.answers(200, &[], set(&[p256("two")]));
    assert!(by_rsa(&jwt, "one").await.is_ok());
    assert_eq!(by_p256(&jwt, "two").await, Err(Code::Unauthenticated), "it was asked just now");
    assert_eq!(provider.asked(), 1);
    later(FETCH_SOONEST).await;
    assert!(by_p256(&jwt, "two").await.is_ok(), "the keys were exchanged");
    assert_eq!(by_rsa(&jwt, "one").await, Err(Code::Unauthenticated));
    assert_eq!(provider.asked(), 2);
    let hs256 = jsonwebtoken::encode(&Header::default(), &claims(), &jsonwebtoken::EncodingKey::from_secret(b"x")).unwrap();
    later(FETCH_SOONEST).await;
    assert_eq!(jwt.bearer(&hs256, NOW).await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(provider.asked(), 2, "no set holds secrets, so none is asked for");
}

#[tokio::test]
async fn many_who_want_a_key_share_one_fetch_and_nobody_ends_it() {
    let provider = Provider::start(set(&[rsa("one")])).await;
    let jwt = Arc::new(provider.jwt());
    provider.open.forget_permits(Semaphore::MAX_PERMITS);
    let many: Vec<_> = (0..50)
        .map(|number| {
            let jwt = Arc::clone(&jwt);
            tokio::spawn(async move { by_rsa(&jwt, if number % 2 == 0 { "one" } else { "none" }).await })
        })
        .collect();
    while provider.asked() == 0 {
        tokio::task::yield_now().await;
    }
    // Whoever began it hangs up.
    many[0].abort();
    provider.open.add_permits(1);
    for (number, one) in many.into_iter().enumerate().skip(1) {
        let came = one.await.unwrap();
        assert_eq!(came.is_ok(), number % 2 == 0, "{number}: {came:?}");
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_key_without_a_name_does_not_hide_that_a_token_names_a_new_one() {
    let provider = Provider::start(set(&[p256("two")])).await;
    let another = Some(file("p256.another.public.pem"));
    let jwks_rules = FetchRules { allow: vec!["127.0.0.1".parse().unwrap()], insecure: true };
    let jwks_url = Some(provider.url.parse().unwrap());
    let jwt = Jwt::new(&JwtSettings { public_key: another.clone(), jwks_url, jwks_rules, ..JwtSettings::default() }).unwrap();
    assert!(by_p256(&jwt, "two").await.is_ok(), "the set was fetched, although there is a key that could be tried");
    assert_eq!(provider.asked(), 1);
    let refusal = jwt.bearer(&signed(Algorithm::ES256, Some("three"), &claims()), NOW).await.unwrap_err();
    assert!(refusal.detail.contains("signature"), "what the key that was tried says: {}", refusal.detail);
    let alone = Jwt::new(&JwtSettings { public_key: another, ..JwtSettings::default() }).unwrap();
    assert_eq!(by_p256(&alone, "two").await, Err(Code::Unauthenticated));
}

#[tokio::test]
async fn what_is_no_key_set_leaves_the_keys_of_before_and_what_is_not_known_is_busy() {
    let provider = Provider::start(String::new()).await;
    let jwt = provider.jwt();
    let long = format!("{}{}", set(&[rsa("one"), p256("two")]), " ".repeat(edge::fetch::MOST_BYTES));
    type Told<'a> = (u16, &'a [(&'static str, &'a str)], String);
    let answers: [Told<'_>; 6] = [
        (500, &[], set(&[p256("two")])),
        (302, &[("location", "/elsewhere")], set(&[p256("two")])),
        (204, &[], String::new()),
        (200, &[], "<html>".to_owned()),
        (200, &[], set(&[])),
        (200, &[], long),
    ];
    for (status, headers, body) in &answers {
        provider.answers(*status, headers, body.as_str());
        jwt.reload().await;
        assert_eq!(by_rsa(&jwt, "one").await, Err(Code::Busy), "{status}: nothing is known yet");
    }
    provider.answers(200, &[], set(&[rsa("one")]));
    jwt.reload().await;
    assert!(by_rsa(&jwt, "one").await.is_ok());
    assert_eq!(by_p256(&jwt, "two").await, Err(Code::Unauthenticated));
    let before = jwt.generation();
    for (status, headers, body) in &answers {
        provider.answers(*status, headers, body.as_str());
        jwt.reload().await;
        assert!(by_rsa(&jwt, "one").await.is_ok(), "{status}: the keys of before stay");
        assert_eq!(by_p256(&jwt, "two").await, Err(Code::Busy), "{status}: it may be among those that cannot be fetched");
    }
    provider.answers(200, &[], set(&[rsa("one")]));
    jwt.reload().await;
    assert_eq!(by_p256(&jwt, "two").await, Err(Code::Unauthenticated));
    assert_eq!(jwt.generation(), before, "the same keys are no change");
}

#[tokio::test]
async fn a_provider_that_is_silent_is_left_after_five_seconds() {
    let provider = Provider::start(set(&[rsa("one")])).await;
    provider.open.forget_permits(Semaphore::MAX_PERMITS);
    let jwt = Arc::new(provider.jwt());
    let waiting = Arc::clone(&jwt);
    let waiting = tokio::spawn(async move { by_rsa(&waiting, "one").await });
    while provider.asked() == 0 {
        tokio::task::yield_now().await;
    }
    later(Duration::from_millis(4_900)).await;
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    later(Duration::from_millis(200)).await;
    assert_eq!(waiting.await.unwrap(), Err(Code::Busy));
}

#[tokio::test]
async fn an_old_set_is_fetched_again_by_itself_and_a_failed_fetch_soon() {
    let provider = Provider::start("not yet".to_owned()).await;
    let jwt = Arc::new(provider.jwt());
    let _watch = Beside::keep_fresh(&jwt);
    let asked = async |times: usize, step: Duration| {
        let mut waited = Duration::ZERO;
        while provider.asked() < times {
            later(step).await;
            waited += step;
            // The fetch itself takes its time.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        waited
    };
    let settled = async |unknown: bool| {
        while jwt.remote.as_ref().unwrap().is_unknown() != unknown {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    asked(1, Duration::ZERO).await;
    let second = asked(2, Duration::from_millis(250)).await;
    assert!(second <= Duration::from_secs(3), "{second:?}");
    provider.answers(200, &[("cache-control", "max-age=600")], set(&[rsa("one")]));
    asked(3, Duration::from_millis(250)).await;
    settled(false).await;
    assert!(by_rsa(&jwt, "one").await.is_ok());
    let fourth = asked(4, Duration::from_secs(10)).await;
    assert!((Duration::from_secs(580)..=Duration::from_secs(640)).contains(&fourth), "{fourth:?}");
}

#[tokio::test]
async fn an_inner_address_is_not_asked_unless_it_is_allowed() {
    let provider = Provider::start(set(&[rsa("one")])).await;
    let port = provider.url.rsplit(':').next().unwrap().to_owned();
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let jwks_rules = FetchRules { allow: vec![], insecure: true };
        let url = format!("http://{host}:{port}").parse().unwrap();
        let jwt = Jwt::new(&JwtSettings { jwks_url: Some(url), jwks_rules, ..JwtSettings::default() }).unwrap();
        assert_eq!(by_rsa(&jwt, "one").await, Err(Code::Busy), "{host}");
    }
    assert_eq!(provider.asked(), 0);
}
