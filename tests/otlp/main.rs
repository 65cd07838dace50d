//! Conformance: what is recorded arrives over OTLP as it was, whatever it is and however it travels, as receivers see it
//! that are not ours. What is recorded stands in `scenarios`, the ways in which it travels in `forms`. A receiver that is not installed is left out, unless `TELEMETRY_REQUIRE_SERVERS` is 1.

mod decoder;
mod expected;
mod forms;
mod mock;
mod objects;
mod printed;
mod rotel;
mod scenarios;
mod servers;

use std::cmp::Ordering;
use std::fs;

use serde_json::Value;
use telemetry_layer::exporters::Route;
use telemetry_layer::model::Temporality;
use telemetry_layer::testing::{Kept, Memory};
use telemetry_layer::{Builder, Collector};
use telemetry_tests::recorded_by;

use decoder::{Decoded, Decoder, Item, OWN};
use expected::Expected;
use forms::{Form, in_each_form};
use servers::Nginx;

/// Large enough for all that a test records before anything is sent.
fn builder(builder: Builder) -> Builder {
    let builder = builder.service("größe", "1.2.3").tag("env", "test");
    builder.buffer_size(1 << 20).buffer_bytes(512 << 20).exporter_bytes(512 << 20)
}

/// What `record` records is exported there, and kept.
fn export(url: &str, record: impl FnOnce(&Collector)) -> Kept {
    recorded_by(|b| builder(b).endpoint(url), |layer| layer, record)
}

/// Every field of every item is what it was, and macros say where they stand.
#[track_caller]
fn compare(kept: &Kept, decoded: &Decoded) {
    let expected = Expected::of(kept);
    for (name, before, after) in [
        ("span", &expected.spans, &decoded.spans),
        ("record", &expected.records, &decoded.records),
        ("point", &expected.points, &decoded.points),
    ] {
        let made_here = || after.iter().filter(|item| item.scope.starts_with(OWN));
        assert!(made_here().all(|item| item.it["attributes"][0]["key"] == "code.file.path"), "{name}s");
        assert!(!before.is_empty(), "no {name}");
        same(name, without_places(before), without_places(after));
    }
}

/// The same items, in any order.
#[track_caller]
fn same(name: &str, before: Vec<Item>, after: Vec<Item>) {
    let [before, after] = [sorted(before), sorted(after)];
    if before != after {
        let [lost, new] = [lacking(&before, &after), lacking(&after, &before)];
        panic!("{name}s lost: {lost:#?}\nand new: {new:#?}");
    }
}

/// A few of those that the others are without.
fn lacking<'a>(of: &'a [Item], others: &[Item]) -> Vec<&'a Item> {
    of.iter().filter(|item| !others.contains(item)).take(10).collect()
}

/// In any order that two lists of the same items have in common.
fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by(|a, b| a.scope.cmp(&b.scope).then_with(|| order(&a.it, &b.it)));
    items
}

/// Without texts for all of it: there are megabytes.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => in_turn(a.iter().zip(b)).then(a.len().cmp(&b.len())),
        (Value::Object(a), Value::Object(b)) => {
            a.keys().cmp(b.keys()).then_with(|| in_turn(a.values().zip(b.values())))
        }
        _ => a.to_string().cmp(&b.to_string()),
    }
}

fn in_turn<'a>(mut pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Ordering {
    pairs.find_map(|(a, b)| Some(order(a, b)).filter(|order| order.is_ne())).unwrap_or(Ordering::Equal)
}

fn without_places(items: &[Item]) -> Vec<Item> {
    let mut items = items.to_vec();
    items.iter_mut().for_each(|item| without_place(&mut item.it));
    items
}

/// Takes out what the kept one does not have: the place in the source, which comes first, and how much was cut.
fn without_place(item: &mut Value) {
    let dropped = item.as_object_mut().unwrap().remove("dropped_attributes_count");
    let is_whole = dropped.is_none_or(|dropped| dropped == 0);
    assert!(is_whole || item["name"] == "too much", "{item:#}");
    let Some(attributes) = item["attributes"].as_array_mut() else { return };
    if attributes.first().is_some_and(|first| first["key"] == "code.file.path") {
        let place: Vec<Value> = attributes.drain(..2).collect();
        let file = place[0]["value"]["string_value"].as_str().unwrap();
        assert!(file.starts_with("tests/otlp/scenarios/"), "{file}");
        assert_eq!(place[1]["key"], "code.line.number");
        assert!(place[1]["value"]["int_value"].as_u64().is_some_and(|line| line > 0));
    }
}

/// All scenarios, exported there.
#[track_caller]
fn conforms(decoder: &Decoder, url: &str) -> Decoded {
    let kept = export(url, scenarios::record);
    let decoded = decoder.decoded();
    scenarios::check(&decoded);
    compare(&kept, &decoded);
    decoded
}

/// All scenarios in a form, seen as they have to be seen.
#[track_caller]
fn conforms_to(form: &Form, decoder: &Decoder, url: &str, compression: &str) -> Decoded {
    let decoded = conforms(decoder, url);
    for request in &decoded.all {
        assert_eq!(request["content_type"], form.content_type);
        if let Some(seen) = request["encoding"].as_str() {
            assert_eq!(seen, if compression == "none" { "" } else { compression });
        }
    }
    decoded
}

#[test]
fn what_is_recorded_arrives_as_it_was() {
    in_each_form(|form| {
        let Some(decoder) = Decoder::start() else { return };
        for compression in Decoder::compressions(form) {
            for (ports, tls) in [(decoder.ports, None), (decoder.tls_ports, Some(&decoder.certificates))] {
                let url = form.url(ports, tls, compression);
                let decoded = conforms_to(form, &decoder, &url, compression);
                assert!(decoded.all.iter().all(|request| request["has_tls"] == tls.is_some()), "{url}");
            }
        }
    });
}

#[test]
fn tls_and_http_2_through_nginx() {
    in_each_form(|form| {
        let Some(decoder) = Decoder::start() else { return };
        for compression in Decoder::compressions(form) {
            let Some(nginx) = Nginx::before(decoder.ports, &decoder.certificates) else { return };
            let url = form.url([nginx.port; 2], Some(&decoder.certificates), compression);
            let decoded = conforms_to(form, &decoder, &url, compression);
            assert!(decoded.all.iter().all(|request| request["forwarded"] == "nginx"));
            nginx.saw(form, compression);
        }
    });
}

#[test]
fn what_is_too_much_for_one_request_arrives_in_several() {
    in_each_form(|form| {
        let Some(decoder) = Decoder::start() else { return };
        for compression in ["none", "gzip"] {
            let kept = export(&form.url(decoder.ports, None, compression), scenarios::many::record);
            let decoded = decoder.decoded();
            scenarios::many::check(&decoded);
            compare(&kept, &decoded);
        }
    });
}

/// What a collector's file receiver reads is what an endpoint is sent in JSON.
#[test]
fn files_in_otlp_hold_what_was_recorded() {
    let Some(decoder) = Decoder::start() else { return };
    for (record, check) in [
        (scenarios::record as fn(&Collector), scenarios::check as fn(&Decoded)),
        (scenarios::many::record, scenarios::many::check),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let kept = export(&format!("file:{}?format=otlp", directory.path().display()), record);
        for signal in ["traces", "logs", "metrics"] {
            let lines = fs::read_to_string(directory.path().join(format!("{signal}.otlp.jsonl"))).unwrap();
            lines.lines().for_each(|line| decoder.read(&format!("/v1/{signal}"), line));
        }
        let decoded = decoder.decoded();
        check(&decoded);
        compare(&kept, &decoded);
    }
}

#[test]
fn deltas_arrive_as_deltas() {
    in_each_form(|form| {
        let Some(decoder) = Decoder::start() else { return };
        deltas(
            &decoder,
            format!("{}&temporality=delta&signals=metrics", form.url(decoder.ports, None, "none")),
        );
    });
}

fn deltas(decoder: &Decoder, url: String) {
    let memory = Memory::new();
    let route = Route::from(memory.clone()).temporality(Temporality::Delta);
    recorded_by(
        |b| builder(b).exporter(route).endpoint(url),
        |layer| layer,
        |collector| {
            for n in 1..=3_u64 {
                collector.counter("count").add(n);
                collector.up_down_counter("level").add(n);
                collector.histogram("size").record(n);
                collector.histogram("bounds").buckets(&[2.0]).record(n);
                assert!(collector.flush(telemetry_tests::SOON).is_complete());
            }
        },
    );
    let decoded = decoder.decoded();
    let expected = Expected::of(&memory.kept());
    same("point", without_places(&expected.points), without_places(&decoded.points));
    let of = |name: &str| {
        let all = decoded.points.iter().map(|item| item.it.clone());
        all.filter(|it| it["name"] == name).collect::<Vec<_>>()
    };
    let counts: Vec<_> = of("count").iter().map(|it| it["point"]["as_int"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 2, 3]);
    assert!(of("size").iter().all(|it| it["point"]["count"] == 1 && it["aggregation_temporality"] == 1));
    for of in [of("count"), of("size"), of("bounds")] {
        for two in of.windows(2) {
            assert_eq!(two[0]["point"]["time_unix_nano"], two[1]["point"]["start_time_unix_nano"]);
        }
    }
}
