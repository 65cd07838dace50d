//! Names and tags as each dialect takes them: what they can't hold has something else in its place, so that nothing begins another
//! line, field or tag.

use super::form::Dialect;
use crate::exporters::lines::{byte_set, put_while};
use crate::exporters::words::free_key;

/// What stands in place of what a name can't hold.
const OTHER: u8 = b'_';

/// What stays as it is in a name of Datadog's, in a path, in a part of one, in a value and in a key.
static IN_NAME: [bool; 256] = byte_set!(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'_');
static IN_PATH: [bool; 256] = byte_set!(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'_' | b'-');
static IN_PART: [bool; 256] = byte_set!(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-');
static IN_VALUE: [bool; 256] = byte_set!(b'!'..=b'+' | b'-'..=b'{' | b'}' | b'~');

/// A name. False where nothing of it is left.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str, dialect: Dialect, is_first: bool) -> bool {
    let start = out.len();
    match dialect {
        Dialect::Plain | Dialect::Graphite => put_path(out, name, true),
        Dialect::Datadog => {
            // The backend leaves out what stands before the first letter; and `_sc` would be no metric.
            let name =
                if is_first { name.trim_start_matches(|c: char| !c.is_ascii_alphabetic()) } else { name };
            put(out, name, &IN_NAME, |_| OTHER);
        }
    }
    out.len() > start
}

/// What stands before the value of a tag. `is_taken` says whether another tag of the point, one with a value, has that key.
pub(super) fn put_key(
    out: &mut Vec<u8>,
    key: &str,
    value: &str,
    dialect: Dialect,
    is_taken: impl Fn(&str) -> bool,
) {
    match dialect {
        Dialect::Datadog => {
            out.extend_from_slice(if out.is_empty() { b"|#" } else { b"," });
            // It has no character that means something here: keys of tags are letters, digits and `. - _ /`.
            out.extend_from_slice(key.as_bytes());
            if !value.is_empty() {
                out.push(b':');
            }
        }
        // In the others there is none without a value.
        _ if value.is_empty() => {}
        // Both are parts of the name.
        Dialect::Plain => {
            out.push(b'.');
            put_path(out, key, false);
            out.push(b'.');
        }
        Dialect::Graphite => {
            out.push(b';');
            if key == "name" {
                // Graphite puts the path there.
                put_path(out, &free_key("exported_", key, is_taken), true);
            } else {
                put_path(out, key, true);
            }
            out.push(b'=');
        }
    }
}

/// The value of a tag.
pub(super) fn put_value(out: &mut Vec<u8>, value: &str, dialect: Dialect) {
    match dialect {
        Dialect::Datadog => put_unicode(out, value),
        Dialect::Plain => put_path(out, value, false),
        Dialect::Graphite => put_path(out, value, true),
    }
}

/// What Etsy's server leaves as it is; it would take out what is `_` here, and two names might become one more often.
fn put_path(out: &mut Vec<u8>, text: &str, has_dots: bool) {
    put(
        out,
        text,
        if has_dots { &IN_PATH } else { &IN_PART },
        |byte| if byte == b'/' { b'-' } else { OTHER },
    );
}

/// One byte for each character: itself, or another one.
fn put(out: &mut Vec<u8>, text: &str, plain: &[bool; 256], other: impl Fn(u8) -> u8) {
    let rest = put_while(out, text, plain);
    // The second and later bytes of a character.
    let is_first = |byte: &u8| *byte & 0xc0 != 0x80;
    let of = |byte: u8| if plain[usize::from(byte)] { byte } else { other(byte) };
    out.extend(rest.bytes().filter(is_first).map(of));
}

fn put_unicode(out: &mut Vec<u8>, text: &str) {
    let mut utf8 = [0; 4];
    for c in put_while(out, text, &IN_VALUE).chars() {
        let is_wrong = c.is_control() || c.is_whitespace() || matches!(c, ',' | '|');
        let c = if is_wrong { char::from(OTHER) } else { c };
        out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag behind others.
    fn tag(dialect: Dialect, others: &str, key: &str, value: &str) -> String {
        let mut out = others.as_bytes().to_vec();
        put_key(&mut out, key, value, dialect, |_| false);
        put_value(&mut out, value, dialect);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_hold_what_their_dialect_can() {
        for (name, plain, datadog) in [
            ("http.server.duration", "http.server.duration", "http.server.duration"),
            ("a:1|c\nb:2|g", "a_1_c_b_2_g", "a_1_c_b_2_g"),
            ("prix.café", "prix.caf_", "prix.caf_"),
            ("a/b-c d;e=f", "a-b-c_d_e_f", "a_b_c_d_e_f"),
            ("_sc.x", "_sc.x", "sc.x"),
            ("_e{1,1}:x", "_e_1_1__x", "e_1_1__x"),
            ("9 lives", "9_lives", "lives"),
            ("日本", "__", ""),
        ] {
            for (dialect, text) in
                [(Dialect::Plain, plain), (Dialect::Graphite, plain), (Dialect::Datadog, datadog)]
            {
                let mut out = Vec::new();
                assert_eq!(put_name(&mut out, name, dialect, true), !text.is_empty());
                assert_eq!(String::from_utf8(out).unwrap(), text, "{dialect:?}");
            }
        }
    }

    #[test]
    fn tags_hold_what_their_dialect_can() {
        for (key, value, plain, graphite, datadog) in [
            ("env", "prod", ".env.prod", ";env=prod", "|#env:prod"),
            ("http.route", "/a/{id}", ".http_route.-a-_id_", ";http.route=-a-_id_", "|#http.route:/a/{id}"),
            ("k", "a,b:c|d\ne", ".k.a_b_c_d_e", ";k=a_b_c_d_e", "|#k:a_b:c_d_e"),
            ("k", "~;=", ".k.___", ";k=___", "|#k:~;="),
            ("k", "", "", "", "|#k"),
            ("name", "x", ".name.x", ";exported_name=x", "|#name:x"),
            ("k", "日\u{2028}本", ".k.___", ";k=___", "|#k:日_本"),
        ] {
            for (dialect, text) in
                [(Dialect::Plain, plain), (Dialect::Graphite, graphite), (Dialect::Datadog, datadog)]
            {
                assert_eq!(tag(dialect, "", key, value), text, "{dialect:?}");
            }
        }
        assert_eq!(tag(Dialect::Datadog, "|#x", "a", "b"), "|#x,a:b");
        let mut out = Vec::new();
        put_key(&mut out, "name", "x", Dialect::Graphite, |key| key == "exported_name");
        assert_eq!(out, b";exported_exported_name=");
    }
}
