//! A server that goes away and comes back.

use telemetry_layer::model::DataPoint;
use telemetry_tests::{SOON, eventually};

use super::expected::Field;
use super::exporting;
use super::server::Server;

const FIRST: u64 = 1_700_000_000;
const POINTS: u64 = 300;

#[test]
fn a_server_that_goes_away_and_comes_back_has_all() {
    let Some(mut server) = Server::start() else { return };
    server.create("shop");
    let (builder, said) = exporting(server.url("shop", "&linger_ms=1&compression=gzip"));
    let collector = builder.start().unwrap();
    let record = |n: u64| {
        collector.counter("orders").add(1);
        collector.send([DataPoint::new("n", n).at((FIRST + n) * 1_000_000_000)]).unwrap();
        // Nobody waits for it.
        collector.flush(std::time::Duration::ZERO);
    };
    (0..100).for_each(record);
    let has_points = || server.lines("shop").iter().any(|line| line.name == "n");
    eventually("the first points", || has_points().then_some(()));
    // In the middle of whatever it does.
    server.stop();
    (100..200).for_each(record);
    eventually("an attempt that goes wrong", || said.lock().unwrap().first().map(drop));
    server.begin();
    (200..POINTS).for_each(record);
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().lost() == 0, "{report}");

    let lines = server.lines("shop");
    let points = lines.iter().filter(|line| line.name == "n");
    let points: Vec<_> =
        points.map(|line| (line.time / 1_000_000_000 - FIRST, line.fields["value"].clone())).collect();
    assert_eq!(points, (0..POINTS).map(|n| (n, Field::Float(n as f64))).collect::<Vec<_>>());
    let orders = lines.iter().filter(|line| line.name == "orders").max_by_key(|line| line.time).unwrap();
    assert_eq!(orders.fields["value"], Field::Float(POINTS as f64));
    let said = said.lock().unwrap();
    assert!(said.iter().all(|text| !text.contains("hush")), "{said:?}");
}
