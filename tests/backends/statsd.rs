//! StatsD: what is recorded is read back from Etsy's server, from netdata, and by npm's statsd-parser. Datadog's
//! agent is not to be had: what it would be sent, a receiver of these tests takes, whose name says so.

mod datadog_receiver;
mod etsy;
mod etsy_tests;
mod hostile;
mod netdata;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::thread;

use telemetry_layer::Collector;
use telemetry_tests::{Over, SOON, collector};

use crate::scenarios::{Point, builder};

/// A collector that exports to that URL, with the global tags of the scenarios.
fn to(url: &str) -> Collector {
    collector(|b| builder(b).endpoint(url)).0
}

/// Gives what there is to the server now.
#[track_caller]
fn flush(collector: &Collector) {
    let report = collector.flush(SOON);
    assert!(report.is_complete() && report.ledger().balances(), "{report}");
}

/// What says on a connection of its own that there will be no more.
const END: &[u8] = b"no more";

/// Connects and says it, whatever happens before.
struct Ends<W: Write, C: Fn() -> io::Result<W>>(C);

impl<W: Write, C: Fn() -> io::Result<W>> Drop for Ends<W, C> {
    fn drop(&mut self) {
        let said = (self.0)().and_then(|mut stream| stream.write_all(END));
        assert!(said.is_ok() || thread::panicking(), "{said:?}");
    }
}

/// What `f` gives, and what came over all connections meanwhile, one behind the other: the check at the start may have one of its
/// own, on which nothing is said. `connect` goes where `accept` listens.
fn received<S: Read + Send, W: Write, R>(
    accept: impl Fn() -> io::Result<S> + Sync,
    connect: impl Fn() -> io::Result<W>,
    f: impl FnOnce() -> R,
) -> (R, Vec<u8>) {
    fn all_of(mut stream: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    }
    let over = Over::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut all = Vec::new();
            loop {
                let stream = accept().unwrap();
                if !over.is_over() {
                    all.push(scope.spawn(move || all_of(stream)));
                    continue;
                }
                // What was connected before is accepted before.
                let bytes = all_of(stream);
                if bytes == END {
                    break;
                }
                all.push(scope.spawn(move || bytes));
            }
            all.into_iter().flat_map(|read| read.join().unwrap()).collect()
        });
        // They end in the opposite order.
        let ends = Ends(connect);
        let until = over.when_dropped();
        let result = f();
        drop(until);
        drop(ends);
        (result, reader.join().unwrap())
    })
}

/// What names of plain StatsD can hold of a text.
fn fit(text: &str, has_dots: bool) -> String {
    let fit = |c: char| match c {
        '/' => '-',
        '.' if !has_dots => '_',
        '.' | '-' | '_' => c,
        _ if c.is_ascii_alphanumeric() => c,
        _ => '_',
    };
    text.chars().map(fit).collect()
}

/// The name of a point there, with all its tags.
fn plain_name(name: &str, tags: &BTreeMap<String, String>) -> String {
    let with_value = tags.iter().filter(|(_, value)| !value.is_empty());
    let tags: Vec<_> =
        with_value.map(|(key, value)| format!(".{}.{}", fit(key, false), fit(value, false))).collect();
    fit(name, true) + &tags.concat()
}

fn name_of(point: &Point) -> String {
    plain_name(&point.name, &point.tags)
}
