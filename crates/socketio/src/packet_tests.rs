//! The packets, friendly and hostile.

use serde_json::json;

use super::*;

fn body(text: &str) -> Body {
    let packet = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(packet.namespace, "/", "{text}");
    packet.body
}

fn refused(text: &str) -> &'static str {
    match parse(text) {
        Err(Malformed(why)) => why,
        Ok(packet) => panic!("{:.80} was read as {packet:?}", text),
    }
}

fn read_event(text: &str) -> (String, Vec<String>, Option<u64>, Option<usize>) {
    match body(text) {
        Body::Event { name, args, ack, attachments } => {
            let args = args.iter().map(|arg| arg.get().to_owned()).collect();
            (name, args, ack, attachments)
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn connect_takes_an_object_or_nothing() {
    for (text, expected) in [
        ("0", json!({})),
        ("0{}", json!({})),
        ("0/,", json!({})),
        ("0/", json!({})),
        (r#"0{"token":"x","n":[1]}"#, json!({"token":"x","n":[1]})),
        (r#"0/,{"token":"x"}"#, json!({"token":"x"})),
    ] {
        match body(text) {
            Body::Connect { auth } => assert_eq!(auth, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["0null", "0[]", "0\"x\"", "0{", "0{}x", "0true"] {
        assert_eq!(refused(text), "a CONNECT whose auth is no object", "{text}");
    }
    // A bare number is an acknowledgement id to the reference parser, and means nothing here.
    assert!(matches!(body("012"), Body::Connect { .. }));
}

#[test]
fn other_namespaces_are_named() {
    let packet = parse(r#"0/admin,{"token":"x"}"#).unwrap();
    assert_eq!(packet.namespace, "/admin");
    assert_eq!(parse("1/admin,").unwrap().namespace, "/admin");
    assert_eq!(parse("1/admin").unwrap().namespace, "/admin");
    assert_eq!(parse(r#"2/a,7["x"]"#).unwrap().namespace, "/a");
    assert_eq!(parse("0/?a=b,").unwrap().namespace, "/?a=b");
    let long = format!("0/{},", "x".repeat(MAX_NAMESPACE));
    assert_eq!(refused(&long), "an impossible namespace");
    assert_eq!(refused("0/a\u{1e}b,"), "an impossible namespace");
}

#[test]
fn events_keep_their_arguments_as_they_were_written() {
    assert_eq!(
        read_event(r#"2["create room", {"a" : 1.0e3},null]"#),
        ("create room".to_owned(), vec![r#"{"a" : 1.0e3}"#.to_owned(), "null".to_owned()], None, None)
    );
    assert_eq!(read_event(r#"217["x"]"#), ("x".into(), vec![], Some(17), None));
    assert_eq!(read_event(r#"2/,0["x"]"#), ("x".into(), vec![], Some(0), None));
    assert_eq!(read_event(r#"2["\u0041\ud83d\ude00"]"#).0, "A\u{1f600}");
}

#[test]
fn events_without_a_proper_name_are_malformed() {
    for text in ["2", "2{}", "2null", "2\"x\"", "2[", "2[\"x\"", "2[\"x\",]", "2[\"x\"]]", "2-1[\"x\"]"] {
        assert_eq!(refused(text), "a payload that is no JSON array", "{text}");
    }
    assert_eq!(refused("2[]"), "an event without a name");
    for text in ["2[1]", "2[null]", "2[{}]", "2[[\"x\"]]", "2[\"\\ud800\"]"] {
        assert_eq!(refused(text), "an event whose name is no text", "{text}");
    }
    for name in RESERVED {
        assert_eq!(refused(&format!("2[\"{name}\"]")), "an event with a reserved name");
    }
}

#[test]
fn binary_events_tell_their_attachments() {
    let (name, args, ack, attachments) = read_event(r#"51-3["x",{"_placeholder":true,"num":0}]"#);
    assert_eq!((name.as_str(), args.len(), ack, attachments), ("x", 1, Some(3), Some(1)));
    assert_eq!(read_event(r#"50-["x"]"#).3, Some(0));
    assert_eq!(parse(r#"52-/a,["x"]"#).unwrap().namespace, "/a");
    assert_eq!(refused(r#"5["x"]"#), "no number of attachments");
    assert_eq!(refused(r#"5-["x"]"#), "no number of attachments");
    assert_eq!(refused(r#"51["x"]"#), "no dash after the number of attachments");
    assert_eq!(refused("51"), "no dash after the number of attachments");
    assert_eq!(refused(r#"511-["x"]"#), "too many attachments");
    let huge = format!("5{}-[\"x\"]", "9".repeat(1000));
    assert_eq!(refused(&huge), "no number of attachments");
}

#[test]
fn acknowledgements_are_read_and_forgotten() {
    assert!(matches!(body("37[]"), Body::Ack { attachments: 0 }));
    assert!(matches!(body("3[1]"), Body::Ack { attachments: 0 }));
    assert!(matches!(body("62-7[]"), Body::Ack { attachments: 2 }));
    assert_eq!(refused("37"), "a payload that is no JSON array");
    assert_eq!(refused("6[]"), "no number of attachments");
}

#[test]
fn disconnect_and_connect_error() {
    assert!(matches!(body("1"), Body::Disconnect));
    assert!(matches!(body("1/,"), Body::Disconnect));
    assert!(matches!(body("4{\"message\":\"x\"}"), Body::ConnectError));
    assert_eq!(refused("1[]"), "a DISCONNECT with a payload");
}

#[test]
fn nonsense_is_malformed() {
    assert_eq!(refused(""), "no packet type");
    assert_eq!(refused("é"), "no packet type");
    assert_eq!(refused("\u{1f600}[]"), "no packet type");
    assert_eq!(refused("7"), "an unknown packet type");
    assert_eq!(refused("[]"), "an unknown packet type");
    assert_eq!(refused("-"), "an unknown packet type");
}

#[test]
fn ids_beyond_64_bits_are_malformed() {
    assert_eq!(read_event("218446744073709551615[\"x\"]").2, Some(u64::MAX));
    assert_eq!(refused("218446744073709551616[\"x\"]"), "an acknowledgement id beyond 64 bits");
    let huge = format!("2{}[\"x\"]", "9".repeat(100_000));
    assert_eq!(refused(&huge), "an acknowledgement id beyond 64 bits");
}

#[test]
fn depth_costs_no_stack() {
    let depth = 60_000;
    let deep = format!("2[\"x\",{}{}]", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read_event(&deep).1.len(), 1);
    let open = format!("2[\"x\",{}", "[".repeat(depth));
    assert_eq!(refused(&open), "a payload that is no JSON array");
    let auth = format!("0{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(refused(&auth), "a CONNECT whose auth is no object");
}

#[test]
fn arguments_are_bounded() {
    let many = |count| format!("2[\"x\"{}]", ",1".repeat(count));
    assert_eq!(read_event(&many(255)).1.len(), 255);
    assert_eq!(refused(&many(256)), "too many arguments");
    assert_eq!(refused(&many(60_000)), "too many arguments");
}

#[test]
fn every_truncation_is_an_answer() {
    for text in
        [r#"0/admin,{"token":"é"}"#, r#"52-/a,17["né",{"_placeholder":true,"num":0}]"#, r#"2/,3["x",{"a":[1,"é\u0041"]}]"#, "62-/,9[1]"]
    {
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            let _ = parse(&text[..end]);
        }
        for start in (0..text.len()).filter(|&start| text.is_char_boundary(start)) {
            let _ = parse(&text[start..]);
        }
    }
}

#[test]
fn answers_are_written_as_clients_expect() {
    assert_eq!(connect("abc"), r#"0{"sid":"abc"}"#);
    let refusal = connect_error("no \"token\"", &json!({"code":"unauthenticated"}));
    let error: Value = serde_json::from_str(refusal.strip_prefix('4').unwrap()).unwrap();
    assert_eq!(error, json!({"message":"no \"token\"","data":{"code":"unauthenticated"}}));
    assert_eq!(connect_error("no", &Value::Null), r#"4{"message":"no"}"#);
    assert_eq!(invalid_namespace("/a"), r#"4/a,{"message":"Invalid namespace"}"#);
    assert_eq!(ack(7, "{}"), "37[{}]");
}
