//! `InfluxDB`: what is recorded is read back from `InfluxDB` 1.6, which is strict, and from `VictoriaMetrics`, which takes writes of 2.x.
//! What 2.x and 3.x answer beside, a server of the tests says.

mod answers;
mod expected;
mod lines;
mod outage;
mod server;
mod traces;
mod victoria;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use telemetry_layer::exporters::ExportReport;
use telemetry_layer::model::DataPoint;
use telemetry_layer::{Builder, CheckAtStart, Collector, Signal};
use telemetry_tests::SOON;
use telemetry_tests::receiver::refusing;

use crate::scenarios::{self, Exported};
use expected::{Field, expected, same};
use server::Server;

/// A collector that exports to that URL, and what is said of attempts that went wrong.
fn exporting(url: impl Into<String>) -> (Builder, Arc<Mutex<Vec<String>>>) {
    let said = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&said);
    let on_export = move |report: &ExportReport| heard.lock().unwrap().extend(report.error.clone());
    let builder =
        scenarios::builder(Collector::builder().ignore_env()).flush_interval(Duration::from_hours(1));
    (builder.endpoint(url.into()).on_export(on_export), said)
}

/// Integers are integers, and all else is a float, whatever a metric holds.
fn has_types(server: &Server, database: &str) {
    let mut types = BTreeMap::<String, String>::new();
    for series in server.query(database, "SHOW FIELD KEYS")[0]["series"].as_array().unwrap() {
        for pair in series["values"].as_array().unwrap() {
            let [key, kind] = [0, 1].map(|n| pair[n].as_str().unwrap().to_owned());
            let before = types.insert(key.clone(), kind.clone());
            assert!(before.is_none_or(|before| before == kind), "{key} is a {kind} too");
        }
    }
    for (key, kind) in types {
        let is_count = matches!(&*key, "value_int" | "count") || key.parse::<f64>().is_ok();
        assert_eq!(kind, if is_count { "integer" } else { "float" }, "{key}");
    }
}

/// So many points were taken, and so many left out.
#[track_caller]
fn is_counted(exported: &Exported, said: usize, unsaid: usize) {
    let account = exported.account("influxdb");
    assert_eq!((account.delivered, account.rejected), (said as u64, unsaid as u64), "{}", exported.ledger);
}

#[test]
fn what_is_recorded_is_read_back() {
    let Some(server) = Server::start() else { return };
    for (database, options) in [
        ("plain", ""),
        ("packed", "&compression=gzip"),
        ("buckets", "&histograms=buckets"),
        ("policy", "&rp=autogen&consistency=all&precision=NS"),
    ] {
        server.create(database);
        let exported = scenarios::export(&server.url(database, options));
        let (said, unsaid) = exported.sorted();
        is_counted(&exported, said.len(), unsaid.len());
        same(&expected(&said, database == "buckets"), &server.lines(database));
        has_types(&server, database);
    }
}

#[test]
fn times_are_as_exact_as_they_are_wanted() {
    let Some(server) = Server::start() else { return };
    for precision in ["ns", "us", "ms", "s"] {
        server.create(precision);
        let url = server.url(precision, &format!("&precision={precision}"));
        let exported = scenarios::export_of(&url, scenarios::dated);
        let dated: Vec<_> = exported.points.iter().filter(|point| point.name == "dated").collect();
        assert_eq!(dated.len(), scenarios::DATED.len());
        let lines = server.lines(precision).into_iter().filter(|line| line.name == "dated");
        same(&expected(&dated, false), &lines.collect::<Vec<_>>());
    }
}

#[test]
fn counters_are_deltas_by_choice() {
    let Some(server) = Server::start() else { return };
    for (database, options, want) in [("sums", "", [1, 3, 6]), ("deltas", "&temporality=delta", [1, 2, 3])] {
        server.create(database);
        let url = server.url(database, options);
        let collector = exporting(url).0.start().unwrap();
        for n in 1..=3_u64 {
            collector.counter("orders").with(&[("source", "worker-1")]).add(n);
            collector.histogram("size").record(n);
            assert!(collector.flush(SOON).is_complete());
        }
        assert!(collector.shutdown(SOON).is_complete());
        let lines = server.lines(database);
        let of = |name: &str, key: &str| -> Vec<_> {
            lines.iter().filter(|line| line.name == name).map(|line| line.fields[key].clone()).collect()
        };
        // The last reading, at the end, has nothing new.
        let orders = of("orders", "value");
        assert_eq!(orders[..3], want.map(|n| Field::Float(n.into())));
        assert!(orders[3..].iter().all(|last| *last == Field::Float(6.0)), "{orders:?}");
        // Of histograms always what came since.
        assert_eq!(of("size", "count"), [const { Field::Int(1) }; 3]);
        assert_eq!(of("size", "sum"), [1.0, 2.0, 3.0].map(Field::Float));
    }
}

#[test]
fn what_a_server_drops_is_counted_and_the_rest_is_there() {
    let Some(server) = Server::start() else { return };
    server.create("shop");
    server.write("shop", "taken,service.name=größe value=\"a text\" 1");
    let (builder, said) = exporting(server.url("shop", ""));
    let collector = builder.start().unwrap();
    let points = ["one", "taken", "two"].map(|name| DataPoint::new(name, 7).at(2));
    collector.send(points).unwrap();
    let report = collector.shutdown(SOON);
    let account = report.ledger().exporter("influxdb", Signal::Metrics).unwrap();
    assert!(report.ledger().balances() && account.rejected == 1, "{report}");
    let names: Vec<_> =
        server.lines("shop").into_iter().filter(|line| line.time == 2).map(|line| line.name).collect();
    assert_eq!(names, ["one", "two"]);
    let said = said.lock().unwrap();
    assert!(said.iter().any(|text| text.contains("field type conflict")), "{said:?}");
}

/// The server itself is asked: it looks who we are and what there is.
#[test]
fn what_is_wrong_with_a_url_is_said_at_the_start() {
    let Some(server) = Server::start() else { return };
    server.create("shop");
    let start = |url: String| {
        let builder = Collector::builder().ignore_env().check_at_start(CheckAtStart::Fail);
        builder.endpoint(url).start().map(|collector| drop(collector.shutdown(SOON)))
    };
    start(server.url("shop", "")).unwrap();
    let gone = refusing();
    for (url, what) in [
        (server.url("nowhere", ""), "404 Not Found: database not found: \"nowhere\""),
        (server.url("shop", "&rp=nowhere"), "retention policy not found: nowhere"),
        (server.url("shop", "").replace("hush-hush", "wr0ng-one"), "401 Unauthorized: authorization failed"),
        (format!("influxdb://{gone}?db=shop"), "refused"),
    ] {
        let said = start(url).unwrap_err().to_string();
        assert!(said.contains(what), "{said}");
        assert!(!said.contains("hush") && !said.contains("wr0ng-one"), "{said}");
    }
}

#[test]
fn tags_of_an_endpoint_are_tags() {
    let Some(server) = Server::start() else { return };
    server.create("shop");
    let url = server.url("shop", "&tag=region:eu&host_tag=till-7");
    let exported = scenarios::export_of(&url, |collector| collector.counter("orders").add(1));
    let line = server.lines("shop").into_iter().find(|line| line.name == "orders").unwrap();
    let tags = [("env", "test"), ("host", "till-7"), ("region", "eu")];
    assert!(tags.iter().all(|(key, value)| line.tags[*key] == *value), "{line:?}");
    assert_eq!(exported.account("influxdb").rejected, 0);
}
