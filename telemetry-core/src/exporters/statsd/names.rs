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

/// A key and a value as two parts of a name. Where there is no value, there is nothing.
pub(super) fn put_in_name(out: &mut Vec<u8>, key: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    for part in [key, value] {
        out.push(b'.');
        put_path(out, part, false);
    }
}

/// A key and a value as Graphite has them, and whether another tag of the point has that key. One without a value can't be there.
pub(super) fn put_graphite_tag(out: &mut Vec<u8>, key: &str, value: &str, is_taken: impl Fn(&str) -> bool) {
    if value.is_empty() {
        return;
    }
    out.push(b';');
    if key == "name" {
        // Graphite puts the path there.
        put_path(out, &free_key("exported_", key, is_taken), true);
    } else {
        put_path(out, key, true);
    }
    out.push(b'=');
    put_path(out, value, true);
}

/// A key and a value as `DogStatsD` has them, behind others or first.
pub(super) fn put_datadog_tag(out: &mut Vec<u8>, key: &str, value: &str, is_first: bool) {
    out.extend_from_slice(if is_first { b"|#" } else { b"," });
    // It has no character that means something here: keys of tags are letters, digits and `. - _ /`.
    out.extend_from_slice(key.as_bytes());
    if !value.is_empty() {
        out.push(b':');
        put_unicode(out, value);
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

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
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
            assert_eq!(written(|out| put_in_name(out, key, value)), plain);
            assert_eq!(written(|out| put_graphite_tag(out, key, value, |_| false)), graphite);
            assert_eq!(written(|out| put_datadog_tag(out, key, value, true)), datadog);
        }
        assert_eq!(written(|out| put_datadog_tag(out, "a", "b", false)), ",a:b");
        let is_taken = |key: &str| key == "exported_name";
        assert_eq!(written(|out| put_graphite_tag(out, "name", "x", is_taken)), ";exported_exported_name=x");
    }
}
