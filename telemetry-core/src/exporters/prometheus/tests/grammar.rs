//! Reads pages in text, and refuses whatever a strict reader may refuse: lines that are none, names that are none, series that
//! are there twice, families that are not in one piece or take each other's names, and histograms whose counts fall.
//!
//! It needs nothing of what writes them.
#![allow(unreachable_pub, reason = "the fuzz target reads pages with it too")]

use std::collections::{BTreeMap, BTreeSet};

/// A family as its comments and samples are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub help: String,
    pub unit: String,
    pub samples: Vec<Sample>,
}

/// A line that is no comment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// As it is written.
    pub value: String,
    pub exemplar: Option<Exemplar>,
}

/// What stands behind `#` on the line of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    pub seconds: String,
}

impl Sample {
    pub fn number(&self) -> f64 {
        number(&self.value).expect("it was read")
    }
}

fn number(text: &str) -> Result<f64, String> {
    match text {
        "NaN" => Ok(f64::NAN),
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => {
            text.parse().map_err(|_| format!("`{text}` is no number"))
        }
        _ => Err(format!("`{text}` is no number")),
    }
}

/// All families of a page, or what is wrong with it.
pub fn read(page: &str, is_open_metrics: bool) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    if !page.is_empty() && !page.ends_with('\n') {
        return Err("it ends within a line".into());
    }
    let mut lines = page.split_terminator('\n');
    if is_open_metrics && lines.next_back() != Some("# EOF") {
        return Err("it does not end".into());
    }
    for line in lines {
        let read = if let Some(comment) = line.strip_prefix("# ") {
            read_comment(comment, &mut families, is_open_metrics)
        } else {
            read_sample(line, &mut families, is_open_metrics)
        };
        read.map_err(|why| format!("{why}: {line}"))?;
    }
    check(&families, is_open_metrics)?;
    Ok(families)
}

fn read_comment(comment: &str, families: &mut Vec<Family>, is_open_metrics: bool) -> Result<(), String> {
    let (what, rest) = comment.split_once(' ').ok_or("no comment")?;
    let mut text = Text(rest);
    let name = text.name(false)?;
    let rest = text.0.strip_prefix(' ').ok_or("no blank")?;
    if families.last().is_none_or(|family| family.name != name) {
        if families.iter().any(|family| family.name == name) {
            return Err("the family was there before".into());
        }
        families.push(Family { name, ..Family::default() });
    }
    let family = families.last_mut().expect("there is one");
    if !family.samples.is_empty() {
        return Err("a comment behind samples".into());
    }
    let (at, value) = match what {
        "HELP" => (&mut family.help, unescaped(rest, is_open_metrics)?),
        "TYPE" => (&mut family.kind, rest.to_owned()),
        "UNIT" if is_open_metrics => (&mut family.unit, rest.to_owned()),
        _ => return Err("an unknown comment".into()),
    };
    if !at.is_empty() || value.is_empty() {
        return Err("twice, or nothing".into());
    }
    *at = value;
    Ok(())
}

fn unescaped(text: &str, has_quotes: bool) -> Result<String, String> {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(match chars.next() {
                Some('n') => '\n',
                Some('\\') => '\\',
                Some('"') if has_quotes => '"',
                _ => return Err("no escape".into()),
            }),
            '"' if has_quotes => return Err("a quote that is not escaped".into()),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn read_sample(line: &str, families: &mut [Family], is_open_metrics: bool) -> Result<(), String> {
    let family = families.last_mut().ok_or("no family")?;
    let mut text = Text(line);
    let (name, labels) = if text.0.starts_with('{') {
        let (mut names, labels) = text.labels()?;
        (names.pop().ok_or("no name")?, labels)
    } else {
        let name = text.name(false)?;
        let (names, labels) = if text.0.starts_with('{') { text.labels()? } else { Default::default() };
        if !names.is_empty() {
            return Err("a name among labels".into());
        }
        (name, labels)
    };
    let rest = text.0.strip_prefix(' ').ok_or("no blank")?;
    let (value, exemplar) = rest.split_once(" # ").map_or((rest, None), |(value, rest)| (value, Some(rest)));
    number(value)?;
    let exemplar = exemplar.map(|rest| read_exemplar(rest, &name, is_open_metrics)).transpose()?;
    let suffix = name.strip_prefix(&*family.name).ok_or("a sample of another family")?;
    let suffixes: &[&str] = match (&*family.kind, is_open_metrics) {
        ("counter", true) => &["_total", "_created"],
        ("histogram", true) => &["_bucket", "_sum", "_count", "_created"],
        ("histogram", false) => &["_bucket", "_sum", "_count"],
        ("info", true) => &["_info"],
        ("counter", false) | ("gauge", _) | ("unknown", true) => &[""],
        _ => return Err("an unknown type".into()),
    };
    if !suffixes.contains(&suffix) {
        return Err("no sample of that type".into());
    }
    if labels.values().any(|value| value.contains('\n')) && !line.contains("\\n") {
        return Err("a line end".into());
    }
    family.samples.push(Sample { name, labels, value: value.to_owned(), exemplar });
    Ok(())
}

fn read_exemplar(text: &str, name: &str, is_open_metrics: bool) -> Result<Exemplar, String> {
    if !is_open_metrics || !name.ends_with("_bucket") {
        return Err("an exemplar where there is none".into());
    }
    let mut text = Text(text);
    let (names, labels) = text.labels()?;
    if !names.is_empty()
        || labels.iter().map(|(k, v)| k.chars().count() + v.chars().count()).sum::<usize>() > 128
    {
        return Err("an exemplar that is too long".into());
    }
    let (value, seconds) = text.0.strip_prefix(' ').and_then(|rest| rest.split_once(' ')).ok_or("no time")?;
    number(seconds)?;
    Ok(Exemplar { labels, value: number(value)?, seconds: seconds.to_owned() })
}

/// What is not read yet.
struct Text<'a>(&'a str);

impl Text<'_> {
    /// A name in quotes, or one that needs none.
    fn name(&mut self, is_label: bool) -> Result<String, String> {
        if self.0.starts_with('"') {
            let name = self.quoted()?;
            let is_needed = name.is_empty()
                || name.starts_with(|c: char| c.is_ascii_digit())
                || !name.bytes().all(|byte| is_of_name(byte, is_label));
            return if is_needed { Ok(name) } else { Err(format!("`{name}` needs no quotes")) };
        }
        let end = self.0.bytes().position(|byte| !is_of_name(byte, is_label)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("no name".into());
        }
        self.0 = rest;
        Ok(name.to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let (mut out, mut chars) = (String::new(), self.0.chars());
        chars.next();
        loop {
            match chars.next().ok_or("no end of a text")? {
                '"' => break,
                '\\' => out.push(match chars.next() {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    _ => return Err("no escape".into()),
                }),
                c => out.push(c),
            }
        }
        self.0 = chars.as_str();
        Ok(out)
    }

    /// Names without a value, and labels.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    fn labels(&mut self) -> Result<(Vec<String>, BTreeMap<String, String>), String> {
        let (mut names, mut labels) = (Vec::new(), BTreeMap::new());
        loop {
            // A brace, then commas.
            self.0 = &self.0[1..];
            let is_quoted = self.0.starts_with('"');
            let before = self.0;
            let name = match self.name(true) {
                Err(_) if is_quoted && names.is_empty() && labels.is_empty() => {
                    // The name of a metric may be one that is none of a label.
                    self.0 = before;
                    self.quoted()?
                }
                name => name?,
            };
            if let Some(rest) = self.0.strip_prefix('=') {
                self.0 = rest;
                if !rest.starts_with('"') {
                    return Err("no value".into());
                }
                let value = self.quoted()?;
                if labels.insert(name, value).is_some() {
                    return Err("a label is there twice".into());
                }
            } else if is_quoted && names.is_empty() && labels.is_empty() {
                names.push(name);
            } else {
                return Err("a label without value".into());
            }
            match self.0.bytes().next() {
                Some(b',') => {}
                Some(b'}') => {
                    self.0 = &self.0[1..];
                    return Ok((names, labels));
                }
                _ => return Err("no end of the labels".into()),
            }
        }
    }
}

fn is_of_name(byte: u8, is_label: bool) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':' && !is_label
}

fn check(families: &[Family], is_open_metrics: bool) -> Result<(), String> {
    let (mut names, mut series) = (BTreeSet::new(), BTreeSet::new());
    for family in families {
        let wrong = |why: &str| Err(format!("{why}: {family:?}"));
        if family.samples.is_empty() || family.kind.is_empty() {
            return wrong("no samples, or no type");
        }
        if !family.unit.is_empty() && !family.name.ends_with(&format!("_{}", family.unit)) {
            return wrong("a unit that the name does not have");
        }
        let suffixes: &[&str] = match (&*family.kind, is_open_metrics) {
            ("counter", true) => &["", "_total", "_created"],
            ("histogram", true) => &["", "_bucket", "_sum", "_count", "_created"],
            ("histogram", false) => &["", "_bucket", "_sum", "_count"],
            ("info", _) => &["", "_info"],
            _ => &[""],
        };
        if !suffixes.iter().all(|suffix| names.insert(format!("{}{suffix}", family.name))) {
            return wrong("a name that another family has");
        }
        if !family.samples.iter().all(|sample| series.insert((sample.name.clone(), sample.labels.clone()))) {
            return wrong("a series is there twice");
        }
        if is_open_metrics && family.kind == "counter" {
            let is_total = |sample: &&Sample| sample.name.ends_with("_total");
            if family
                .samples
                .iter()
                .filter(is_total)
                .any(|sample| sample.number() < 0.0 || sample.number().is_nan())
            {
                return wrong("a counter below 0");
            }
        }
        if family.kind == "histogram" {
            check_histogram(family, is_open_metrics)?;
        }
    }
    Ok(())
}

/// The samples of one series of a histogram, one behind the other.
fn check_histogram(family: &Family, is_open_metrics: bool) -> Result<(), String> {
    let without_le = |sample: &Sample| {
        let mut labels = sample.labels.clone();
        if sample.name.ends_with("_bucket") {
            labels.remove("le");
        }
        labels
    };
    let mut seen = BTreeSet::new();
    for of in family.samples.chunk_by(|a, b| without_le(a) == without_le(b)) {
        let wrong = |why: &str| Err(format!("{why}: {of:?}"));
        if !seen.insert(without_le(&of[0])) {
            return wrong("a series in two pieces");
        }
        let suffix = |sample: &Sample| sample.name[family.name.len()..].to_owned();
        let (mut bound, mut count) = (f64::NEG_INFINITY, 0.0);
        for sample in of.iter().filter(|sample| suffix(sample) == "_bucket") {
            let le = number(sample.labels.get("le").ok_or("no bound")?)?;
            if le <= bound || le.is_nan() || sample.number() < count {
                return wrong("bounds or counts fall");
            }
            if let Some(exemplar) = &sample.exemplar
                && !(bound < exemplar.value && exemplar.value <= le)
            {
                return wrong("an exemplar in another bucket");
            }
            (bound, count) = (le, sample.number());
        }
        if bound != f64::INFINITY {
            return wrong("no last bucket");
        }
        let of_suffix = |wanted: &str| of.iter().find(|sample| suffix(sample) == wanted);
        match (of_suffix("_sum"), of_suffix("_count")) {
            (Some(_), Some(all)) if all.number() == count => {}
            (None, None) if is_open_metrics => {}
            _ => return wrong("count and sum"),
        }
    }
    Ok(())
}
