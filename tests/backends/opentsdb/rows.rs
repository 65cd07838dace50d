//! What potsdb does, a test for each: lines, threads, queue, host tag, rate, check, reconnecting, waiting, tags and times.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::exporters::{HostTag, Route, from_url};
use telemetry_layer::model::{DataPoint, Kind, Metric, Tags};
use telemetry_layer::{CheckAtStart, Error};
use telemetry_tests::SOON;
use telemetry_tests::receiver::{refusing, silent};
use telemetry_tests::scripted_tsd::{Say, ScriptedTsd};

use super::{NANOS, TIME, account, exporting};

fn quiet() -> ScriptedTsd {
    ScriptedTsd::telnet(|_, _| Say::Nothing)
}

fn point(name: impl Into<String>, value: f64) -> DataPoint {
    DataPoint::new(name.into(), value).at(TIME * NANOS)
}

/// The values of a metric whose points have them in order.
fn values(lines: &[String]) -> Vec<u64> {
    lines.iter().map(|line| line.split(' ').nth(3).unwrap().parse().unwrap()).collect()
}

#[test]
fn p1_a_point_is_a_line_of_put_with_its_number_as_short_as_can_be() {
    let server = quiet();
    let collector = exporting(&format!("opentsdb://{}?host_tag=till", server.address), |builder| builder);
    collector.send([point("cpu.load", 0.1 + 0.2), point("whole", 7.0), point("größe", -3.0)]).unwrap();
    let tags = Tags::parse("where: room 7 b, größe: x=y").unwrap();
    collector.send([DataPoint::new("big", i64::MIN).tags(tags).at(TIME * NANOS)]).unwrap();
    collector.collect_metric(Metric::new(Kind::Gauge, "nan", f64::NAN, TIME * NANOS));
    collector.collect_metric(Metric::new(Kind::Gauge, "infinite", f64::NEG_INFINITY, TIME * NANOS));
    let account = account(&collector.shutdown(SOON));
    let of_all = "host=till service.name=shop";
    assert_eq!(
        server.lines(),
        [
            format!("put cpu.load {TIME} 0.30000000000000004 {of_all}"),
            format!("put whole {TIME} 7 {of_all}"),
            format!("put gr__e {TIME} -3 {of_all}"),
            format!(
                "put big {TIME} -9223372036854775808 gr__e=x_y host=till service.name=shop where=room_7_b"
            ),
        ]
        .map(sorted)
    );
    assert_eq!((account.delivered, account.rejected), (4, 2));
}

/// Of a line that stands here, the tags as they are sorted before they are made to fit.
fn sorted(line: String) -> String {
    let Some(rest) = line.strip_prefix("put big ") else { return line };
    let mut words: Vec<_> = rest.split(' ').collect();
    words[2..].sort_by_key(|word| word.replace("gr__e", "größe"));
    format!("put big {}", words.join(" "))
}

#[test]
fn p2_whoever_sends_does_not_wait_for_a_server() {
    // It makes connections and never reads.
    let (_listener, address) = silent();
    let collector = exporting(&format!("opentsdb://{address}?answer_ms=0"), |builder| {
        builder.exporter_bytes(64 << 10).check_at_start(CheckAtStart::Off)
    });
    for n in 0..50_000 {
        collector.send([point(format!("some.metric.with.a.name.{n}"), 1.0)]).unwrap();
    }
    let report = collector.shutdown(Duration::from_millis(100));
    assert!(!report.is_complete() && report.ledger().balances(), "{report}");
}

#[test]
fn p3_a_full_queue_drops_the_oldest_and_counts_it() {
    const MANY: u64 = 20_000;
    let address = refusing();
    let collector = exporting(&format!("opentsdb://{address}"), |builder| {
        builder.exporter_bytes(64 << 10).check_at_start(CheckAtStart::Off)
    });
    for n in 0..MANY {
        collector.send([DataPoint::new("queued", n).at(TIME * NANOS)]).unwrap();
        if n % 100 == 99 {
            collector.flush(Duration::ZERO);
        }
    }
    let server = ScriptedTsd::telnet_at(address, |_, _| Say::Nothing);
    let report = collector.shutdown(SOON);
    let (account, mut values) = (account(&report), values(&server.lines()));
    // What was tried already may come behind what came later.
    values.sort_unstable();
    assert_eq!(account.delivered, values.len() as u64, "{report}");
    assert_eq!(account.delivered + account.dropped.total(), MANY, "{report}");
    assert!(account.dropped.total() > 0 && !report.is_complete(), "{report}");
    assert_eq!(values.last(), Some(&(MANY - 1)), "the newest is there");
    // What is kept is what came last, and whole requests that were tried already: few long stretches.
    let gaps = values.windows(2).filter(|two| two[1] != two[0] + 1).count();
    assert!(gaps * 10 < values.len(), "{report}: {values:?}");
}

/// The tags of the only point of a metric.
fn tags_of(lines: &[String], name: &str) -> Vec<String> {
    let found: Vec<_> = lines.iter().filter(|line| line.split(' ').nth(1) == Some(name)).collect();
    let [line] = found[..] else { panic!("{name}: {lines:#?}") };
    line.split(' ').skip(4).map(str::to_owned).collect()
}

fn host_name() -> String {
    let output = std::process::Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn p4_a_point_says_its_host_and_has_one_tag_at_least() {
    let own = Tags::parse("host: app1.local").unwrap();
    let send = |options: &str, change: fn(Route) -> Route| {
        let server = quiet();
        let route = change(from_url(&format!("opentsdb://{}?{options}", server.address)).unwrap());
        let (collector, _) = telemetry_tests::collector(|b| b.service("shop", "1").exporter(route));
        collector.send([point("a", 1.0), point("own", 1.0).tags(own.clone())]).unwrap();
        account(&collector.shutdown(SOON));
        assert!(tags_of(&server.lines(), "own").contains(&"host=app1.local".to_owned()));
        tags_of(&server.lines(), "a")
    };
    let name = "service.name=shop".to_owned();
    let with = |host: &str| vec![format!("host={host}"), name.clone()];
    assert_eq!(send("", |route| route), with(&host_name()));
    assert_eq!(send("host_tag=till", |route| route), with("till"));
    assert_eq!(send("", |route| route.host_tag(HostTag::Named("till-2".into()))), with("till-2"));
    for (options, change) in
        [("host_tag=off", (|route| route) as fn(Route) -> Route), ("", |route| route.host_tag(HostTag::Off))]
    {
        assert_eq!(send(options, change), std::slice::from_ref(&name), "there is one tag at least");
    }
}

#[test]
fn p5_a_rate_delays_and_drops_nothing() {
    let server = quiet();
    let (tell, told) = mpsc::channel();
    let url = format!("opentsdb://{}?rate=5&answer_ms=0", server.address);
    let collector =
        exporting(&url, |builder| builder.on_export(move |report| drop(tell.send(report.clone()))));
    let begin = Instant::now();
    collector.send((0..12).map(|n| DataPoint::new("limited", n))).unwrap();
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && account_of(&report) == (12, 0), "{report}");
    assert!(begin.elapsed() >= Duration::from_secs(1), "those of one second go at once, seven have to wait");
    assert_eq!(values(&server.lines()), (0..12).collect::<Vec<_>>());
    let sent: Vec<_> = told.iter().filter(|of| of.exporter == "opentsdb").map(|of| of.items).collect();
    assert_eq!((sent[0], sent.iter().sum::<u64>()), (5, 12), "{sent:?}");
}

#[test]
fn p6_a_check_at_the_start_fails_loudly_where_that_is_wanted() {
    let started = |address: SocketAddr, http: &str, check| {
        let builder = telemetry_layer::Collector::builder().ignore_env().check_at_start(check);
        builder.endpoint(format!("opentsdb{http}://{address}")).start()
    };
    for http in ["", "+http"] {
        let Err(Error::Check { exporter, source, .. }) = started(refusing(), http, CheckAtStart::Fail) else {
            panic!("it starts without a server")
        };
        assert!(exporter == "opentsdb" && source.to_string().contains("refused"), "{exporter}: {source}");
        for check in [CheckAtStart::Warn, CheckAtStart::Off] {
            started(refusing(), http, check).unwrap().shutdown(SOON);
        }
    }
    let server = quiet();
    started(server.address, "", CheckAtStart::Fail).unwrap().shutdown(SOON);
    assert_eq!((server.connections(), server.lines().len()), (1, 0));
    started(server.address, "", CheckAtStart::Off).unwrap().shutdown(SOON);
    assert_eq!(server.connections(), 1, "nobody looked");
    let server = ScriptedTsd::http(|_, _| (204, String::new()));
    started(server.address, "+http", CheckAtStart::Fail).unwrap().shutdown(SOON);
    assert!(server.puts().is_empty());
}

#[test]
fn p7_what_was_on_its_way_when_a_connection_broke_is_sent_again() {
    // It goes away in the middle of a request.
    let server =
        ScriptedTsd::telnet(|n, _| if n == 3 { Say::Bye("restarting".to_owned()) } else { Say::Nothing });
    let collector = exporting(&format!("opentsdb://{}", server.address), |builder| builder);
    collector.send((0..10).map(|n| DataPoint::new("resent", n))).unwrap();
    let report = collector.shutdown(SOON);
    assert!(report.ledger().balances() && account(&report).dropped.total() == 0, "{report}");
    let seen: BTreeSet<_> = values(&server.lines()).into_iter().collect();
    assert!(seen.into_iter().eq(0..10) && server.connections() > 1);
}

#[test]
fn p7_a_server_that_comes_back_gets_what_was_kept_for_it() {
    let server = quiet();
    let address = server.address;
    let collector = exporting(&format!("opentsdb://{address}"), |builder| builder);
    let send = |n: u64| collector.send([DataPoint::new("kept", n)]).unwrap();
    send(1);
    assert!(collector.flush(SOON).is_complete());
    assert_eq!(values(&server.lines()), [1]);
    drop(server);
    send(2);
    let report = collector.flush(Duration::from_millis(300));
    assert_eq!(account_of(&report), (1, 1), "one is delivered, one waits: {report}");
    send(3);
    let server = ScriptedTsd::telnet_at(address, |_, _| Say::Nothing);
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    // In which order is not promised: what failed once may come behind what came later.
    let seen: BTreeSet<_> = values(&server.lines()).into_iter().collect();
    assert!(seen.into_iter().eq([2, 3]));
}

/// Delivered and waiting.
fn account_of(report: &telemetry_layer::Report) -> (u64, u64) {
    let account = account(report);
    (account.delivered, account.buffered)
}

#[test]
fn p8_a_flush_and_a_shutdown_say_what_was_sent_and_what_was_not() {
    let server = quiet();
    let collector = exporting(&format!("opentsdb://{}", server.address), |builder| builder);
    collector.send((0..100).map(|n| DataPoint::new("waited.for", n))).unwrap();
    let report = collector.flush(SOON);
    assert!(report.is_complete() && account_of(&report) == (100, 0), "{report}");
    server.wait_for_lines(100);
    collector.send([DataPoint::new("waited.for", 100)]).unwrap();
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && account_of(&report) == (101, 0), "{report}");
    server.wait_for_lines(101);
    // Nobody is there.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let collector = exporting(&format!("opentsdb://{nobody}"), |b| b.check_at_start(CheckAtStart::Off));
    collector.send([DataPoint::new("lost", 1)]).unwrap();
    let report = collector.shutdown(Duration::from_millis(200));
    assert!(!report.is_complete() && account(&report).dropped.total() == 1, "{report}");
}

#[test]
fn p9_each_point_has_tags_and_a_time_of_its_own() {
    let before = ScriptedTsd::telnet(|_, _| Say::Nothing);
    let clock = ManualClock::new((TIME + 7) * NANOS);
    let url = format!("opentsdb://{}?precision=ms&host_tag=off", before.address);
    let collector = exporting(&url, |builder| builder.clock(Clock::manual(&clock)));
    let tags = Tags::parse("extratag1: tagvalue, extratag2: 7").unwrap();
    collector
        .send([
            DataPoint::new("test.metric5", 100).tags(tags).at(TIME * NANOS + 123_456_789),
            DataPoint::new("test.metric6", 34),
        ])
        .unwrap();
    assert!(collector.shutdown(SOON).is_complete());
    let of_all = "service.name=shop";
    assert_eq!(
        before.lines(),
        [
            format!("put test.metric5 {TIME}123 100 extratag1=tagvalue extratag2=7 {of_all}"),
            format!("put test.metric6 {}000 34 {of_all}", TIME + 7),
        ]
    );
}
