//! The labels of a series: tags and what all series have in common come in, and what goes out is what stands between the
//! braces, or as many messages `LabelPair`. They are written once and kept.
//!
//! Two keys that become one name share it: their values are joined with `;`, in the order of the keys. Names that Prometheus
//! needs for itself are taken by none.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Metric Attributes".

use super::Translation;
use super::escape::{put_quoted, put_value};
use super::form::{Dialect, Escaping};
use super::names::{is_legacy, put_label};
use crate::exporters::wire::{bytes, put_bytes, put_message};

/// Of a metric in protobuf.
const LABEL: u8 = bytes(1);
/// Of a label.
const NAME: u8 = bytes(1);
const VALUE: u8 = bytes(2);

/// Writes labels for one form.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) translation: Translation,
    pub(super) escaping: Escaping,
    pub(super) dialect: Dialect,
    /// On each series, sorted by name.
    common: Vec<Common>,
    /// The translated names of a series, one behind the other.
    names: String,
    joined: String,
    /// How the last ones were written.
    plan: Option<Plan>,
    /// How often that changed.
    plans: u64,
}

/// How labels of these keys are written: most series have the keys of the one before.
#[derive(Debug)]
struct Plan {
    keys: Vec<String>,
    is_histogram: bool,
    is_translated: bool,
    /// What stands before each value.
    names: Vec<Vec<u8>>,
    /// What all series have, behind the values.
    common: Vec<u8>,
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

impl Common {
    pub(super) fn new(key: &str, value: String, gives_way: bool) -> Self {
        Self { key: key.to_owned(), value, gives_way, name: String::new() }
    }
}

/// Where its name stands, and what it had been.
struct Entry<'a> {
    name: std::ops::Range<usize>,
    key: &'a str,
    value: &'a str,
}

impl Labels {
    pub(super) fn new(translation: Translation, escaping: Escaping, dialect: Dialect) -> Self {
        let (common, names, joined, plan, plans) = Default::default();
        Self { translation, escaping, dialect, common, names, joined, plan, plans }
    }

    /// Adds a label to all series; of two with one name the first stays.
    pub(super) fn add_common(&mut self, mut common: Common) {
        put_label(&mut common.name, self.translation, self.escaping, &common.key, |name| {
            is_reserved(name, true)
        });
        if self.common.iter().all(|other| other.name != common.name) {
            self.common.push(common);
        }
        self.plan = None;
    }

    /// Writes the labels of a series, and says whether a name is another one than its key.
    pub(super) fn put<'a, T>(&mut self, out: &mut Vec<u8>, tags: T, is_histogram: bool) -> bool
    where
        T: Iterator<Item = (&'a str, &'a str)> + Clone,
    {
        if let Some(plan) = &self.plan
            && plan.is_for(tags.clone(), is_histogram)
        {
            plan.put(out, tags, self.dialect);
            return plan.is_translated;
        }
        let (entries, is_translated) = self.translated(tags.clone(), is_histogram);
        self.plan = self.planned(&entries, tags, is_histogram, is_translated);
        self.plans += 1;
        self.put_entries(out, &entries);
        is_translated
    }

    /// As long as this is the same, all series have the same keys, none of which share a name.
    pub(super) fn plans(&self) -> u64 {
        self.plans
    }

    fn put_entries(&mut self, out: &mut Vec<u8>, entries: &[Entry<'_>]) {
        let mut list = List { dialect: self.dialect, out, is_first: true };
        let mut rest = entries;
        while let Some((first, _)) = rest.split_first() {
            let name = &self.names[first.name.clone()];
            let same = rest.iter().take_while(|entry| self.names[entry.name.clone()] == *name).count();
            let (these, others) = rest.split_at(same);
            rest = others;
            if self.common.iter().any(|common| common.name == *name && !common.gives_way) {
                continue;
            }
            list.put(name, join(&mut self.joined, these.iter().map(|entry| entry.value)));
        }
        for common in &self.common {
            let named: Vec<&Entry<'_>> =
                entries.iter().filter(|entry| self.names[entry.name.clone()] == common.name).collect();
            if named.is_empty() {
                list.put(&common.name, &common.value);
            } else if !common.gives_way {
                let before = named.iter().filter(|entry| *entry.key < *common.key).map(|entry| entry.value);
                let behind = named.iter().filter(|entry| *entry.key >= *common.key).map(|entry| entry.value);
                let values = before.chain([&*common.value]).chain(behind);
                list.put(&common.name, join(&mut self.joined, values));
            }
        }
    }

    /// How series with the same keys are written; none where they have to be looked at one by one.
    fn planned<'a>(
        &self,
        entries: &[Entry<'_>],
        tags: impl Iterator<Item = (&'a str, &'a str)>,
        is_histogram: bool,
        is_translated: bool,
    ) -> Option<Plan> {
        let name = |entry: &Entry<'_>| &self.names[entry.name.clone()];
        let keys: Vec<String> = tags.map(|(key, _)| key.to_owned()).collect();
        let is_plain = entries.iter().zip(&keys).all(|(entry, key)| entry.key == key)
            && entries.windows(2).all(|two| name(&two[0]) != name(&two[1]))
            && entries.iter().all(|entry| self.common.iter().all(|common| common.name != *name(entry)));
        if !is_plain {
            return None;
        }
        let mut list = List { dialect: self.dialect, out: &mut Vec::new(), is_first: entries.is_empty() };
        self.common.iter().for_each(|common| list.put(&common.name, &common.value));
        let common = std::mem::take(list.out);
        let names = entries.iter().enumerate().map(|(n, entry)| {
            let mut out = Vec::new();
            List { dialect: self.dialect, out: &mut out, is_first: n == 0 }.begin(name(entry));
            out
        });
        Some(Plan { keys, is_histogram, is_translated, names: names.collect(), common })
    }

    /// Sorted by name, and those of one name by key.
    fn translated<'a>(
        &mut self,
        tags: impl Iterator<Item = (&'a str, &'a str)>,
        is_histogram: bool,
    ) -> (Vec<Entry<'a>>, bool) {
        self.names.clear();
        let mut is_translated = false;
        let mut entries = Vec::new();
        for (key, value) in tags {
            let from = self.names.len();
            let reserved = |name: &str| is_reserved(name, is_histogram);
            is_translated |= put_label(&mut self.names, self.translation, self.escaping, key, reserved);
            entries.push(Entry { name: from..self.names.len(), key, value });
        }
        let order = |entry: &Entry<'a>| (&self.names[entry.name.clone()], entry.key);
        if !entries.is_sorted_by(|a, b| order(a) <= order(b)) {
            entries.sort_by(|a, b| order(a).cmp(&order(b)));
        }
        (entries, is_translated)
    }
}

/// What Prometheus itself puts on series.
fn is_reserved(name: &str, is_histogram: bool) -> bool {
    name == "__name__" || is_histogram && name == "le"
}

/// One value as it is, several with `;` between them.
fn join<'a>(joined: &'a mut String, mut values: impl Iterator<Item = &'a str> + Clone) -> &'a str {
    if let (Some(only), None) = (values.clone().next(), values.clone().nth(1)) {
        return only;
    }
    joined.clear();
    joined.extend(values.next());
    values.for_each(|value| {
        joined.push(';');
        joined.push_str(value);
    });
    joined
}

impl Plan {
    fn is_for<'a>(&self, tags: impl Iterator<Item = (&'a str, &'a str)>, is_histogram: bool) -> bool {
        self.is_histogram == is_histogram && tags.map(|(key, _)| key).eq(self.keys.iter().map(String::as_str))
    }

    fn put<'a>(&self, out: &mut Vec<u8>, tags: impl Iterator<Item = (&'a str, &'a str)>, dialect: Dialect) {
        for ((_, value), name) in tags.zip(&self.names) {
            if dialect == Dialect::Protobuf {
                // Key and length of the message are not known before the value is.
                put_message::<1>(out, LABEL, |out| {
                    out.extend_from_slice(name);
                    put_bytes(out, VALUE, value.as_bytes());
                });
            } else {
                out.extend_from_slice(name);
                put_value(out, value);
                out.push(b'"');
            }
        }
        out.extend_from_slice(&self.common);
    }
}

/// Labels as they are written.
struct List<'a> {
    dialect: Dialect,
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl List<'_> {
    fn put(&mut self, name: &str, value: &str) {
        if self.dialect == Dialect::Protobuf {
            return put_message::<1>(self.out, LABEL, |out| {
                put_bytes(out, NAME, name.as_bytes());
                put_bytes(out, VALUE, value.as_bytes());
            });
        }
        self.begin(name);
        put_value(self.out, value);
        self.out.push(b'"');
    }

    /// What stands before a value; of protobuf the name alone.
    fn begin(&mut self, name: &str) {
        let out = &mut *self.out;
        if self.dialect == Dialect::Protobuf {
            return put_bytes(out, NAME, name.as_bytes());
        }
        if !std::mem::replace(&mut self.is_first, false) {
            out.push(b',');
        }
        if is_legacy(name, true) {
            out.extend_from_slice(name.as_bytes());
        } else {
            put_quoted(out, name);
        }
        out.extend_from_slice(b"=\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(labels: &mut Labels, tags: &[(&str, &str)], is_histogram: bool) -> String {
        let mut out = Vec::new();
        labels.put(&mut out, tags.iter().copied(), is_histogram);
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
            (&[("env", "test")], r#"env="test",otel_scope_name="telemetry""#),
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
