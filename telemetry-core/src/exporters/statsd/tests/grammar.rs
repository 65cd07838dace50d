//! Reads lines of StatsD as their servers document them, and refuses whatever a strict one may refuse: characters that a name can't
//! hold, numbers that are none, fields twice or in another order than the documentation has them.
//!
//! Source: github.com/statsd/statsd 0.9, `docs/metric_types.md` and `stats.js`; Datadog, "Datagram Format and Shell Usage"; Graphite,
//! "Graphite Tag Support". It needs nothing of what writes them.
#![allow(unreachable_pub, reason = "the fuzz target reads lines with it too")]

/// Keys and values.
pub type Tags = Vec<(String, String)>;

/// What a line says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub name: String,
    pub tags: Tags,
    /// As they are written.
    pub values: Vec<String>,
    pub kind: String,
    /// For how many values each of them stands.
    pub weight: f64,
    pub container: Option<String>,
    pub seconds: Option<u64>,
}

impl Line {
    pub fn numbers(&self) -> Vec<f64> {
        self.values.iter().map(|value| value.parse().expect("it was read")).collect()
    }

    /// How many values there are in all.
    pub fn count(&self) -> f64 {
        self.values.len() as f64 * self.weight
    }
}

/// All lines of a packet, or what is wrong with it. The dialects are `plain`, `graphite` and `datadog`.
pub fn read(packet: &str, dialect: &str) -> Result<Vec<Line>, String> {
    if !packet.is_empty() && !packet.ends_with('\n') {
        return Err("it ends within a line".into());
    }
    packet
        .split_terminator('\n')
        .map(|text| line(text, dialect).map_err(|e| format!("{text:?}: {e}")))
        .collect()
}

fn line(text: &str, dialect: &str) -> Result<Line, String> {
    let is_datadog = dialect == "datadog";
    if is_datadog && (text.starts_with("_e{") || text.starts_with("_sc")) {
        return Err("an event or a service check".into());
    }
    let mut fields = text.split('|');
    let (name, values) = fields.next().and_then(|first| first.split_once(':')).ok_or("no value")?;
    let (name, tags) = if dialect == "graphite" { path(name)? } else { (name, Vec::new()) };
    let is_fit = |b: u8| b.is_ascii_alphanumeric() || b"._".contains(&b) || (!is_datadog && b == b'-');
    if name.is_empty() || !name.bytes().all(is_fit) {
        return Err("no name".into());
    }
    if is_datadog && !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("no letter first".into());
    }
    let kind = fields.next().ok_or("no type")?;
    if !["c", "g", "ms", "h", "d"].contains(&kind) {
        return Err("no type".into());
    }
    let values: Vec<String> = values.split(':').map(str::to_owned).collect();
    if values.len() > 1 && !is_datadog {
        return Err("values in one line".into());
    }
    for value in &values {
        let value = value.strip_prefix('+').filter(|_| kind == "g" && !is_datadog).unwrap_or(value);
        number(value.strip_prefix('-').unwrap_or(value))?;
    }
    let mut line =
        Line { name: name.into(), tags, values, kind: kind.into(), weight: 1.0, ..Line::default() };
    let mut last = 0;
    for field in fields {
        last = put(&mut line, field, is_datadog).filter(|place| *place > last).ok_or("a wrong field")?;
    }
    Ok(line)
}

/// Digits, and perhaps a point between them.
fn number(text: &str) -> Result<f64, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let is_number = are_digits(whole) && are_digits(fraction) && (whole == "0" || !whole.starts_with('0'));
    let number = text.parse().ok().filter(|_| is_number);
    number.ok_or_else(|| format!("`{text}` is no number"))
}

/// A name with Graphite's tags.
fn path(text: &str) -> Result<(&str, Tags), String> {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default();
    let is_fit = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let tag = |part: &str| {
        let (key, value) = part.split_once('=')?;
        (is_fit(key) && is_fit(value) && key != "name").then(|| (key.to_owned(), value.to_owned()))
    };
    let tags: Option<Tags> = parts.map(tag).collect();
    Ok((name, tags.ok_or("no tag of Graphite")?))
}

/// A field behind the type: which place of all it has.
fn put(line: &mut Line, field: &str, is_datadog: bool) -> Option<usize> {
    if let Some(rate) = field.strip_prefix('@') {
        let rate = number(rate).ok().filter(|rate| *rate > 0.0 && *rate < 1.0)?;
        line.weight = 1.0 / rate;
        return Some(1).filter(|_| line.kind != "g");
    }
    if !is_datadog {
        return None;
    }
    if let Some(tags) = field.strip_prefix('#') {
        let tag = |tag: &str| {
            let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
            let is_fit = |part: &str| !part.chars().any(|c| c.is_control() || c.is_whitespace());
            (is_fit(tag) && !key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
        };
        line.tags = tags.split(',').map(tag).collect::<Option<_>>()?;
        return Some(2);
    }
    if let Some(container) = field.strip_prefix("c:") {
        line.container = Some(container.to_owned());
        return Some(3).filter(|_| !container.is_empty());
    }
    line.seconds = Some(field.strip_prefix('T')?.parse().ok().filter(|seconds| *seconds > 0)?);
    Some(4).filter(|_| ["c", "g"].contains(&&*line.kind))
}
