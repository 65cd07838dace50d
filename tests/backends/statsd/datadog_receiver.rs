//! A receiver of these tests in place of Datadog's agent: it reads what that documents, packets of a Unix socket and a stream with
//! lengths, and refuses all else.

#[path = "../../../telemetry-core/src/exporters/statsd/tests/grammar.rs"]
mod grammar;

use std::collections::BTreeMap;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::thread;

use telemetry_layer::model::{Kind, MetricValue};
use tempfile::TempDir;

use self::grammar::Line;
use super::received;
use crate::scenarios::{Exported, Point, export};

/// What the agent reads of a packet.
const MOST: usize = 8192;
/// No packet of the exporter.
const END: &[u8] = b"end";

/// All packets, until the end comes.
fn packets(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = vec![0; 1 << 16];
    let next = || {
        let len = socket.recv(&mut buffer).unwrap();
        Some(buffer[..len].to_vec()).filter(|packet| packet != END)
    };
    std::iter::from_fn(next).map(|packet| String::from_utf8(packet).unwrap()).collect()
}

/// What comes before each packet of a stream is its length.
fn frames(mut rest: &[u8]) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (packet, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        packets.push(String::from_utf8(packet.to_vec()).unwrap());
        rest = behind;
    }
    assert!(rest.is_empty());
    packets
}

#[test]
fn a_receiver_in_place_of_the_agent_has_what_was_recorded() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("dsd.socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    let received = thread::spawn(move || packets(&socket));
    let exported = export(&format!("statsd+unix://{}?dialect=datadog&timestamps=true", path.display()));
    UnixDatagram::unbound().unwrap().send_to(END, &path).unwrap();
    check(&exported, &received.join().unwrap());
}

#[test]
fn a_stream_has_the_length_of_each_packet() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("dsd.stream.socket");
    let listener = UnixListener::bind(&path).unwrap();
    let url = format!("statsd+unixstream://{}?dialect=datadog&timestamps=true", path.display());
    let (exported, all) = received(
        || listener.accept().map(|(stream, _)| stream),
        || UnixStream::connect(&path),
        || export(&url),
    );
    check(&exported, &frames(&all));
}

/// What names of Datadog can hold of a text.
fn fit(name: &str) -> String {
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect()
}

fn tags(point: &Point) -> Vec<(String, String)> {
    let fit =
        |text: &str| text.replace(|c: char| c.is_control() || c.is_whitespace() || c == ',' || c == '|', "_");
    point.tags.iter().map(|(key, value)| (fit(key), fit(value))).collect()
}

fn check(exported: &Exported, packets: &[String]) {
    let account = exported.account("statsd");
    let (said, _) = exported.sorted();
    assert!(packets.iter().all(|packet| packet.len() <= MOST));
    let lines: Vec<Line> =
        packets.iter().flat_map(|packet| grammar::read(packet, "datadog").unwrap()).collect();
    let mut series = BTreeMap::<(String, Vec<(String, String)>), Vec<&Line>>::new();
    lines
        .iter()
        .for_each(|line| series.entry((line.name.clone(), line.tags.clone())).or_default().push(line));
    let mut untold = 0;
    for point in said {
        let by_hand = ["dated", "point", "recorded", "series"].contains(&&*point.name);
        let Some(of) = series.get(&(fit(&point.name), tags(point))) else {
            // One that did not move, or one whose line is longer than a packet.
            assert!(point.numbers() == [("", 0.into())] || point.name == "long", "{point:?} is not there");
            untold += 1;
            continue;
        };
        match &point.value {
            MetricValue::Histogram(histogram) => {
                let is_time = ["work", "explicit", "took"].contains(&&*point.name);
                let scale = if is_time { 1e3 } else { 1.0 };
                let is_kind = |line: &&Line| line.kind == if is_time { "ms" } else { "d" };
                assert!(of.iter().all(is_kind), "{of:#?}");
                assert_eq!(of.iter().map(|line| line.count()).sum::<f64>(), histogram.count as f64);
                let numbers = || of.iter().flat_map(|line| line.numbers());
                let ends =
                    [numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max)];
                for (end, want) in ends.into_iter().zip([histogram.min, histogram.max]) {
                    assert!(
                        (end - want.unwrap() * scale).abs() <= end.abs() * f64::EPSILON,
                        "{point:?}: {end}"
                    );
                }
            }
            MetricValue::Number(number) => {
                let kind = match point.kind {
                    Kind::Histogram => "d",
                    Kind::Counter if !by_hand => "c",
                    _ => "g",
                };
                // A server has the last one.
                let time = point.time / 1_000_000_000;
                let time = Some(time).filter(|time| *time > 0 && kind != "d");
                let is_it = |line: &&Line| {
                    line.kind == kind
                        && line.numbers() == [number.as_f64()]
                        && line.seconds.is_none_or(|at| Some(at) == time)
                };
                assert!(of.iter().any(is_it), "{point:?}: {of:#?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let delivered = exported.points.len() as u64 - exported.sorted().1.len() as u64 - untold;
    assert!(account.delivered >= delivered, "{account:?}");
}
