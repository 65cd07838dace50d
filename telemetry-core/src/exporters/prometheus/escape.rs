//! Texts on a page: whatever a program writes comes in, and what goes out ends no value, no field and no line.
//!
//! Source: Prometheus, "Text-based format"; OpenMetrics 1.0.0, "ABNF".

/// The value of a label, between its quotes.
#[inline]
pub(super) fn put_value(out: &mut Vec<u8>, text: &[u8]) {
    put(out, text, |byte| SPECIAL[usize::from(byte)]);
}

/// Whether it stands between quotes as it is.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    !text.iter().any(|byte| SPECIAL[usize::from(*byte)])
}

/// Which bytes are escaped in values.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    special[b'\\' as usize] = true;
    special[b'"' as usize] = true;
    special[b'\n' as usize] = true;
    special
};

/// A description, which reaches to the end of its line. Only OpenMetrics escapes quotes there.
pub(super) fn put_help(out: &mut Vec<u8>, text: &str, has_quotes: bool) {
    put(out, text.as_bytes(), |byte| matches!(byte, b'\\' | b'\n') || byte == b'"' && has_quotes);
}

/// A name that stands in quotes.
pub(super) fn put_quoted(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    put_value(out, name.as_bytes());
    out.push(b'"');
}

fn put(out: &mut Vec<u8>, mut rest: &[u8], is_special: impl Fn(u8) -> bool) {
    while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_ends_a_value_and_all_is_read_back(text in "[a\"\\\\\n\r]{0,12}|\\PC{0,12}") {
            let mut out = Vec::new();
            put_quoted(&mut out, &text);
            let written = String::from_utf8(out).unwrap();
            let (mut read, mut chars) = (String::new(), written.chars().skip(1));
            loop {
                match chars.next().unwrap() {
                    '"' => break,
                    '\\' => read.push(match chars.next().unwrap() { 'n' => '\n', c => c }),
                    c => read.push(c),
                }
            }
            prop_assert_eq!((chars.next(), &read), (None, &text));
            prop_assert!(!written.contains('\n'));
            let mut out = Vec::new();
            put_help(&mut out, &text, false);
            prop_assert!(!out.contains(&b'\n'));
        }
    }
}
