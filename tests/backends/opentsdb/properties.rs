//! Any points, with every awkward character: VictoriaMetrics understands each line and each object, and has what was sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use telemetry_layer::model::{Kind, Metric, Number, Tags};
use telemetry_tests::{SOON, collector};

use super::{NANOS, TIME, account};
use crate::read_back::{Series, assert_same, read_back};
use crate::servers::VictoriaMetrics;

/// Characters that end a word, a tag, a text or a line somewhere.
const AWKWARD: &str =
    "[a-z =,:;|#@{}\\[\\]()<>'\"\\\\\n\r\t\u{0}\u{7f}\u{85}\u{a0}\u{2028}\u{202e}ßé价🦀]{0,16}";

fn number() -> impl Strategy<Value = Number> {
    let float = (-1e15..1e15_f64).prop_map(Number::Float);
    prop_oneof![
        any::<i32>().prop_map(Number::from),
        float,
        (0..1_000_000_u32).prop_map(|n| (f64::from(n) / 8.0).into())
    ]
}

fn tags() -> impl Strategy<Value = Tags> {
    let tags =
        prop::collection::vec(("[a-z]{1,3}(\\.|-|/|é)?[a-z]", prop_oneof![AWKWARD, any::<String>()]), 0..5);
    tags.prop_map(|pairs| {
        let mut tags = Tags::new();
        pairs.into_iter().for_each(|(key, value)| tags.insert(key, value).unwrap());
        tags
    })
}

fn cases() -> usize {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256)
}

fn fit(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_./".contains(c) { c } else { '_' }).collect()
}

/// All cases go through one server, each with a number in its name: none of them can be taken for another one.
#[track_caller]
fn all_arrive(url: impl Fn(&VictoriaMetrics) -> String) {
    let Some(server) = VictoriaMetrics::start() else { return };
    let mut runner = TestRunner::new(Config::default());
    let (collector, _) =
        collector(|builder| builder.service("shop", "1").exporter_bytes(512 << 20).endpoint(url(&server)));
    let (mut wanted, mut refused) = (Series::new(), 0);
    for n in 0..cases() {
        let case = (prop_oneof![AWKWARD, any::<String>()], tags(), number(), 0..1_000_000_u64);
        let (name, tags, number, time) = case.new_tree(&mut runner).unwrap().current();
        let name = format!("case.{n}.{name}");
        let metric = Metric::new(Kind::Gauge, name, number, (TIME + time) * NANOS).tags(tags);
        let of_its_own = metric.identity.tags.clone();
        let own = of_its_own.iter().filter(|(_, text)| !text.is_empty());
        let keys: BTreeSet<_> = own.clone().map(|(key, _)| fit(key)).collect();
        if keys.len() < own.clone().count() {
            refused += 1;
        } else {
            let mut tags: BTreeMap<_, _> = own.map(|(key, text)| (fit(key), fit(text))).collect();
            for (key, text) in [("host", "till"), ("service.name", "shop")] {
                tags.entry(key.to_owned()).or_insert_with(|| text.to_owned());
            }
            let labels = (fit(&metric.identity.name), tags);
            wanted.entry(labels).or_default().push(((TIME + time) * 1000, number.as_f64()));
        }
        collector.collect_metric(metric);
    }
    let account = account(&collector.shutdown(SOON));
    assert_eq!((account.delivered as usize, account.rejected), (cases() - refused, refused as u64));
    assert_same(&read_back(&server, (cases() - refused) as u64), &wanted);
}

#[test]
fn nothing_in_a_name_or_a_tag_begins_another_line() {
    all_arrive(|server| {
        format!("opentsdb://127.0.0.1:{}?host_tag=till&max_line=65536", server.ports.opentsdb)
    });
}

#[test]
fn nothing_in_a_name_or_a_tag_begins_another_member() {
    let options = "host_tag=till&compression=gzip";
    all_arrive(|server| format!("opentsdb+http://127.0.0.1:{}?{options}", server.ports.opentsdb_http));
}
