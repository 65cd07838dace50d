//! Conformance: what is recorded arrives over OTLP as it was, whatever it is and however it travels, as receivers see it
//! that are not ours. A receiver that is not installed is left out, unless `TELEMETRY_REQUIRE_SERVERS` is 1.

mod decoder;
mod expected;
mod printed;
mod rotel;
mod scenarios;
mod servers;

use serde_json::{Value, json};
use telemetry_layer::exporters::Route;
use telemetry_layer::model::Temporality;
use telemetry_layer::testing::{Kept, Memory};
use telemetry_layer::{Builder, Collector};
use telemetry_tests::recorded_by;

use decoder::{Decoded, Decoder, Item, OWN};
use expected::Expected;
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
        let [before, after] = [sorted(before), sorted(after)];
        assert!(!before.is_empty(), "no {name}");
        let [lost, new] = [lacking(&before, &after), lacking(&after, &before)];
        assert!(before == after, "{name}s lost: {lost:#?}\nand new: {new:#?}");
    }
}

/// Those that the others are without.
fn lacking<'a>(of: &'a [String], others: &[String]) -> Vec<&'a String> {
    of.iter().filter(|item| others.binary_search(item).is_err()).collect()
}

fn sorted(items: &[Item]) -> Vec<String> {
    let text = |item: &Item| {
        let mut it = item.it.clone();
        without_place(&mut it);
        format!("{}: {it}", item.scope)
    };
    let mut all: Vec<String> = items.iter().map(text).collect();
    all.sort();
    all
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

/// All scenarios, exported to that place.
fn conforms(decoder: &Decoder, place: &str, compression: &str, has_tls: bool) {
    conforms_in("http/protobuf", decoder, place, compression, has_tls);
}

fn conforms_in(protocol: &str, decoder: &Decoder, place: &str, compression: &str, has_tls: bool) {
    let ca = decoder.certificates.ca.display();
    let url = format!("{place}?protocol={protocol}&compression={compression}&ca={ca}");
    let kept = export(&url, scenarios::record);
    let decoded = decoder.decoded();
    scenarios::check(&decoded);
    compare(&kept, &decoded);
    let encoding = if compression == "none" { "" } else { compression };
    let content_type = if protocol == "http/json" { "application/json" } else { "application/x-protobuf" };
    for request in &decoded.all {
        assert_eq!(request["content_type"], content_type);
        assert_eq!((&request["encoding"], &request["has_tls"]), (&json!(encoding), &json!(has_tls)));
    }
}

fn conforms_with_and_without_tls(compression: &str) {
    for has_tls in [false, true] {
        let Some(decoder) = Decoder::start() else { return };
        let place = if has_tls {
            format!("otlp+https://127.0.0.1:{}", decoder.tls_port)
        } else {
            format!("otlp://127.0.0.1:{}", decoder.port)
        };
        conforms(&decoder, &place, compression, has_tls);
    }
}

#[test]
fn plain_bodies_arrive_as_they_were() {
    conforms_with_and_without_tls("none");
}

#[test]
fn gzip_arrives_as_it_was() {
    conforms_with_and_without_tls("gzip");
}

#[test]
fn zstd_arrives_as_it_was() {
    conforms_with_and_without_tls("zstd");
}

#[test]
fn json_arrives_as_it_was() {
    for compression in ["none", "gzip", "zstd"] {
        let Some(decoder) = Decoder::start() else { return };
        let place = format!("otlp://127.0.0.1:{}", decoder.port);
        conforms_in("http/json", &decoder, &place, compression, false);
    }
}

#[test]
fn tls_and_http_2_through_nginx() {
    for compression in ["none", "gzip", "zstd"] {
        let Some(decoder) = Decoder::start() else { return };
        let Some(nginx) = Nginx::before(decoder.port, &decoder.certificates) else { return };
        conforms(&decoder, &format!("otlp+https://127.0.0.1:{}", nginx.port), compression, false);
        assert!(decoder.decoded().all.iter().all(|request| request["forwarded"] == "nginx"));
        let log = nginx.log();
        for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
            assert!(log.contains(&format!("HTTP/2.0 TLSv1.3 200 {path}")), "{log}");
        }
        assert!(log.lines().all(|line| line.starts_with("HTTP/2.0 TLSv1.3 200 ")), "{log}");
    }
}

#[test]
fn what_is_too_much_for_one_request_arrives_in_several() {
    for compression in ["none", "gzip", "zstd"] {
        let Some(decoder) = Decoder::start() else { return };
        let url = format!("otlp://127.0.0.1:{}?compression={compression}", decoder.port);
        let kept = export(&url, scenarios::many::record);
        let decoded = decoder.decoded();
        scenarios::many::check(&decoded);
        compare(&kept, &decoded);
    }
}

#[test]
fn deltas_arrive_as_deltas() {
    let Some(decoder) = Decoder::start() else { return };
    let url = format!("otlp://127.0.0.1:{}?temporality=delta&signals=metrics", decoder.port);
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
    assert_eq!(sorted(&decoded.points), sorted(&expected.points));
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
