use super::*;

fn sources(environment: &[(&str, &str)]) -> Sources {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { config: Some(file("")), environment, flags: vec![] }
}

/// A settings file that lives as long as the test process.
fn file(text: &str) -> std::path::PathBuf {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file.keep().unwrap().1
}

fn refused(environment: &[(&str, &str)]) -> String {
    load(&sources(environment)).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_fine() {
    let settings = load(&sources(&[])).unwrap();
    assert_eq!(settings.network.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.services.database.to_string(), "sqlite:guild.db");
    assert_eq!(settings.auth.mode, users::Mode::Password);
    assert_eq!(settings.log.format, Format::Text);
    assert_eq!(settings.limits.frame_bytes, 131_072);
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let mut from = sources(&[]);
    let message_chars = |from: &Sources| {
        let layered = layer(from).unwrap();
        let given = &layered["limits.message_chars"];
        (given.value.to_string(), given.origin.to_string())
    };
    assert_eq!(message_chars(&from), ("8000".into(), "default".into()));
    let path = file("# mine\n[limits]\nmessage_chars = 1\n");
    from.config = Some(path.clone());
    assert_eq!(message_chars(&from), ("1".into(), format!("{} line 3", path.display())));
    from.environment.push(("GUILD_LIMITS_MESSAGE_CHARS".into(), "2".into()));
    assert_eq!(message_chars(&from), ("2".into(), "environment GUILD_LIMITS_MESSAGE_CHARS".into()));
    from.flags.push(("limits.message_chars".into(), "3".into()));
    assert_eq!(message_chars(&from), ("3".into(), "flag --limits-message-chars".into()));
}

#[test]
fn a_wrong_value_that_nothing_uses_is_no_problem() {
    let mut from = sources(&[("GUILD_LIMITS_FRAME_BYTES", "7")]);
    from.config = Some(file("limits.frame_bytes = \"many\""));
    assert_eq!(load(&from).unwrap().limits.frame_bytes, 7);
}

#[test]
fn each_wrong_setting_says_its_name_value_origin_and_what_is_allowed() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("GUILD_LISTEN", "localhost", &["listen = \"localhost\" (environment GUILD_LISTEN)", "127.0.0.1:8080"]),
        ("GUILD_RUN", "users,messages", &["run = [\"users\", \"messages\"]", "set nats.url"]),
        ("GUILD_RUN", "users,messages,chat,mail", &["mail", "users, messages, chat"]),
        ("GUILD_RUN", "", &["nothing would run", "users, messages, chat"]),
        ("GUILD_LOG", "loud", &["log = \"loud\"", "trace"]),
        ("GUILD_LOG", "messages=loud", &["log = ", "allowed"]),
        ("GUILD_LOG", "", &["log = \"\""]),
        ("GUILD_LOG_FORMAT", "xml", &["log_format", "text or json"]),
        ("GUILD_DATABASE_URL", "mysql://me:hush@db/chat", &["database.url = \"mysql://***@db/chat\"", "sqlite:guild.db"]),
        ("GUILD_NATS_URL", "nats://here", &["database.url = \"sqlite:guild.db\"", "postgres://"]),
        ("GUILD_NATS_URL", "http://me:hush@here", &["nats.url = \"http://***@here\"", "nats://host:4222"]),
        ("GUILD_ALLOWED_ORIGINS", "app.example", &["allowed_origins = [\"app.example\"]", "https://app.example"]),
        ("GUILD_TRUSTED_PROXIES", "nginx", &["trusted_proxies = [\"nginx\"]", "10.0.0.0/8"]),
        ("GUILD_AUTH_MODE", "ldap", &["auth.mode = \"ldap\"", "password, open, jwt or password,jwt"]),
        (
            "GUILD_AUTH_MODE",
            "jwt",
            &["auth.mode = \"jwt\"", "auth.jwt.secret", "auth.jwt.public_key", "auth.jwt.jwks", "auth.jwt.jwks_url"],
        ),
        ("GUILD_AUTH_REGISTRATION", "yes", &["auth.registration", "open or closed"]),
        ("GUILD_AUTH_OPEN_TO_NETWORK", "maybe", &["auth.open_to_network = \"maybe\"", "true or false"]),
        ("GUILD_AUTH_TOKEN_DAYS", "0", &["auth.token_days = 0", "from 1 to 3650"]),
        ("GUILD_AUTH_JWT_JWKS_URL", "keys.json", &["auth.jwt.jwks_url = \"keys.json\"", "https://host.example/path"]),
        ("GUILD_AUTH_JWT_JWKS_URL", "https://me:hush@host.example/", &["auth.jwt.jwks_url = \"https://***@host.example/\"", "password"]),
        ("GUILD_AUTH_JWT_JWKS_ALLOW", "lan", &["auth.jwt.jwks_allow = [\"lan\"]", "10.0.0.0/8"]),
        ("GUILD_AUTH_JWT_JWKS_INSECURE", "maybe", &["auth.jwt.jwks_insecure", "true or false"]),
        ("GUILD_AUTH_JWT_LEEWAY_SECONDS", "601", &["auth.jwt.leeway_seconds = 601", "from 0 to 600"]),
        ("GUILD_BUS_ENCODE", "2", &["bus.encode = \"2\"", "true or false"]),
        ("GUILD_LIMITS_FRAME_BYTES", "128K", &["limits.frame_bytes = \"128K\" (environment GUILD_LIMITS_FRAME_BYTES)", "whole number"]),
        ("GUILD_LIMITS_SENDS_PER_SECOND", "-1", &["limits.sends_per_second = \"-1\"", "whole number"]),
        ("GUILD_LIMITS_PRESENCE_SECONDS", "99999", &["limits.presence_seconds = 99999", "from 0 to 3600"]),
    ];
    for (variable, value, expected) in cases {
        let error = refused(&[(variable, value)]);
        for part in *expected {
            assert!(error.contains(part), "{variable}={value} should say {part:?}: {error}");
        }
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let error = refused(&[("GUILD_LISTEN", "here"), ("GUILD_LIMITS_FRAME_BYTES", "99999999999"), ("GUILD_AUTH_MODE", "none")]);
    assert_eq!(error.lines().count(), 3, "{error}");
    let error = refused(&[("GUILD_LISTN", "x"), ("GUILD_BUS_ENCODE", "x")]);
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn an_unknown_name_stops_the_start_and_a_likely_one_is_offered() {
    let error = refused(&[("GUILD_DATABSE_URL", "sqlite:x.db"), ("PATH", "/bin")]);
    assert_eq!(error, "GUILD_DATABSE_URL (environment): there is no such setting; did you mean GUILD_DATABASE_URL?");
    assert!(refused(&[("GUILD_ZZZ", "")]).contains("guild.default.toml"));

    let mut from = sources(&[]);
    from.config = Some(file("[limits]\nmessage_chrs = 5\n[smtp]\nhost = \"x\"\n"));
    let error = load(&from).unwrap_err().to_string();
    assert!(
        error.contains("limits.message_chrs") && error.contains("line 2") && error.contains("did you mean limits.message_chars?"),
        "{error}"
    );
    assert!(error.contains("smtp (") && error.contains("line 3"), "{error}");
}

#[test]
fn a_file_that_cannot_be_used_is_told() {
    let mut from = sources(&[]);
    from.config = Some("/no/such/guild.toml".into());
    assert!(load(&from).unwrap_err().to_string().starts_with("/no/such/guild.toml: the settings file cannot be read"));
    from.config = Some(file("listen = \"127.0.0.1:1\"\nrun = [\n"));
    let error = load(&from).unwrap_err().to_string();
    assert!(error.contains("line 2") || error.contains("line 3"), "{error}");
    for (text, expected) in [
        ("limits = 5", "limits ("),
        ("listen = 8080", "listen = \"8080\""),
        ("[listen]\nport = 1", "listen = "),
        ("limits.frame_bytes = -1", "limits.frame_bytes = \"-1\""),
        ("run = [1]", "run = \"[1]\""),
    ] {
        from.config = Some(file(text));
        let error = load(&from).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_file_can_be_written_in_every_way_that_toml_has() {
    let mut from = sources(&[]);
    from.config =
        Some(file("auth.mode = 'open'\nlimits = { sends_burst = 0, rooms_per_minute = 1_000 }\nallowed_origins = 'https://a.example'\n"));
    let settings = load(&from).unwrap();
    assert_eq!(settings.auth.mode, users::Mode::Open);
    assert_eq!(settings.limits.rooms_per_minute, 1_000);
    assert_eq!(settings.limits.sends_per_second, 0, "a burst of 0 is no limit");
    assert_eq!(settings.network.allowed_origins, edge::AllowedOrigins::try_from(vec!["https://a.example".to_owned()]).unwrap());
}

#[test]
fn lists_in_the_environment_are_separated_by_commas() {
    let settings =
        load(&sources(&[("GUILD_RUN", " chat, users,messages"), ("GUILD_ALLOWED_ORIGINS", "https://a.example, https://b.example")]));
    let expected = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
    assert_eq!(settings.unwrap().network.allowed_origins, edge::AllowedOrigins::try_from(expected).unwrap());
}

#[test]
fn services_apart_need_nats_and_one_postgres() {
    let (nats, postgres) = (("GUILD_NATS_URL", "nats://a,tls://me:hush@b"), ("GUILD_DATABASE_URL", "postgres://me:hush@db/chat"));
    assert!(!load(&sources(&[postgres])).unwrap().services.database.to_string().contains("hush"));
    for run in ["users", "messages", "users,messages", "chat,users", "users,messages,chat"] {
        let settings = load(&sources(&[nats, postgres, ("GUILD_RUN", run)])).unwrap();
        assert_eq!(settings.services.run.to_string().split(", ").count(), run.split(',').count());
        let found = settings.services.nats.unwrap();
        assert_eq!(found.name, format!("guild {}", settings.services.run));
        assert!(!format!("{found:?}").contains("hush"));
        assert!(refused(&[nats, ("GUILD_RUN", run)]).contains("SQLite serves one process only"), "{run}");
    }
    assert!(load(&sources(&[nats, ("GUILD_RUN", "chat")])).is_ok(), "chat alone keeps nothing");
    assert!(refused(&[postgres, ("GUILD_RUN", "chat")]).contains("set nats.url"));
}

#[test]
fn what_nats_is_told_goes_together() {
    let base = [("GUILD_NATS_URL", "nats://a"), ("GUILD_RUN", "chat")];
    let with = |more: &[(&'static str, &'static str)]| refused(&[&base[..], more].concat());
    assert!(with(&[("GUILD_NATS_USER", "me"), ("GUILD_NATS_TOKEN", "hush")]).contains("only one of"));
    let error = with(&[("GUILD_NATS_PASSWORD", "hush")]);
    assert!(error.contains("nats.user") && !error.contains("hush"), "{error}");
    let error = with(&[("GUILD_NATS_TLS_CA", "/no/such.pem")]);
    assert!(error.contains("nats.tls_ca = \"/no/such.pem\"") && error.contains("cannot be read"), "{error}");
    assert!(with(&[("GUILD_NATS_TLS_KEY", "/no/such.pem")]).contains("it needs nats.tls_cert"));
    assert!(with(&[("GUILD_BUS_ENCODE", "true")]).contains("bus.encode"));
    assert!(load(&sources(&[("GUILD_NATS_TOKEN", "hush")])).is_ok(), "what nothing needs is no problem");
}

#[test]
fn open_mode_stays_on_this_machine_unless_told_otherwise() {
    let open = ("GUILD_AUTH_MODE", "open");
    assert!(load(&sources(&[open])).is_ok());
    assert!(load(&sources(&[open, ("GUILD_LISTEN", "[::1]:0")])).is_ok());
    for address in ["0.0.0.0:0", "192.168.0.7:80", "[::]:80"] {
        assert!(refused(&[open, ("GUILD_LISTEN", address)]).contains("auth.open_to_network"), "{address}");
        assert!(load(&sources(&[open, ("GUILD_LISTEN", address), ("GUILD_AUTH_OPEN_TO_NETWORK", "true")])).is_ok(), "{address}");
    }
}

#[test]
fn jwt_needs_a_key_that_can_be_read() {
    let jwt = ("GUILD_AUTH_MODE", "jwt");
    let secret = ("GUILD_AUTH_JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let settings = load(&sources(&[jwt, secret])).unwrap();
    assert!(!format!("{settings:?}").contains("0123456789abcdef"));
    assert!(refused(&[jwt, ("GUILD_AUTH_JWT_PUBLIC_KEY", "/no/such/key.pem")]).contains("/no/such/key.pem"));
    assert!(load(&sources(&[secret])).is_ok(), "a key that nothing needs is no problem");
}
