//! What a server answers to `/api/put?details`, and what it writes back over telnet: what of a request it refused, and why.
//!
//! An answer may hold anything. What is unknown is passed over.
//!
//! Source: OpenTSDB 2.4, "/api/put", "Response"; Apptuit's client 2.4.2.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::exporters::Delivery;
use crate::text;

/// `{"success": 2, "failed": 1, "errors": [{"datapoint": {..}, "error": ".."}]}`; without details no list.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    failed: u64,
    #[serde(default)]
    success: Value,
    #[serde(default)]
    errors: Value,
}

/// What tells a data point from others.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    metric: String,
    time: u64,
    tags: BTreeMap<String, String>,
}

impl Answer {
    /// None where it is something else.
    pub(super) fn read(answer: &[u8]) -> Option<Self> {
        serde_json::from_slice(answer).ok()
    }

    /// What of the items of a body was refused; a text of the server goes through `said`. An item counts once, however many of its
    /// points were refused.
    pub(super) fn delivery(&self, body: &[u8], said: impl Fn(&str) -> String) -> Delivery {
        if self.failed == 0 {
            return Delivery::all();
        }
        let errors = self.errors.as_array().map_or(&[][..], Vec::as_slice);
        let mut items = if errors.is_empty() { HashMap::new() } else { items(body) };
        let (mut refused, mut unknown) = (HashSet::new(), 0);
        for error in errors {
            // Of points that nothing tells apart, each error is of another one.
            match Key::of(&error["datapoint"]).and_then(|key| items.get_mut(&key)?.pop()) {
                Some(item) => drop(refused.insert(item)),
                None => unknown += 1,
            }
        }
        let unnamed = self.failed.saturating_sub(errors.len() as u64);
        let unnamed = usize::try_from(unnamed).unwrap_or(usize::MAX);
        let rejected = unnamed.saturating_add(refused.len() + unknown);
        Delivery::partial(rejected, self.reason(errors, said))
    }

    fn reason(&self, errors: &[Value], said: impl Fn(&str) -> String) -> String {
        let failed = self.failed;
        let of = self.success.as_u64().and_then(|success| success.checked_add(failed));
        let many = match of {
            Some(all) => format!("{failed} of {all} data points were refused"),
            None => format!("{failed} data points were refused"),
        };
        let first =
            errors.iter().find_map(|of| Some((of["error"].as_str()?, of["datapoint"]["metric"].as_str())));
        match first {
            Some((error, Some(metric))) => {
                format!("{many}, the first of them, of {}: {}", said(metric), said(error))
            }
            Some((error, None)) => format!("{many}, the first of them: {}", said(error)),
            None => many,
        }
    }
}

impl Key {
    fn of(point: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let time = &point["timestamp"];
        Some(Self {
            metric: point["metric"].as_str()?.to_owned(),
            time: time.as_u64().or_else(|| time.as_str()?.parse().ok())?,
            tags: point["tags"].as_object()?.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        })
    }
}

/// The points of a body, and which items they are of, the first of them last: in a body, a line ends between two points of one item.
fn items(body: &[u8]) -> HashMap<Key, Vec<usize>> {
    let (mut items, mut item) = (HashMap::<_, Vec<_>>::new(), 0);
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_prefix(b"[").unwrap_or(line);
        let line = line.strip_suffix(b"]").or_else(|| line.strip_suffix(b",")).unwrap_or(line);
        let points: Vec<Value> = serde_json::from_slice(&[b"[", line, b"]"].concat()).unwrap_or_default();
        for (at, point) in points.iter().enumerate() {
            item += usize::from(at > 0);
            Key::of(point).into_iter().for_each(|key| items.entry(key).or_default().push(item));
        }
    }
    items.values_mut().for_each(|items| items.reverse());
    items
}

/// Whether a server refused a request for its size in another way than by 413: OpenTSDB calls one of more than 8 KiB chunked, where
/// nobody has set `tsd.http.request.enable_chunked`.
pub(super) fn is_too_large(answer: &[u8]) -> bool {
    const WORDS: &[u8] = b"Chunked request not supported";
    answer.windows(WORDS.len()).any(|words| words == WORDS)
}

/// What the lines say that a server wrote back, of which there were so many more: of each of them, it refused a point.
pub(super) fn heard(lines: &[String], more: u64) -> Delivery {
    let Some(first) = lines.first() else { return Delivery::all() };
    let many = lines.len().saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
    let first = text::line(format_args!("{first}"), MOST);
    let reason = match many {
        1 => format!("the server said: {first}"),
        _ => format!("the server said {many} times no, at first: {first}"),
    };
    Delivery::partial(many, reason)
}

/// So much of a line is told.
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BODY: &str = r#"[{"metric":"a","timestamp":7,"value":1,"tags":{"host":"x"}},{"metric":"h.count","timestamp":7,"value":1,"tags":{"host":"x"}},
{"metric":"h.sum","timestamp":7,"value":0.5,"tags":{"host":"x"}},{"metric":"a","timestamp":8,"value":1,"tags":{"host":"x","le":"1,\n2"}}]"#;

    fn point(metric: &str, time: impl Into<Value>, tags: &Value) -> Value {
        json!({"metric": metric, "timestamp": time.into(), "value": "1", "tags": tags})
    }

    fn told(answer: &Value) -> Option<(usize, String)> {
        let answer = Answer::read(answer.to_string().as_bytes())?;
        let delivery = answer.delivery(BODY.as_bytes(), |text| format!("<{text}>"));
        Some((delivery.rejected(), delivery.reason().to_owned()))
    }

    #[test]
    fn an_item_counts_once_however_many_of_its_points_were_refused() {
        let error = |point| json!({"datapoint": point, "error": "no"});
        let host = json!({"host": "x"});
        let one = error(point("a", 8, &json!({"le": "1,\n2", "host": "x"})));
        let (count, sum) = (error(point("h.count", 7, &host)), error(point("h.sum", "7", &host)));
        let answer = json!({"success": 1, "failed": 3, "errors": [one, count, sum], "timeouts": 0});
        let reason = "3 of 4 data points were refused, the first of them, of <a>: <no>";
        assert_eq!(told(&answer), Some((2, reason.to_owned())));
        assert_eq!(told(&json!({"success": 2, "failed": 1, "errors": [count]})).unwrap().0, 1);
    }

    #[test]
    fn points_that_nothing_tells_apart_are_counted_each() {
        let twice = format!("[{0},{0}]", r#"{"metric":"a","timestamp":7,"value":1,"tags":{"host":"x"}}"#);
        let error = json!({"datapoint": point("a", 7, &json!({"host": "x"})), "error": "no"});
        for (errors, rejected) in [(1, 1), (2, 2), (3, 3)] {
            let answer = json!({"success": 0, "failed": errors, "errors": vec![error.clone(); errors]});
            let answer = Answer::read(answer.to_string().as_bytes()).unwrap();
            assert_eq!(answer.delivery(twice.as_bytes(), str::to_owned).rejected(), rejected);
        }
    }

    #[test]
    fn what_nobody_knows_counts_for_itself() {
        let strange = [json!(null), json!("a"), json!({"metric": "a"}), point("b", 7, &json!({}))];
        let errors: Vec<_> = strange.iter().map(|of| json!({"datapoint": of, "error": 5})).collect();
        let told_of = |answer: Value| told(&answer).unwrap();
        let (rejected, reason) = told_of(json!({"success": 0, "failed": 6, "errors": errors}));
        assert_eq!((rejected, &*reason), (6, "6 of 6 data points were refused"));
        let (rejected, reason) = told_of(json!({"failed": 2, "errors": [{"error": "full"}]}));
        assert_eq!((rejected, &*reason), (2, "2 data points were refused, the first of them: <full>"));
        assert_eq!(told_of(json!({"success": -1, "failed": 2})).0, 2);
        assert_eq!(told_of(json!({"success": 3, "failed": 0, "errors": []})), (0, String::new()));
        assert!(told_of(json!({"failed": u64::MAX, "success": u64::MAX, "errors": [7]})).0 >= 3);
    }

    #[test]
    fn what_is_no_such_answer_is_none() {
        for text in [
            "",
            "OK",
            "[]",
            "{}",
            "{\"error\":{\"code\":400,\"message\":\"no\"}}",
            "{\"failed\":-1}",
            "\u{0}",
        ] {
            assert!(Answer::read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(is_too_large(br#"{"error":{"code":400,"message":"Chunked request not supported."}}"#));
        assert!(!is_too_large(b"") && !is_too_large(b"Chunked"));
    }

    #[test]
    fn each_line_is_a_point_that_was_refused() {
        let of = |lines: &[&str], more| {
            let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
            let delivery = heard(&lines, more);
            (delivery.rejected(), delivery.reason().to_owned())
        };
        assert_eq!(of(&[], 0), (0, String::new()));
        assert_eq!(of(&["put: no\u{1b}[2J"], 0), (1, "the server said: put: no\\u{1b}[2J".to_owned()));
        let (rejected, reason) = of(&[&"x".repeat(1000), "put: b"], 7);
        assert_eq!((rejected, reason.ends_with("xxx ..")), (9, true));
        assert!(reason.len() < 300 && reason.starts_with("the server said 9 times no, at first: xxx"));
        assert!(of(&["a"], u64::MAX).0 > 1 << 60);
    }
}
