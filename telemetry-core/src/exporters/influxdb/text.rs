//! Texts in a line: whatever is in one, it ends where it should, and all readers read the same.
//!
//! Readers differ in what a backslash makes of the character behind it, and in whether a control character ends a text. So a
//! backslash is only written where all of them take it for one, and no control character is.

use crate::exporters::lines::{byte_set, put_while};

/// What stays as it is in a measurement: all but its ends, backslashes and control characters.
static IN_NAME: [bool; 256] = byte_set!(b'!'..=b'+' | b'-'..=b'[' | b']'..=b'~' | 0x80..);
/// The same in a tag's key or value, or in a field's key.
static IN_KEY: [bool; 256] = byte_set!(b'!'..=b'+' | b'-'..=b'<' | b'>'..=b'[' | b']'..=b'~' | 0x80..);

/// A measurement.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str) {
    // The line would be a comment.
    let name = match name.strip_prefix('#') {
        Some(rest) => {
            out.extend_from_slice(br"\u{23}");
            rest
        }
        None => name,
    };
    put(out, name, &IN_NAME);
}

/// A tag's key or value, or a field's key.
pub(super) fn put_key(out: &mut Vec<u8>, key: &str) {
    put(out, key, &IN_KEY);
}

/// A field's value that is a text, in its quotes.
pub(super) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            byte if byte.is_ascii_control() => {
                out.push(b'\\');
                put_escape(out, byte);
            }
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

fn put(out: &mut Vec<u8>, text: &str, plain: &[bool; 256]) {
    let mut rest = put_while(out, text, plain);
    while let Some(special) = rest.bytes().next() {
        rest = &rest[1..];
        match special {
            b'\\' if makes_an_escape(rest) => out.extend_from_slice(br"\u{5c}"),
            b'\\' => out.push(b'\\'),
            control if control.is_ascii_control() => put_escape(out, control),
            end => out.extend([b'\\', end]),
        }
        rest = put_while(out, rest, plain);
    }
}

/// Whether some reader takes a backslash before that together with it.
fn makes_an_escape(behind: &str) -> bool {
    behind.bytes().next().is_none_or(|next| next.is_ascii_control() || b"\\,= \"".contains(&next))
}

/// As Rust writes a control character.
fn put_escape(out: &mut Vec<u8>, control: u8) {
    out.extend(char::from(control).escape_default().map(|c| c as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        put(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_ends_a_text_is_escaped() {
        for (text, name, key) in [
            ("größe.x/y", "größe.x/y", "größe.x/y"),
            ("a b,c=d", r"a\ b\,c=d", r"a\ b\,c\=d"),
            (" \"a\" ", r#"\ "a"\ "#, r#"\ "a"\ "#),
            ("#a#", r"\u{23}a#", "#a#"),
            ("a\nb\r\t\0\u{1b}\u{7f}", r"a\nb\r\t\u{0}\u{1b}\u{7f}", r"a\nb\r\t\u{0}\u{1b}\u{7f}"),
            (r"a\b", r"a\b", r"a\b"),
            (r"a\", r"a\u{5c}", r"a\u{5c}"),
            (r"\\\a", r"\u{5c}\u{5c}\a", r"\u{5c}\u{5c}\a"),
            (
                "\\,\\=\\ \\\"\\\n",
                r#"\u{5c}\,\u{5c}=\u{5c}\ \u{5c}"\u{5c}\n"#,
                r#"\u{5c}\,\u{5c}\=\u{5c}\ \u{5c}"\u{5c}\n"#,
            ),
        ] {
            assert_eq!((written(put_name, text), written(put_key, text)), (name.to_owned(), key.to_owned()));
        }
    }

    #[test]
    fn strings_end_at_their_quotes() {
        for (text, string) in [
            ("a, b = c", r#""a, b = c""#),
            ("say \"a\\b\"\\", r#""say \"a\\b\"\\""#),
            ("two\nlines\u{2028}", "\"two\\\\nlines\u{2028}\""),
            ("\0", r#""\\u{0}""#),
        ] {
            assert_eq!(written(put_string, text), string);
        }
    }
}
