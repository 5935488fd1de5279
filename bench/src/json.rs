//! A field of a JSON text, without parsing it: receivers read thousands of events a second.

/// The JSON string that follows this, where it holds nothing escaped (ids, cursors and what this program wrote itself do not).
pub fn text_after<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let start = memchr::memmem::find(json.as_bytes(), key.as_bytes())? + key.len();
    let rest = json.get(start..)?;
    rest.get(..memchr::memchr(b'"', rest.as_bytes())?)
}

/// The whole number that follows this.
pub fn number_after(json: &str, key: &str) -> Option<u64> {
    let start = memchr::memmem::find(json.as_bytes(), key.as_bytes())? + key.len();
    let digits = json.get(start..)?;
    digits.get(..digits.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(digits.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_an_event() {
        let event = r#"["new message",{"id":"m","seq":17,"body":"abc","cursor":"1.2"}]"#;
        assert_eq!(text_after(event, "\"body\":\""), Some("abc"));
        assert_eq!(text_after(event, "\"nonce\":\""), None);
        assert_eq!(number_after(event, "\"seq\":"), Some(17));
        assert_eq!(number_after(event, "\"id\":"), None);
    }
}
