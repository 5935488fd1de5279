//! A key set at an address of the identity provider: `auth.jwt.jwks_url`. It is fetched at the start, when it has become old, and when a
//! token names a key that is not in it; and it need not be there: the keys of before stay.

use super::keys::{self, Key};
use bytes::Bytes;
use edge::fetch::{Fetch, FetchRules, FetchUrl, Fetched, Fetcher};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long one fetch may take.
const WITHIN: Duration = Duration::from_secs(5);

/// How long a set is good for that does not say it.
const USUAL: Duration = Duration::from_secs(3_600);
/// The least and the most that is believed of what it says: a set is neither fetched all the time nor kept when its keys are long gone.
const LEAST: Duration = Duration::from_secs(300);
const MOST: Duration = Duration::from_secs(86_400);

/// How long is waited after a first failure; twice as long after each further one, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The key set and what is known of it.
pub(super) struct Remote {
    url: FetchUrl,
    fetcher: Fetcher,
    /// Held during a fetch, so that all concurrent callers share it.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// What is in force.
    text: Option<Bytes>,
    /// When the last fetch began.
    tried: Option<Instant>,
    /// When the next one is due.
    due: Instant,
    /// Fetches that failed since the last that did not.
    failures: u32,
}

impl Remote {
    pub(super) fn new(url: FetchUrl, rules: FetchRules) -> Self {
        let state = State { text: None, tried: None, due: Instant::now(), failures: 0 };
        Self { url, fetcher: Fetcher::new(rules), turn: tokio::sync::Mutex::new(()), state: Mutex::new(state) }
    }

    /// When the next fetch is due.
    pub(super) fn due(&self) -> Instant {
        self.state().due
    }

    /// Whether the set as it is now is not known: there was none yet, or the last fetch failed.
    pub(super) fn is_unknown(&self) -> bool {
        let state = self.state();
        state.text.is_none() || state.failures > 0
    }

    /// Fetches the set, unless a fetch began less than `at_most_every` ago. `then` gets its keys if they have changed. A caller that comes while a
    /// fetch runs waits for that one. The fetch goes on even if all callers hang up, so that none can prevent it.
    pub(super) async fn refresh(self: &Arc<Self>, at_most_every: Duration, then: impl FnOnce(Vec<Key>) + Send + 'static) {
        if self.is_recent(at_most_every) && self.turn.try_lock().is_ok() {
            return;
        }
        let this = Arc::clone(self);
        let fetched = tokio::spawn(async move {
            let _turn = this.turn.lock().await;
            if this.is_recent(at_most_every) {
                return;
            }
            this.state().tried = Some(Instant::now());
            match this.fetch().await {
                Ok((text, good_for)) => this.succeeded(text, good_for, then),
                Err(why) => this.failed(&why),
            }
        });
        if let Err(error) = fetched.await {
            tracing::error!(%error, "fetching auth.jwt.jwks_url went wrong");
        }
    }

    fn is_recent(&self, at_most_every: Duration) -> bool {
        self.state().tried.is_some_and(|tried| tried.elapsed() < at_most_every)
    }

    async fn fetch(&self) -> Result<(Bytes, Duration), String> {
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        let fetch = Fetch { url: &self.url, method: Method::GET, headers, body: Bytes::new(), within: WITHIN };
        let Fetched { status, headers, body, whole } = self.fetcher.fetch(fetch).await.map_err(|error| error.to_string())?;
        if status.is_redirection() {
            return Err(format!("it answered {status}, and redirects are not followed: set the address that it leads to"));
        }
        if status != StatusCode::OK {
            return Err(format!("it answered {status}"));
        }
        if !whole {
            return Err(format!("its answer is longer than {} KiB", edge::fetch::MOST_BYTES / 1_024));
        }
        Ok((body, good_for(&headers)))
    }

    fn succeeded(&self, text: Bytes, good_for: Duration, then: impl FnOnce(Vec<Key>)) {
        if self.state().text.as_ref() == Some(&text) {
            return self.is_good(text, good_for);
        }
        let parsed = std::str::from_utf8(&text).map_err(|_| "it is no JWKS: it is not UTF-8".to_owned());
        match parsed.and_then(|text| keys::jwks(text, "auth.jwt.jwks_url")) {
            Ok(keys) => {
                tracing::info!(url = %self.url, keys = keys.len(), seconds = good_for.as_secs(), "auth.jwt.jwks_url: new keys are in force");
                then(keys);
                self.is_good(text, good_for);
            }
            Err(why) => self.failed(&why),
        }
    }

    fn is_good(&self, text: Bytes, good_for: Duration) {
        let mut state = self.state();
        if state.failures > 0 {
            tracing::info!(url = %self.url, "auth.jwt.jwks_url can be fetched again");
        }
        *state = State { text: Some(text), tried: state.tried, due: Instant::now() + good_for, failures: 0 };
        metrics::counter!("guild_jwks_fetches_total", "outcome" => "fetched").increment(1);
    }

    fn failed(&self, why: &str) {
        let mut state = self.state();
        let wait = FIRST_WAIT.saturating_mul(1 << state.failures.min(16)).min(LONGEST_WAIT);
        state.failures += 1;
        state.due = Instant::now() + wait;
        let meanwhile = if state.text.is_some() { "the keys of before stay in force" } else { "tokens that need it are answered busy" };
        drop(state);
        metrics::counter!("guild_jwks_fetches_total", "outcome" => "failed").increment(1);
        tracing::warn!(url = %self.url, why, again_in_seconds = wait.as_secs(), "auth.jwt.jwks_url cannot be fetched; {meanwhile}");
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long this answer may be kept (RFC 9111: `max-age` less `age`), within our bounds.
fn good_for(headers: &HeaderMap) -> Duration {
    let control = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> = control.flat_map(|value| value.split(',')).map(|one| one.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|one| one == "no-store" || one == "no-cache") {
        return LEAST;
    }
    let seconds = |text: &str| text.trim_matches('"').parse::<u64>().ok();
    let Some(most) = directives.iter().find_map(|one| seconds(one.strip_prefix("max-age=")?)) else { return USUAL };
    let age = headers.get(header::AGE).and_then(|age| seconds(age.to_str().ok()?.trim())).unwrap_or(0);
    Duration::from_secs(most.saturating_sub(age)).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_set_says_of_its_age_is_believed_within_bounds() {
        let of = |values: &[(header::HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                headers.append(name, value.parse().unwrap());
            }
            good_for(&headers).as_secs()
        };
        let control = header::CACHE_CONTROL;
        assert_eq!(of(&[]), 3_600);
        assert_eq!(of(&[(control.clone(), "public, max-age=19880, must-revalidate, no-transform")]), 19_880);
        assert_eq!(of(&[(control.clone(), "public"), (control.clone(), "Max-Age=\"900\"")]), 900);
        assert_eq!(of(&[(control.clone(), "max-age=900"), (header::AGE, "500")]), 400);
        for little in ["max-age=0", "no-store", "max-age=900, no-cache", "max-age=299"] {
            assert_eq!(of(&[(control.clone(), little)]), 300, "{little}");
        }
        assert_eq!(of(&[(control.clone(), "max-age=99999999999")]), 86_400);
        assert_eq!(of(&[(control, "max-age=soon")]), 3_600);
    }
}
