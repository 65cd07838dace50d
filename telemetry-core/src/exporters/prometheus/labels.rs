//! The labels of a series: tags and what all series have in common come in, and what goes out is what stands between the
//! braces, or as many messages `LabelPair`. How that is done is found out once for all series with the same keys, and of the
//! series themselves nothing is kept.
//!
//! Two keys that become one name share it: their values are joined with `;`, in the order of the keys. Names that Prometheus
//! needs for itself are taken by none.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Metric Attributes".

use super::Translation;
use super::escape::{is_plain, put_quoted, put_value};
use super::form::{Dialect, Escaping};
use super::line::{Head, Line, is_same};
use super::names::{is_legacy, put_label};

use crate::exporters::wire::{bytes, put_bytes, put_message};

/// Of a metric in protobuf.
const LABEL: u8 = bytes(1);
/// Of a label.
const NAME: u8 = bytes(1);
const VALUE: u8 = bytes(2);

/// With more plans than that all are made anew: a program may make up keys without end.
const MOST_PLANS: usize = 1024;

/// Writes labels for one form.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) translation: Translation,
    pub(super) escaping: Escaping,
    pub(super) dialect: Dialect,
    /// On each series, in this order.
    common: Vec<Common>,
    plans: Vec<Plan>,
}

/// A label that each series has.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) key: String,
    pub(super) value: String,
    /// A tag of a series wins over it; otherwise both values stand there.
    pub(super) gives_way: bool,
    name: String,
}

/// How labels of these keys are written.
#[derive(Debug)]
struct Plan {
    keys: Vec<Key>,
    is_histogram: bool,
    /// Of all labels, sorted.
    names: Vec<String>,
    /// Those that have values of tags, where they are not simply the tags.
    labels: Vec<Planned>,
    /// What stands behind them: of text the last quote, and what all series have.
    behind: Vec<u8>,
    /// Each tag is a label, in the same order.
    is_plain: bool,
    /// One of the labels has several values.
    is_joined: bool,
    /// The same as `behind`, where all that stands before and behind values is short.
    end: Option<Head>,
}

/// A tag.
#[derive(Debug)]
struct Key {
    text: String,
    /// What stands before its value, where it is a label.
    before: Vec<u8>,
    /// All of it, where it is short: of protobuf the message too.
    head: Option<Head>,
}

/// One label.
#[derive(Debug)]
struct Planned {
    /// What stands before its value: of protobuf its name, of text the quote of the label before too.
    before: Vec<u8>,
    values: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// Of the tag that so many others come before.
    Tag(usize),
    /// Of the label in that place of those that all series have.
    Common(usize),
}

/// Which plan some labels were written by, and whether a metric had none such before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) plan: usize,
    pub(super) is_new: bool,
}

impl Common {
    pub(super) fn new(key: &str, value: String, gives_way: bool) -> Self {
        Self { key: key.to_owned(), value, gives_way, name: String::new() }
    }
}

impl Labels {
    pub(super) fn new(translation: Translation, escaping: Escaping, dialect: Dialect) -> Self {
        Self { translation, escaping, dialect, common: Vec::new(), plans: Vec::new() }
    }

    /// Adds a label to all series; of two with one name the first stays.
    pub(super) fn add_common(&mut self, mut common: Common) {
        put_label(&mut common.name, self.translation, self.escaping, &common.key, |name| {
            is_reserved(name, true)
        });
        if self.common.iter().all(|other| other.name != common.name) {
            self.common.push(common);
        }
        self.plans.clear();
    }

    /// Lets go of all plans, where there are too many of them.
    pub(super) fn forget_plans(&mut self) -> bool {
        let are_many = self.plans.len() > MOST_PLANS;
        if are_many {
            self.plans.clear();
        }
        are_many
    }

    /// Writes the labels of a series, by one of the plans that are known of its metric or by another one, which is known then.
    pub(super) fn put<'a, T>(
        &mut self,
        out: &mut Vec<u8>,
        line: &mut Line,
        tags: &T,
        is_histogram: bool,
        known: &mut Vec<usize>,
    ) -> Written
    where
        T: Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    {
        match known.first() {
            Some(&plan) if self.put_by(plan, out, line, tags, is_histogram) => {
                Written { plan, is_new: false }
            }
            _ => self.put_otherwise(out, line, tags, is_histogram, known),
        }
    }

    /// Adds them to a line, if all of them are short and by the first of the plans; otherwise the line is of no use.
    #[inline]
    pub(super) fn put_in_line<'a>(
        &self,
        line: &mut Line,
        tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        is_histogram: bool,
        known: &[usize],
    ) -> Option<Written> {
        let plan = *known.first()?;
        let by = &self.plans[plan];
        let is_for =
            by.is_histogram == is_histogram && self.put_short(&by.keys, by.end.as_ref()?, line, tags)?;
        is_for.then_some(Written { plan, is_new: false })
    }

    /// Writes them where keys are not those of the series before.
    #[cold]
    fn put_otherwise<'a>(
        &mut self,
        out: &mut Vec<u8>,
        line: &mut Line,
        tags: &(impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone),
        is_histogram: bool,
        known: &mut Vec<usize>,
    ) -> Written {
        let mut others = known.iter().skip(1);
        if let Some(at) = others.position(|&plan| self.put_by(plan, out, line, tags, is_histogram)) {
            known.swap(0, at + 1);
            return Written { plan: known[0], is_new: false };
        }
        let is_for = |plan: &Plan| {
            let keys = plan.keys.iter().map(|key| key.text.as_bytes());
            plan.is_histogram == is_histogram && tags.clone().map(|(key, _)| key).eq(keys)
        };
        let plan = self.plans.iter().position(is_for).unwrap_or_else(|| {
            self.plans.push(self.planned(tags.clone(), is_histogram));
            self.plans.len() - 1
        });
        known.insert(0, plan);
        self.put_by(plan, out, line, tags, is_histogram);
        Written { plan, is_new: true }
    }

    /// Whether labels by one plan may be the same as those of another series by the other one, or by the same where that is of
    /// another metric.
    pub(super) fn may_be_equal(&self, one: usize, other: usize) -> bool {
        self.plans[one].names == self.plans[other].names
    }

    /// Whether different tags may become the same labels by that plan.
    pub(super) fn is_joined(&self, plan: usize) -> bool {
        self.plans[plan].is_joined
    }

    /// Writes the labels, if the plan is for these keys.
    #[inline]
    fn put_by<'a, T>(
        &self,
        plan: usize,
        out: &mut Vec<u8>,
        line: &mut Line,
        tags: &T,
        is_histogram: bool,
    ) -> bool
    where
        T: Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    {
        let plan = &self.plans[plan];
        if plan.is_histogram != is_histogram {
            return false;
        }
        line.clear();
        if let Some(end) = &plan.end
            && let Some(is_for) = self.put_short(&plan.keys, end, line, tags.clone())
        {
            if is_for {
                out.extend_from_slice(line.bytes());
            }
            return is_for;
        }
        let (from, mut rest) = (out.len(), tags.clone());
        for Key { text, before, .. } in &plan.keys {
            match rest.next() {
                Some((this, value)) if is_same(this, text.as_bytes()) => {
                    if plan.is_plain {
                        self.put_label(out, before, value);
                    }
                }
                _ => {
                    out.truncate(from);
                    return false;
                }
            }
        }
        if rest.next().is_some() {
            out.truncate(from);
            return false;
        }
        if !plan.is_plain {
            self.put_joined(plan, out, tags);
        }
        out.extend_from_slice(&plan.behind);
        true
    }

    /// Adds labels that are simply the tags to a line, if these have the keys; none where they are not short.
    #[inline]
    fn put_short<'a>(
        &self,
        keys: &[Key],
        end: &Head,
        line: &mut Line,
        mut tags: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Option<bool> {
        for Key { text, head, .. } in keys {
            let Some((_, value)) = tags.next().filter(|(this, _)| is_same(this, text.as_bytes())) else {
                return Some(false);
            };
            let head = head.as_ref()?;
            line.put_head(head)?;
            if self.dialect == Dialect::Protobuf {
                // Lengths that are one byte.
                let len = u8::try_from(value.len() + head.len() - 2).ok().filter(|len| *len < 0x80)?;
                *line.byte_before(head.len() - 1)? = len;
                *line.byte_before(1)? = value.len() as u8;
            } else if !is_plain(value) {
                return None;
            }
            line.put(value)?;
        }
        if tags.next().is_some() {
            return Some(false);
        }
        line.put_head(end)?;
        Some(true)
    }

    /// What stands before a value that is short; of protobuf without the lengths.
    fn head(&self, before: &[u8]) -> Option<Head> {
        if self.dialect != Dialect::Protobuf {
            return Head::new(before);
        }
        Head::new(&[&[LABEL, 0], before, &[VALUE, 0]].concat())
    }

    /// Labels that are not simply the tags.
    #[cold]
    fn put_joined<'a>(
        &self,
        plan: &Plan,
        out: &mut Vec<u8>,
        tags: &(impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone),
    ) {
        let value = |part: &Part| match *part {
            Part::Tag(at) => tags.clone().nth(at).map_or(&b""[..], |(_, value)| value),
            Part::Common(at) => self.common[at].value.as_bytes(),
        };
        for label in &plan.labels {
            match &*label.values {
                [only] => self.put_label(out, &label.before, value(only)),
                several => {
                    let values: Vec<&[u8]> = several.iter().map(value).collect();
                    self.put_label(out, &label.before, &values.join(&b';'));
                }
            }
        }
    }

    #[inline]
    fn put_label(&self, out: &mut Vec<u8>, before: &[u8], value: &[u8]) {
        if self.dialect == Dialect::Protobuf {
            // Key and length of the message are not known before the value is.
            put_message::<1>(out, LABEL, |out| {
                out.extend_from_slice(before);
                put_bytes(out, VALUE, value);
            });
        } else {
            out.extend_from_slice(before);
            put_value(out, value);
        }
    }

    /// How series with these keys are written.
    fn planned<'a>(&self, tags: impl Iterator<Item = (&'a [u8], &'a [u8])>, is_histogram: bool) -> Plan {
        let keys: Vec<String> = tags.map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
        let named = |(at, key): (usize, &String)| {
            let mut name = String::new();
            put_label(&mut name, self.translation, self.escaping, key, |name| {
                is_reserved(name, is_histogram)
            });
            (name, at)
        };
        let mut entries: Vec<(String, usize)> = keys.iter().enumerate().map(named).collect();
        // Keys are sorted, and so are those of one name.
        entries.sort();
        let is_common = |name: &str| self.common.iter().any(|common| common.name == name);
        let mut labels: Vec<(&str, Vec<Part>)> = Vec::new();
        for same in entries.chunk_by(|a, b| a.0 == b.0).filter(|same| !is_common(&same[0].0)) {
            labels.push((&same[0].0, same.iter().map(|(_, at)| Part::Tag(*at)).collect()));
        }
        let all = self.common.iter().enumerate().map(|(at, common)| {
            let tags = entries.iter().filter(|(name, _)| *name == common.name).map(|(_, at)| *at);
            let (before, behind): (Vec<usize>, Vec<usize>) = tags.partition(|at| keys[*at] < common.key);
            let stays = !common.gives_way || before.is_empty() && behind.is_empty();
            let tags = |of: Vec<usize>| of.into_iter().map(Part::Tag);
            let common_value = stays.then_some(Part::Common(at));
            (&*common.name, tags(before).chain(common_value).chain(tags(behind)).collect())
        });
        let mut all: Vec<(&str, Vec<Part>)> = all.collect();
        let mut names: Vec<String> = labels.iter().chain(&all).map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        // What all series have stands behind the rest and in its own order, whatever says its value: the same labels are the
        // same text.
        let mut given = &self.common[..];
        if all.iter().any(|(_, values)| !matches!(values[..], [Part::Common(_)])) {
            given = &[];
            labels.append(&mut all);
        }
        let is_tag =
            |(at, label): (usize, &(&str, Vec<Part>))| matches!(*label.1, [Part::Tag(tag)] if tag == at);
        let is_plain = labels.len() == keys.len() && labels.iter().enumerate().all(is_tag);
        let is_joined = labels.iter().any(|(_, values)| values.len() > 1);
        let mut is_first = true;
        let planned = labels.into_iter().map(|(name, values)| Planned {
            before: self.before(name, std::mem::take(&mut is_first)),
            values,
        });
        let mut labels: Vec<Planned> = planned.collect();
        let mut behind = Vec::new();
        for common in given {
            let before = self.before(&common.name, std::mem::take(&mut is_first));
            self.put_label(&mut behind, &before, common.value.as_bytes());
        }
        if self.dialect != Dialect::Protobuf && !is_first {
            behind.push(b'"');
        }
        let key = |text| Key { text, before: Vec::new(), head: None };
        let mut keys: Vec<Key> = keys.into_iter().map(key).collect();
        if is_plain {
            for (key, label) in keys.iter_mut().zip(labels.drain(..)) {
                key.head = self.head(&label.before);
                key.before = label.before;
            }
        }
        let end = Head::new(&behind).filter(|_| keys.iter().all(|key| key.head.is_some()));
        Plan { keys, is_histogram, names, labels, behind, is_plain, is_joined, end }
    }

    /// What stands before a value.
    fn before(&self, name: &str, is_first: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if self.dialect == Dialect::Protobuf {
            put_bytes(&mut out, NAME, name.as_bytes());
            return out;
        }
        if !is_first {
            out.extend_from_slice(b"\",");
        }
        if is_legacy(name, true) {
            out.extend_from_slice(name.as_bytes());
        } else {
            put_quoted(&mut out, name);
        }
        out.extend_from_slice(b"=\"");
        out
    }
}

/// What Prometheus itself puts on series.
fn is_reserved(name: &str, is_histogram: bool) -> bool {
    name == "__name__" || is_histogram && name == "le"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(labels: &mut Labels, tags: &[(&str, &str)], is_histogram: bool) -> String {
        let (mut out, mut line) = (Vec::new(), Line::new());
        let tags = tags.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        labels.put(&mut out, &mut line, &tags, is_histogram, &mut Vec::new());
        String::from_utf8(out).unwrap()
    }

    fn labels(translation: Translation, escaping: Escaping) -> Labels {
        let mut labels = Labels::new(translation, escaping, Dialect::Text);
        labels.add_common(Common::new("otel_scope_name", "telemetry".into(), false));
        labels.add_common(Common::new("env", "prod".into(), true));
        labels
    }

    #[test]
    fn keys_that_become_one_share_it() {
        let mut labels = labels(Translation::default(), Escaping::Underscores);
        for (tags, text) in [
            (&[][..], r#"otel_scope_name="telemetry",env="prod""#),
            (
                &[("a.b", "1"), ("a/b", "2"), ("a_b", "3")],
                r#"a_b="1;2;3",otel_scope_name="telemetry",env="prod""#,
            ),
            (
                &[("a/x", "1"), ("a.z", "2"), ("a_y", "3")],
                r#"a_x="1",a_y="3",a_z="2",otel_scope_name="telemetry",env="prod""#,
            ),
            (&[("env", "test")], r#"otel_scope_name="telemetry",env="test""#),
            (&[("env", "prod"), ("k", "v")], r#"k="v",otel_scope_name="telemetry",env="prod""#),
            (&[("k", "v")], r#"k="v",otel_scope_name="telemetry",env="prod""#),
            (&[("otel.scope.name", "mine")], r#"otel_scope_name="mine;telemetry",env="prod""#),
            (&[("k", "a\"b\\c\nd")], "k=\"a\\\"b\\\\c\\nd\",otel_scope_name=\"telemetry\",env=\"prod\""),
        ] {
            assert_eq!(written(&mut labels, tags, false), text);
        }
        assert!(written(&mut labels, &[("le", "1")], true).starts_with(r#"exported_le="1","#));
        assert!(written(&mut labels, &[("le", "1")], false).starts_with(r#"le="1","#));
    }

    #[test]
    fn names_that_are_new_to_prometheus_stand_in_quotes() {
        let mut labels = labels(Translation::NoTranslation, Escaping::AllowUtf8);
        let tags = [("__name__", "x"), ("größe", "1"), ("http.method", "GET")];
        let text = r#"exported___name__="x","größe"="1","http.method"="GET","#;
        let out = written(&mut labels, &tags, false);
        assert!(out.starts_with(text), "{out}");
    }
}
