use super::*;
use contract::Code;
use jsonwebtoken::{EncodingKey, encode};
use serde_json::{Value, json};
use std::path::PathBuf;

pub(super) const NOW: Time = Time(1_800_000_000_500);
const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

fn with_secret() -> Jwt {
    Jwt::new(&JwtSettings { secret: Some(SECRET.into()), ..JwtSettings::default() }).unwrap()
}

fn with_key(name: &str) -> Jwt {
    Jwt::new(&JwtSettings { public_key: Some(file(name)), ..JwtSettings::default() }).unwrap()
}

fn hs256(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

pub(super) fn signed(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::RS256 | Algorithm::RS512 | Algorithm::PS256 => EncodingKey::from_rsa_pem(&read("rsa.private.pem")),
        Algorithm::ES256 => EncodingKey::from_ec_pem(&read("p256.private.pem")),
        _ => EncodingKey::from_ed_pem(&read("ed25519.private.pem")),
    };
    encode(&Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }, claims, &key.unwrap()).unwrap()
}

pub(super) fn claims() -> Value {
    json!({"sub": "alice", "exp": 1_800_000_001})
}

fn bearer(jwt: &Jwt, token: &str) -> Result<Bearer, Refusal> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(jwt.bearer(token, NOW))
}

fn refused(jwt: &Jwt, token: &str) -> String {
    let refusal = bearer(jwt, token).unwrap_err();
    assert_eq!(refusal.code, Code::Unauthenticated);
    refusal.detail
}

#[test]
fn who_it_is_stands_in_sub_and_iss_exactly() {
    let jwt = with_secret();
    let bearer = |claims: Value| bearer(&jwt, &hs256(&claims)).unwrap();
    let alice = bearer(json!({"sub": "Alice", "iss": "https://host/", "exp": 1_800_000_001}));
    assert_eq!(alice.origin, r#"["https://host/","Alice"]"#);
    assert_eq!(alice.username.as_str(), "alice");
    assert_eq!(alice.expires_at, Time(1_800_000_001_000));
    assert_eq!(bearer(claims()).origin, r#"[null,"alice"]"#);
    assert_ne!(bearer(json!({"sub": "ALICE", "exp": 1_800_000_001})).origin, bearer(claims()).origin);
    let named = bearer(json!({"sub": "user|7 \u{0}", "username": "bob", "exp": 1_800_000_001.75}));
    assert_eq!((named.username.as_str(), named.expires_at), ("bob", Time(1_800_000_001_750)));
    assert!(!named.origin.contains('\0'));
}

#[test]
fn a_claim_that_is_wrong_refuses_the_token() {
    let jwt = with_secret();
    for (claims, why) in [
        (json!({"sub": "alice"}), "exp"),
        (json!({"sub": "alice", "exp": "1800000001"}), "exp"),
        (json!({"sub": "alice", "exp": null}), "exp"),
        (json!({"sub": "alice", "exp": 1_800_000_000}), "expired"),
        (json!({"sub": "alice", "exp": -5}), "expired"),
        (json!({"sub": "alice", "exp": 1_800_000_009, "nbf": 1_800_000_061}), "not valid yet"),
        (json!({"sub": "alice", "exp": 1_800_000_009, "iat": 1_800_000_061}), "issued in the future"),
        (json!({"sub": "alice", "exp": 1_800_000_009, "iat": "1800000000"}), "iat"),
        (json!({"sub": "alice", "exp": 1_800_000_001_000_i64}), "exp is in milliseconds"),
        (json!({"sub": "alice", "exp": 100_000_000_000_i64}), "exp is in milliseconds"),
        (json!({"sub": "alice", "exp": 1e300}), "exp is in milliseconds"),
        (json!({"sub": "alice", "exp": 1_800_000_009, "nbf": 1_800_000_000_000_i64}), "nbf is in milliseconds"),
        (json!({"sub": "alice", "exp": 1_800_000_009, "iat": 1_800_000_000_000_i64}), "iat is in milliseconds"),
        (json!({"exp": 1_800_000_001}), "sub"),
        (json!({"sub": "", "exp": 1_800_000_001}), "an empty one"),
        (json!({"sub": 7, "exp": 1_800_000_001}), "sub"),
        (json!({"sub": "auth0|7", "exp": 1_800_000_001}), "no claim username"),
        (json!({"sub": "alice", "username": "a b", "exp": 1_800_000_001}), "claim username"),
        (json!({"sub": "alice", "iss": ["a"], "exp": 1_800_000_001}), "iss"),
        (json!({"sub": "alice", "iss": "x".repeat(2_000), "exp": 1_800_000_001}), "too long"),
    ] {
        let said = refused(&jwt, &hs256(&claims));
        assert!(said.contains(why), "{claims}: {said}");
    }
    assert!(bearer(&jwt, &hs256(&json!({"sub": "alice", "exp": 1_800_000_001, "nbf": 1_800_000_060, "iat": 1_800_000_060}))).is_ok());
    assert!(bearer(&jwt, &hs256(&json!({"sub": "alice", "exp": 99_999_999_999_i64, "aud": "anybody"}))).is_ok());
}

#[test]
fn how_far_clocks_may_be_apart_is_a_setting() {
    let with = |leeway_seconds| Jwt::new(&JwtSettings { secret: Some(SECRET.into()), leeway_seconds, ..JwtSettings::default() }).unwrap();
    for claim in ["nbf", "iat"] {
        let ahead = |seconds: i64| hs256(&json!({"sub": "alice", "exp": 1_800_009_999, claim: 1_800_000_000 + seconds}));
        assert!(bearer(&with(0), &ahead(0)).is_ok() && bearer(&with(0), &ahead(1)).is_err(), "{claim}");
        assert!(bearer(&with(600), &ahead(600)).is_ok() && bearer(&with(600), &ahead(601)).is_err(), "{claim}");
    }
    // A socket is cut at exp, so nothing is taken after it.
    assert!(bearer(&with(600), &hs256(&json!({"sub": "alice", "exp": 1_800_000_000}))).is_err());
}

#[test]
fn audience_and_issuer_are_checked_where_set() {
    let settings =
        JwtSettings { audience: Some("chat".into()), issuer: Some("host".into()), secret: Some(SECRET.into()), ..JwtSettings::default() };
    let jwt = Jwt::new(&settings).unwrap();
    let with = |aud: Value, iss: Value| hs256(&json!({"sub": "alice", "exp": 1_800_000_001, "aud": aud, "iss": iss}));
    assert!(bearer(&jwt, &with(json!("chat"), json!("host"))).is_ok());
    assert!(bearer(&jwt, &with(json!(["shop", "chat"]), json!("host"))).is_ok());
    for (aud, iss, why) in [
        (json!("shop"), json!("host"), "aud"),
        (json!(["shop"]), json!("host"), "aud"),
        (json!(null), json!("host"), "aud"),
        (json!("chat"), json!("Host"), "iss"),
        (json!("chat"), json!(null), "iss"),
    ] {
        assert!(refused(&jwt, &with(aud, iss)).contains(why));
    }
}

#[test]
fn each_kind_of_key_has_one_algorithm() {
    for (key, algorithm) in [("rsa", Algorithm::RS256), ("p256", Algorithm::ES256), ("ed25519", Algorithm::EdDSA)] {
        let jwt = with_key(&format!("{key}.public.pem"));
        assert!(bearer(&jwt, &signed(algorithm, None, &claims())).is_ok(), "{key}");
        for other in [Algorithm::RS256, Algorithm::RS512, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            if other != algorithm {
                refused(&jwt, &signed(other, None, &claims()));
            }
        }
        // The public key taken for a secret, the oldest trick.
        let trick = encode(&Header::default(), &claims(), &EncodingKey::from_secret(&read(&format!("{key}.public.pem")))).unwrap();
        refused(&jwt, &trick);
    }
    let other_hmac = encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    refused(&with_secret(), &other_hmac);
}

#[test]
fn a_token_that_nobody_signed_is_refused() {
    use base64::Engine;
    let base64 = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let jwt = with_secret();
    for none in ["none", "None", "NONE", ""] {
        let header = base64(&json!({"alg": none}).to_string());
        for signature in ["", "AAAA"] {
            refused(&jwt, &format!("{header}.{}.{signature}", base64(&claims().to_string())));
        }
    }
    let good = hs256(&claims());
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let forged = rest.replace(&base64(&claims().to_string()), &base64(&json!({"sub": "root", "exp": 1_800_000_001}).to_string()));
    assert_ne!(forged, rest);
    assert!(refused(&jwt, &format!("{forged}.{signature}")).contains("signature"));
    for broken in ["a.b.c", "..", ".", "", &format!("{rest}.!"), &format!("{good}.x")] {
        refused(&jwt, broken);
    }
    let critical = Header { crit: Some(vec!["exp".into()]), ..Header::default() };
    refused(&jwt, &encode(&critical, &claims(), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap());
}

pub(super) fn jwk(name: &str, algorithm: Algorithm, kid: Option<&str>) -> Value {
    let key = match name {
        "rsa" => EncodingKey::from_rsa_pem(&read("rsa.private.pem")),
        "p256" => EncodingKey::from_ec_pem(&read("p256.private.pem")),
        _ => EncodingKey::from_ed_pem(&read("ed25519.private.pem")),
    };
    let mut jwk = serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&key.unwrap(), algorithm).unwrap()).unwrap();
    jwk["kid"] = json!(kid);
    jwk
}

fn with_jwks(keys: &[Value]) -> Result<Jwt, CannotStart> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, json!({"keys": keys}).to_string()).unwrap();
    Jwt::new(&JwtSettings { jwks: Some(path), ..JwtSettings::default() })
}

#[test]
fn a_jwks_is_searched_by_kid() {
    let mut for_encryption = jwk("rsa", Algorithm::RS256, Some("enc"));
    for_encryption["use"] = json!("enc");
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"});
    let unknown = json!({"kty": "new", "kid": "n"});
    let keys = [
        for_encryption.clone(),
        secret.clone(),
        unknown,
        jwk("rsa", Algorithm::RS256, Some("r")),
        jwk("p256", Algorithm::ES256, Some("p")),
    ];
    let jwt = with_jwks(&keys).unwrap();
    assert!(bearer(&jwt, &signed(Algorithm::RS256, Some("r"), &claims())).is_ok());
    assert!(bearer(&jwt, &signed(Algorithm::ES256, Some("p"), &claims())).is_ok());
    assert!(bearer(&jwt, &signed(Algorithm::ES256, None, &claims())).is_ok(), "without a kid all are tried");
    for (algorithm, kid) in [(Algorithm::RS256, "p"), (Algorithm::RS256, "enc"), (Algorithm::EdDSA, "r")] {
        assert!(refused(&jwt, &signed(algorithm, Some(kid), &claims())).contains("no key"));
    }
    let hmac = encode(&Header { kid: Some("s".into()), ..Header::default() }, &claims(), &EncodingKey::from_secret(b"secret")).unwrap();
    refused(&jwt, &hmac);
    assert!(
        bearer(&with_jwks(&[jwk("ed25519", Algorithm::EdDSA, None)]).unwrap(), &signed(Algorithm::EdDSA, Some("x"), &claims())).is_ok()
    );
    assert!(with_jwks(&[for_encryption, secret]).err().unwrap().0.contains("none of its 2 keys"));
}

#[test]
fn a_key_file_that_is_no_use_is_named_and_explained() {
    let why = |settings: JwtSettings| Jwt::new(&settings).err().unwrap().0;
    let key = |name: &str| JwtSettings { public_key: Some(file(name)), ..JwtSettings::default() };
    let missing = why(key("missing.pem"));
    assert!(missing.contains("auth.jwt.public_key") && missing.contains("missing.pem") && missing.contains("cannot be read"), "{missing}");
    assert!(why(key("rsa.private.pem")).contains("private key"));
    assert!(why(key("p384.public.pem")).contains("P-256"));
    assert!(why(key("README.md")).contains("no public key"));
    assert!(why(JwtSettings { jwks: Some(file("README.md")), ..JwtSettings::default() }).contains("auth.jwt.jwks"));
    assert!(why(JwtSettings { secret: Some(String::new()), ..JwtSettings::default() }).contains("auth.jwt.secret"));
}
