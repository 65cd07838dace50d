//! What is recorded is read back from VictoriaMetrics, over both wires.

use std::collections::BTreeMap;

use super::NANOS;
use crate::read_back::{Series, assert_same, read_back, sorted};
use crate::scenarios::{self, Exported, Point};
use crate::servers::VictoriaMetrics;

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
        c.is_ascii_alphanumeric()
            || "-_./".contains(c)
            || sent != Sent::Ascii && !c.is_ascii() && c.len_utf16() == 1 && c.is_alphabetic()
    };
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

/// Name and tags that a server has to have of a point.
fn labels(point: &Point, suffix: &str, sent: Sent) -> (String, BTreeMap<String, String>) {
    let value = |text: &str| if sent == Sent::All { text.to_owned() } else { word(text, sent) };
    let tags = point.tags.iter().filter(|(_, text)| !text.is_empty());
    let mut tags: BTreeMap<_, _> = tags.map(|(key, text)| (word(key, sent), value(text))).collect();
    tags.insert("host".to_owned(), "till".to_owned());
    let dot = if suffix.is_empty() { "" } else { "." };
    (format!("{}{dot}{suffix}", word(&point.name, sent)), tags)
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
            of.push((seconds * 1000, number.as_f64()));
        }
    }
    (sorted(series), refused)
}

#[track_caller]
fn check(url: impl Fn(&VictoriaMetrics) -> String, sent: Sent) {
    let Some(server) = VictoriaMetrics::start() else { return };
    let exported = scenarios::export(&url(&server));
    let (series, refused) = wanted(&exported, sent);
    let points = series.values().map(|points| points.len() as u64).sum();
    assert_same(&read_back(&server, points), &series);
    let account = exported.account("opentsdb");
    assert_eq!((account.rejected, account.delivered), (refused, exported.points.len() as u64 - refused));
}

#[test]
fn victoria_metrics_reads_what_was_recorded_over_telnet() {
    check(
        |server| format!("opentsdb://127.0.0.1:{}?host_tag=till&max_line=65536", server.ports.opentsdb),
        Sent::Ascii,
    );
}

#[test]
fn victoria_metrics_reads_letters_of_all_scripts_over_telnet() {
    let options = "host_tag=till&max_line=65536&characters=unicode";
    check(|server| format!("opentsdb://127.0.0.1:{}?{options}", server.ports.opentsdb), Sent::Letters);
}

#[test]
fn victoria_metrics_reads_what_was_recorded_over_http() {
    check(
        |server| {
            format!("opentsdb+http://127.0.0.1:{}?host_tag=till&compression=gzip", server.ports.opentsdb_http)
        },
        Sent::Ascii,
    );
}

#[test]
fn victoria_metrics_reads_values_as_they_are_over_http_in_small_requests() {
    let options = "host_tag=till&characters=any&max_bytes=3000";
    check(|server| format!("opentsdb+http://127.0.0.1:{}?{options}", server.ports.opentsdb_http), Sent::All);
}

#[test]
fn no_line_is_longer_than_opentsdb_takes() {
    let Some(server) = VictoriaMetrics::start() else { return };
    let exported =
        scenarios::export(&format!("opentsdb://127.0.0.1:{}?host_tag=till", server.ports.opentsdb));
    let (mut series, mut refused) = wanted(&exported, Sent::Ascii);
    // `put NAME TIME VALUE key=value ..`, of which the longest values have 25 characters.
    let is_long = |(name, tags): &(String, BTreeMap<String, String>)| {
        let tags: usize = tags.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
        4 + name.len() + 12 + tags > 1000
    };
    let before = series.len();
    series.retain(|labels, _| !is_long(labels));
    refused += (before - series.len()) as u64;
    let points = series.values().map(|points| points.len() as u64).sum();
    assert_same(&read_back(&server, points), &series);
    assert_eq!(exported.account("opentsdb").rejected, refused);
}
