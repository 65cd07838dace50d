//! Carbon's own rules of what a line is, written down once more: a line comes in, what carbon makes of it comes out.
//!
//! Source: carbon 1.1.7, `MetricLineReceiver.lineReceived` and `TaggedSeries`.

use std::collections::BTreeMap;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Of the metric.
    pub name: String,
    /// Each once.
    pub tags: BTreeMap<String, String>,
    /// Finite.
    pub value: f64,
    /// Since the Unix epoch.
    pub second: u64,
}

/// White space of Python, which lines are split by.
pub fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\x1c'..='\x20' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
        | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Reads a line without its end.
pub fn read(line: &str) -> Result<Point, String> {
    let fields: Vec<_> = line.split(is_space).filter(|field| !field.is_empty()).collect();
    let [path, value, second] = fields[..] else { return Err(format!("{} fields", fields.len())) };
    if path.ends_with("\"}") && path.contains('{') {
        return Err("it is OpenMetrics".to_owned());
    }
    let mut segments = path.split(';');
    let name = segments.next().unwrap_or_default();
    if name.is_empty() || name.starts_with('~') {
        return Err("its name is another one then".to_owned());
    }
    let mut tags = BTreeMap::new();
    for segment in segments {
        let (key, value) = segment.split_once('=').ok_or("a tag without a value")?;
        if key.is_empty() || key.contains(['!', '^']) || key == "name" {
            return Err(format!("a tag called {key:?}"));
        }
        if value.is_empty() || value.starts_with('~') {
            return Err(format!("a tag with the value {value:?}"));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("two tags called {key:?}"));
        }
    }
    let value =
        value.parse().ok().filter(|value: &f64| value.is_finite()).ok_or("a value that is no number")?;
    let second = second.parse().map_err(|_| "a time that is no number")?;
    Ok(Point { name: name.to_owned(), tags, value, second })
}
