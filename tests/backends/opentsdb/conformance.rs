//! What is recorded is read back from VictoriaMetrics, over both wires.

use std::collections::BTreeMap;

use super::NANOS;
use crate::scenarios::{self, Exported, Point};
use crate::victoria_metrics::{Series, VictoriaMetrics, assert_same};

/// Which characters are sent as they are.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    Ascii,
    Letters,
    All,
}

/// By the documentation of the exporter.
fn word(text: &str, sent: Sent) -> String {
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || "-_./".contains(c) || sent != Sent::Ascii && !c.is_ascii() && c.is_alphabetic()
    };
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// What a server has to have of a point.
fn labels(point: &Point, suffix: &str, sent: Sent) -> BTreeMap<String, String> {
    let value = |text: &str| if sent == Sent::All { text.to_owned() } else { word(text, sent) };
    let tags = point.tags.iter().filter(|(_, text)| !text.is_empty());
    let mut labels: BTreeMap<_, _> = tags.map(|(key, text)| (word(key, sent), value(text))).collect();
    labels.insert("host".to_owned(), "till".to_owned());
    let dot = if suffix.is_empty() { "" } else { "." };
    labels.insert("__name__".to_owned(), format!("{}{dot}{suffix}", word(&point.name, sent)));
    labels
}

/// What can be said of the points, and how many of them can't be.
fn wanted(exported: &Exported, sent: Sent) -> (Series, u64) {
    let (mut series, mut refused) = (Series::new(), 0);
    for point in &exported.points {
        let seconds = point.time / NANOS;
        if !point.can_be_said() || seconds == 0 {
            refused += 1;
            continue;
        }
        for (suffix, number) in point.numbers() {
            let of = series.entry(labels(point, suffix, sent)).or_default();
            of.push((seconds as i64 * 1000, number.as_f64()));
        }
    }
    for points in series.values_mut() {
        points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    }
    (series, refused)
}

#[track_caller]
fn check(url: impl Fn(&VictoriaMetrics) -> String, sent: Sent) {
    let Some(server) = VictoriaMetrics::start() else { return };
    let exported = scenarios::export(&url(&server));
    let (series, refused) = wanted(&exported, sent);
    let points = series.values().map(|points| points.len() as u64).sum();
    assert_same(&server.series(points, ".*"), &series);
    let account = exported.account("opentsdb");
    assert_eq!((account.rejected, account.delivered), (refused, exported.points.len() as u64 - refused));
}

#[test]
fn victoria_metrics_reads_what_was_recorded_over_telnet() {
    check(|server| format!("opentsdb://127.0.0.1:{}?host_tag=till&max_line=65536", server.telnet), Sent::Ascii);
}

#[test]
fn victoria_metrics_reads_letters_of_all_scripts_over_telnet() {
    let options = "host_tag=till&max_line=65536&characters=unicode";
    check(|server| format!("opentsdb://127.0.0.1:{}?{options}", server.telnet), Sent::Letters);
}

#[test]
fn victoria_metrics_reads_what_was_recorded_over_http() {
    check(|server| format!("opentsdb+http://127.0.0.1:{}?host_tag=till&compression=gzip", server.put), Sent::Ascii);
}

#[test]
fn victoria_metrics_reads_values_as_they_are_over_http_in_small_requests() {
    let options = "host_tag=till&characters=any&max_bytes=3000";
    check(|server| format!("opentsdb+http://127.0.0.1:{}?{options}", server.put), Sent::All);
}

#[test]
fn no_line_is_longer_than_opentsdb_takes() {
    let Some(server) = VictoriaMetrics::start() else { return };
    let exported = scenarios::export(&format!("opentsdb://127.0.0.1:{}?host_tag=till", server.telnet));
    let (mut series, mut refused) = wanted(&exported, Sent::Ascii);
    // `put NAME TIME VALUE key=value ..`, of which the longest values have 25 characters.
    let is_long = |labels: &BTreeMap<String, String>| {
        let tags = labels.iter().filter(|(key, _)| *key != "__name__");
        let tags: usize = tags.map(|(key, value)| key.len() + value.len() + 2).sum();
        4 + labels["__name__"].len() + 12 + tags > 1000
    };
    let before = series.len();
    series.retain(|labels, _| !is_long(labels));
    refused += (before - series.len()) as u64;
    let points = series.values().map(|points| points.len() as u64).sum();
    assert_same(&server.series(points, ".*"), &series);
    assert_eq!(exported.account("opentsdb").rejected, refused);
}
