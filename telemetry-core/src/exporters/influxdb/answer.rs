//! What a server says of a request that it took without some of its lines.
//!
//! An answer may hold anything: what is not understood says nothing. A text is told as it came; whoever shows it cleans it.
//!
//! Sources: `InfluxDB` 1.8, "`InfluxDB` API reference", "Status codes and responses"; `InfluxDB` OSS 2.7, Cloud (TSM) and 3 Core,
//! "Troubleshoot issues writing data".

use serde_json::Value;

/// Lines of a request that a server dropped, while it took the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// How many: never more than there were.
    pub lines: usize,
    /// Why.
    pub message: String,
}

impl Dropped {
    /// Reads the answer to a request of so many lines. None where it says that nothing was taken, or nothing of it.
    pub fn read(status: u16, body: &[u8], lines: usize) -> Option<Self> {
        // 1.x and 3.x say so with the first one, 2.x with the second.
        if !matches!(status, 400 | 422) {
            return None;
        }
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = ["error", "message"].iter().find_map(|key| body.get(key)?.as_str())?;
        let (dropped, message) = by_line(&body, text).or_else(|| counted(text)).or_else(|| share(text))?;
        Some(Self { lines: dropped.min(lines), message })
    }
}

/// 3.x: `{"error":"partial write of line protocol occurred","data":[{"error_message":"..","line_number":2,..}]}`.
fn by_line(body: &Value, text: &str) -> Option<(usize, String)> {
    let lines = body.get("data")?.as_array().filter(|_| text.starts_with("partial write"))?;
    let first = lines.first()?;
    let why = first.get("error_message").and_then(Value::as_str).unwrap_or(text);
    let number = first.get("line_number").and_then(Value::as_u64);
    let message = number.map_or_else(|| why.to_owned(), |number| format!("line {number}: {why}"));
    Some((lines.len(), message))
}

/// 1.x, and 2.x behind more words: `partial write: WHY dropped=2`. A line that could not be read is one more, and is told in a line
/// of its own.
fn counted(text: &str) -> Option<(usize, String)> {
    let (_, said) = text.split_once("partial write: ")?;
    // Whatever else is in it, the number comes last.
    let (why, dropped) = said.rsplit_once(" dropped=")?;
    let dropped: usize = dropped.trim_end().parse().ok()?;
    let unread = why.lines().filter(|line| line.starts_with("unable to parse ")).count();
    Some((dropped.saturating_add(unread), why.to_owned()))
}

/// Cloud: `partial write error (1 accepted): 2/3 points rejected; WHY`.
fn share(text: &str) -> Option<(usize, String)> {
    let (_, said) = text.split_once("partial write error (")?.1.split_once("): ")?;
    let (dropped, _) = said.split_once(" points rejected")?.0.split_once('/')?;
    Some((dropped.parse().ok()?, said.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(status: u16, body: &str) -> Option<(usize, String)> {
        Dropped::read(status, body.as_bytes(), 5).map(|dropped| (dropped.lines, dropped.message))
    }

    #[test]
    fn what_was_dropped_is_counted() {
        const CONFLICT: &str = r#"field type conflict: input field \"value\" on measurement \"m\" is type integer, already exists as type float"#;
        let conflict = CONFLICT.replace('\\', "");
        for (status, body, lines, message) in [
            // 1.6.
            (400, format!(r#"{{"error":"partial write: {CONFLICT} dropped=2"}}"#), 2, &*conflict),
            (
                400,
                r#"{"error":"partial write: unable to parse 'm value= 2': missing field value\nunable to parse 'q,a= value=4': missing tag value dropped=0"}"#.to_owned(),
                2,
                "unable to parse 'm value= 2': missing field value\nunable to parse 'q,a= value=4': missing tag value",
            ),
            (400, r#"{"error":"partial write: unable to parse 'm,a=partial write:\\ \\ dropped\\=9 value= 2': no dropped=0"}"#.to_owned(), 1, r"unable to parse 'm,a=partial write:\ \ dropped\=9 value= 2': no"),
            (400, r#"{"error":"partial write: points beyond retention policy dropped=900"}"#.to_owned(), 5, "points beyond retention policy"),
            // OSS 2.
            (422, format!(r#"{{"code":"unprocessable entity","message":"failure writing points to database: partial write: {CONFLICT} dropped=1"}}"#), 1, &*conflict),
            // Cloud.
            (
                400,
                r#"{"code":"invalid","message":"partial write error (1 accepted): 2/3 points rejected; first error: at line 3:13: expected tag key"}"#.to_owned(),
                2,
                "2/3 points rejected; first error: at line 3:13: expected tag key",
            ),
            // 3 Core.
            (
                400,
                r#"{"error":"partial write of line protocol occurred","data":[{"original_line":"m a=hi 1","line_number":2,"error_message":"invalid column type"},{"line_number":3}]}"#.to_owned(),
                2,
                "line 2: invalid column type",
            ),
            (400, r#"{"error":"partial write of line protocol occurred","data":[7]}"#.to_owned(), 1, "partial write of line protocol occurred"),
        ] {
            assert_eq!(read(status, &body), Some((lines, message.to_owned())), "{body}");
        }
    }

    #[test]
    fn what_took_nothing_is_no_partial_write() {
        for (status, body) in [
            (400, r#"{"error":"unable to parse 'm value= 2': missing field value"}"#),
            (
                400,
                r#"{"code":"invalid","line":2,"message":"failed to parse line protocol:\nerrors encountered on line(s):\nerror parsing line 2 (1-based): Invalid measurement was provided"}"#,
            ),
            (400, r#"{"error":"parsing failed for write_lp endpoint","data":{"line_number":2}}"#),
            (400, r#"{"error":"partial write of line protocol occurred","data":[]}"#),
            (400, r#"{"error":"partial write: dropped=many"}"#),
            (400, r#"{"error":"partial write error (1 accepted): some points rejected"}"#),
            (400, r#"{"error":{"message":"partial write: x dropped=1"}}"#),
            (400, "partial write: x dropped=1"),
            (400, r#"{"error":"partial write: cut of dropped="#),
            (400, "[]"),
            (400, ""),
            (500, r#"{"error":"partial write: x dropped=1"}"#),
            (404, r#"{"error":"database not found: \"x\""}"#),
        ] {
            assert_eq!(read(status, body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_were_sent(text: String, begins in 0..3_usize, n: u64, lines in 0..9_usize) {
            let texts = [
                format!("partial write: {text} dropped={n}"),
                format!("partial write error (1 accepted): {n}/{n} points rejected; {text}"),
                text,
            ];
            let body = serde_json::json!({"error": texts[begins], "data": vec![1; n as usize % 20]}).to_string();
            for end in [body.len(), body.floor_char_boundary(body.len() / 2)] {
                let dropped = Dropped::read(400, &body.as_bytes()[..end], lines);
                prop_assert!(dropped.is_none_or(|dropped| dropped.lines <= lines));
            }
        }
    }
}
