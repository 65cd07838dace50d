//! What metrics and tags are called on a page: the names of OpenTelemetry come in, and what goes out is what Prometheus takes,
//! first by a [`Translation`], which the program chooses, and then by an [`Escaping`], which the scraper does.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility"; Prometheus, "Escaping Schemes".

use std::fmt::Write as _;

use super::Translation;
use super::form::Escaping;
use super::units::Unit;
use crate::model::Kind;

/// Whether Prometheus knew such names from the beginning. Labels have no colon.
pub(super) fn is_legacy(name: &str, is_label: bool) -> bool {
    let is_first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    is_first && name.bytes().all(|byte| is_plain(byte) || byte == b'_' || byte == b':' && !is_label)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// The name of a metric of that kind and unit.
pub(super) fn metric(
    translation: Translation,
    escaping: Escaping,
    name: &str,
    unit: &Unit,
    kind: Kind,
) -> String {
    let mut out = String::with_capacity(name.len() + 32);
    if translation.escapes() {
        put_underscored(&mut out, name, true);
        if out.starts_with(|c: char| c.is_ascii_digit()) {
            out.insert(0, '_');
        }
    } else {
        out.push_str(name);
    }
    if out.is_empty() {
        out.push('_');
    }
    if translation.has_suffixes() {
        add_suffixes(&mut out, unit, kind);
    }
    escaped(out, escaping, false)
}

fn add_suffixes(out: &mut String, unit: &Unit, kind: Kind) {
    if kind == Kind::Counter && ends_with(out, "total") && out.len() > "_total".len() {
        out.truncate(out.len() - "_total".len());
    }
    let (whole, main) = (unit.word(kind), unit.main());
    if !whole.is_empty() && !ends_with(out, whole) {
        // Of `_bytes` in bytes per second there is a half already.
        let missing = if !main.is_empty() && ends_with(out, main) { &whole[main.len()..] } else { whole };
        add_word(out, missing.trim_start_matches('_'));
    }
    if kind == Kind::Counter {
        add_word(out, "total");
    }
}

fn add_word(out: &mut String, word: &str) {
    if !out.ends_with('_') {
        out.push('_');
    }
    out.push_str(word);
}

/// Whether it is that word, or ends in it behind something that is none.
fn ends_with(name: &str, word: &str) -> bool {
    let before = name.strip_suffix(word);
    before.is_some_and(|before| before.bytes().last().is_none_or(|byte| byte.is_ascii() && !is_plain(byte)))
}

/// Adds the name of a label, and says whether it is another one than the key is.
pub(super) fn put_label(
    out: &mut String,
    translation: Translation,
    escaping: Escaping,
    key: &str,
    is_reserved: impl Fn(&str) -> bool,
) -> bool {
    let from = out.len();
    if translation.escapes() {
        if key.starts_with(|c: char| c.is_ascii_digit()) {
            out.push_str("key_");
        }
        put_underscored(out, key, false);
    } else {
        out.push_str(key);
    }
    if out.len() == from {
        out.push('_');
    }
    if !is_legacy(&out[from..], true) && escaping != Escaping::AllowUtf8 {
        let name = out.split_off(from);
        out.push_str(&escaped(name, escaping, true));
    }
    if is_reserved(&out[from..]) {
        out.insert_str(from, "exported_");
    }
    out[from..] != *key
}

/// All but letters and digits become `_`, and several of these one.
fn put_underscored(out: &mut String, name: &str, is_metric: bool) {
    let mut is_behind = false;
    for c in name.chars() {
        let is_kept = c.is_ascii_alphanumeric() || is_metric && c == ':';
        if is_kept {
            out.push(c);
        } else if !is_behind {
            out.push('_');
        }
        is_behind = !is_kept;
    }
}

/// Names that Prometheus knew from the beginning stay as they are.
fn escaped(name: String, escaping: Escaping, is_label: bool) -> String {
    if escaping == Escaping::AllowUtf8 || is_legacy(&name, is_label) {
        return name;
    }
    let mut out = String::with_capacity(name.len() + 8);
    if escaping == Escaping::Values {
        out.push_str("U__");
    }
    for (at, c) in name.char_indices() {
        let stays = c.is_ascii_alphabetic() || c.is_ascii_digit() && at > 0 || c == ':' && !is_label;
        match escaping {
            _ if stays => out.push(c),
            Escaping::Underscores => out.push('_'),
            Escaping::Dots if c == '.' => out.push_str("_dot_"),
            Escaping::Dots => out.push_str("__"),
            _ if c == '_' => out.push_str("__"),
            _ => _ = write!(out, "_{:x}_", u32::from(c)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use Translation::{
        NoTranslation, NoUtf8EscapingWithSuffixes, UnderscoreEscapingWithSuffixes,
        UnderscoreEscapingWithoutSuffixes,
    };
    use proptest::prelude::*;

    fn by(translation: Translation, escaping: Escaping, (name, unit, kind): (&str, &str, Kind)) -> String {
        metric(translation, escaping, name, &Unit::of(unit), kind)
    }

    #[test]
    fn the_table_of_the_specification() {
        let it = ("foo.bar", "By", Kind::Counter);
        for (translation, underscored, as_it_is) in [
            (UnderscoreEscapingWithSuffixes, "foo_bar_bytes_total", "foo_bar_bytes_total"),
            (UnderscoreEscapingWithoutSuffixes, "foo_bar", "foo_bar"),
            (NoUtf8EscapingWithSuffixes, "foo_bar_bytes_total", "foo.bar_bytes_total"),
            (NoTranslation, "foo_bar", "foo.bar"),
        ] {
            assert_eq!(by(translation, Escaping::Underscores, it), underscored);
            assert_eq!(by(translation, Escaping::AllowUtf8, it), as_it_is);
        }
        assert_eq!(by(NoUtf8EscapingWithSuffixes, Escaping::Dots, it), "foo_dot_bar__bytes__total");
        assert_eq!(by(NoUtf8EscapingWithSuffixes, Escaping::Values, it), "U__foo_2e_bar__bytes__total");
        assert_eq!(by(NoTranslation, Escaping::Values, ("größe_1", "", Kind::Gauge)), "U__gr_f6__df_e__1");
        assert_eq!(by(NoTranslation, Escaping::Underscores, ("1a..b", "", Kind::Gauge)), "_a__b");
    }

    #[test]
    fn suffixes_are_not_there_twice() {
        for (name, unit, kind, full) in [
            ("http.server.request.duration", "s", Kind::Histogram, "http_server_request_duration_seconds"),
            ("duration_seconds", "s", Kind::Histogram, "duration_seconds"),
            ("seconds", "s", Kind::Gauge, "seconds"),
            ("milliseconds", "s", Kind::Gauge, "milliseconds_seconds"),
            ("orders", "{order}", Kind::Counter, "orders_total"),
            ("orders.total", "", Kind::Counter, "orders_total"),
            ("total", "", Kind::Counter, "total_total"),
            ("sent.bytes.total", "By", Kind::Counter, "sent_bytes_total"),
            ("sent", "By", Kind::Counter, "sent_bytes_total"),
            ("sent", "By/s", Kind::Gauge, "sent_bytes_per_second"),
            ("sent_bytes", "By/s", Kind::Gauge, "sent_bytes_per_second"),
            ("sent", "{packet}/s", Kind::Gauge, "sent_per_second"),
            ("used", "1", Kind::Gauge, "used_ratio"),
            ("used", "1", Kind::Counter, "used_total"),
            ("used", "1", Kind::UpDownCounter, "used"),
            ("used", "1", Kind::Histogram, "used"),
            ("used", "%", Kind::Gauge, "used_percent"),
            ("a__b.-c_", "kg", Kind::Gauge, "a_b_c_kg"),
            ("9lives", "", Kind::Gauge, "_9lives"),
            ("größe", "", Kind::Gauge, "gr_e"),
            ("日本", "", Kind::Gauge, "_"),
            ("", "", Kind::Counter, "_total"),
            ("a:b", "", Kind::Gauge, "a:b"),
        ] {
            let it = (name, unit, kind);
            assert_eq!(
                by(UnderscoreEscapingWithSuffixes, Escaping::Underscores, it),
                full,
                "{name} in {unit}"
            );
        }
        let dotted = ("x.bytes.total", "By", Kind::Counter);
        assert_eq!(by(NoUtf8EscapingWithSuffixes, Escaping::AllowUtf8, dotted), "x.bytes_total");
    }

    #[test]
    fn labels_keep_what_they_may() {
        for (key, name) in [
            ("http.method", "http_method"),
            ("method", "method"),
            ("a-/b", "a_b"),
            ("1st", "key_1st"),
            ("__name__", "_name_"),
            ("größe", "gr_e"),
            ("le", "exported_le"),
        ] {
            let mut out = String::from("before");
            let translation = UnderscoreEscapingWithSuffixes;
            let is_other = put_label(&mut out, translation, Escaping::Underscores, key, |name| name == "le");
            assert_eq!((&out[6..], is_other), (name, name != key));
        }
    }

    proptest! {
        #[test]
        fn names_are_such_as_prometheus_takes(
            name in "\\PC{0,12}|[a._:\\-0-9]{0,12}",
            unit in "\\PC{0,6}|[a-z{}/]{0,8}",
            kind in prop::sample::select(vec![Kind::Counter, Kind::Gauge, Kind::Histogram]),
        ) {
            for translation in
                [UnderscoreEscapingWithSuffixes, UnderscoreEscapingWithoutSuffixes, NoUtf8EscapingWithSuffixes, NoTranslation]
            {
                for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values, Escaping::AllowUtf8] {
                    let full = by(translation, escaping, (&name, &unit, kind));
                    prop_assert!(!full.is_empty());
                    let is_open = !translation.escapes() && escaping == Escaping::AllowUtf8;
                    prop_assert!(is_open || is_legacy(&full, false), "{full:?}");
                    let mut label = String::new();
                    put_label(&mut label, translation, escaping, &name, |_| false);
                    prop_assert!(!label.is_empty() && (is_open || is_legacy(&label, true)), "{label:?}");
                }
            }
        }
    }
}
