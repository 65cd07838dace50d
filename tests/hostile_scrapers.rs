//! Whoever asks for a page without good will: what they take is bounded, and those of good will are served. Alone in its program,
//! which counts what it allocates and what it has open.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use telemetry_layer::prelude::*;
use telemetry_tests::{Counted, Over, SOON};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Connections of the server at a time.
const CONNECTIONS: usize = 64;
/// What it takes of memory for one of them, at most, besides the page.
const BYTES_OF_ONE: usize = 64 << 10;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// The page, or none where one of those that are too many was closed for somebody else.
fn scrape(address: SocketAddr) -> Option<String> {
    let mut stream = connected(address);
    let asked = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    page.contains(" 200 OK\r\n").then_some(page)
}

/// What each of them sends; nobody reads.
fn attacks(address: SocketAddr) -> Vec<(&'static str, Vec<u8>)> {
    let get = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\n");
    let long = |text: &str| format!("{get}{text}: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("half a request", get.clone().into_bytes()),
        ("no request", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("a long header", long("x")),
        ("a long line", [b"GET /", &*vec![b'a'; 1 << 20]].concat()),
        ("many headers", format!("{get}{}\r\n", "a: b\r\n".repeat(100_000)).into_bytes()),
        (
            "a large body",
            format!("{get}content-length: 1000000\r\n\r\n{}", "z".repeat(1_000_000)).into_bytes(),
        ),
        ("a body without end", format!("{get}transfer-encoding: chunked\r\n\r\nfff\r\n").into_bytes()),
        ("one after the other", format!("{get}\r\n").repeat(500).into_bytes()),
        (
            "wrong headers",
            format!("{get}accept: ;;q=,*/*;q=nan,\u{e9}\r\naccept-encoding: ,,gzip;q=7\r\n\r\n").into_bytes(),
        ),
        ("an old one", b"GET /metrics\r\n\r\n".to_vec()),
        ("another one of old", b"GET /metrics HTTP/1.0\r\n\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a head", format!("HEAD /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes()),
    ]
}

#[test]
fn what_strangers_take_is_bounded_and_others_are_served() {
    let collector = Collector::builder().ignore_env().endpoint("prometheus://127.0.0.1:0").start().unwrap();
    let url = collector.served_at()[0].clone();
    let address: SocketAddr = url["http://".len()..].split('/').next().unwrap().parse().unwrap();
    for n in 0..500 {
        collector.counter("series").with(&[("n", &n.to_string()), ("long", &"x".repeat(500))]).inc();
    }
    let page = scrape(address).unwrap();
    let all = page.lines().filter(|line| line.starts_with("series_total{")).count();
    assert_eq!(all, 500);
    let attacks = attacks(address);

    let (files, memory) = (open_files(), Counted::begin_peak());
    let over = Over::default();
    let most_files = AtomicUsize::new(0);
    let (scrapes, counted) = std::thread::scope(|scope| {
        let is_over = over.when_dropped();
        let works = scope.spawn(|| {
            let counter = collector.counter("worked");
            let mut n = 0_u64;
            while !over.is_over() {
                counter.inc();
                n += 1;
            }
            n
        });
        // Two of good will: each asks until it was served so often while the others are at it.
        let good: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (begin, mut served) = (Instant::now(), 0);
                    while served < 8 {
                        assert!(begin.elapsed() < 3 * SOON, "served {served} times");
                        if let Some(page) = scrape(address) {
                            let all = page.lines().filter(|line| line.starts_with("series_total{"));
                            assert_eq!(all.count(), 500);
                            served += 1;
                        }
                    }
                    served
                })
            })
            .collect();
        // A thousand, who stay as long as they are let.
        let mut strangers: Vec<TcpStream> = Vec::with_capacity(1_000);
        for n in 0..1_000 {
            let mut stream = connected(address);
            stream.set_nonblocking(true).unwrap();
            // As much as the system takes: nobody waits.
            let _ = stream.write(&attacks[n % attacks.len()].1);
            strangers.push(stream);
            let of_server = open_files().saturating_sub(files + strangers.len());
            most_files.fetch_max(of_server, Relaxed);
        }
        let scrapes: usize = good.into_iter().map(|one| one.join().unwrap()).sum();
        drop(strangers);
        drop(is_over);
        (scrapes, works.join().unwrap())
    });
    assert_eq!(scrapes, 16);
    // Those of good will have sockets too, and the page's callbacks none.
    let most = most_files.load(Relaxed);
    assert!(most <= CONNECTIONS + 8, "{most} open files");
    let taken = Counted::peak().saturating_sub(memory);
    // Each connection may have a page of its own that nobody reads, and the next one being made. What the strangers and those of good
    // will have themselves, and a few pages, is in it too. Unbounded, it would be a thousand pages.
    let bound = CONNECTIONS * (BYTES_OF_ONE + 2 * page.len()) + 24 * page.len() + (4 << 20);
    assert!(bound < 300 * page.len(), "{bound}");
    assert!(taken < bound, "{taken} bytes, of {bound}");
    assert_eq!(collector.snapshot().total("worked"), counted as f64, "nobody who records was kept from it");
    let last = scrape(address).unwrap();
    assert!(
        last.lines().any(|line| line.starts_with("worked_total") && line.ends_with(&format!(" {counted}")))
    );
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
}
