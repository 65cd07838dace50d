//! How a program ends that somebody scrapes who hangs: in time, whatever its `main` is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use socket2::{Domain, Socket, Type};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, Guard};
use telemetry_tests::process::Process;
use telemetry_tests::{SOON, each};

use super::address_of;

const MAINS: [&str; 7] =
    ["returns", "fails", "panics", "shuts down", "multi-thread runtime", "current-thread runtime", "thread"];

/// A program with a page that is larger than all buffers of the system; it says where, and ends when its input does.
#[test]
#[ignore = "run by the other one, with a variable"]
fn is_scraped() {
    fn builder() -> Builder {
        Collector::builder()
            .ignore_env()
            .configure(|config| config.metrics_bytes = 64 << 20)
            .endpoint("prometheus://127.0.0.1:0")
    }
    fn begin() -> Guard {
        let guard = builder().install().unwrap();
        for n in 0..1900 {
            counter("large").with(&[("key", &format!("{n}{}", "k".repeat(4_000)))]).inc();
        }
        println!("\nserved at {}", guard.served_at()[0]);
        guard
    }
    fn wait() {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }
    async fn run() {
        let _guard = begin();
        tokio::task::spawn_blocking(wait).await.unwrap();
    }
    match &*std::env::var("MAIN").unwrap() {
        "returns" => {
            let _guard = begin();
            wait();
        }
        "fails" => {
            let fails = || -> Result<(), telemetry_layer::Error> {
                let _guard = begin();
                wait();
                builder().endpoint("nothing:").start().map(drop)
            };
            assert!(fails().is_err());
        }
        "panics" => {
            let panics = || {
                let _guard = begin();
                wait();
                panic!("at the end");
            };
            assert!(std::panic::catch_unwind(panics).is_err());
        }
        "shuts down" => {
            let guard = begin();
            wait();
            assert!(guard.shutdown(SOON).is_complete());
            assert!(guard.served_at().is_empty());
        }
        "multi-thread runtime" => {
            tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(run());
        }
        "current-thread runtime" => {
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run());
        }
        "thread" => std::thread::spawn(|| {
            let _guard = begin();
            wait();
        })
        .join()
        .unwrap(),
        other => panic!("{other}"),
    }
}

#[test]
fn in_every_kind_of_main_a_scraper_that_hangs_delays_nobody() {
    each(MAINS, |main| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "endings::is_scraped", "--nocapture", "--test-threads=1"]);
        command.env("MAIN", main).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = Process::start(&mut command);
        let mut said = BufReader::new(program.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = said.find_map(|line| line.strip_prefix("served at ").map(str::to_owned)).unwrap();
        let address = address_of(&url);
        // They ask, and read nothing more than that it has begun.
        let hanging: Vec<_> =
            [&*format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n"), "GET /metr", ""]
                .into_iter()
                .map(|request| {
                    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                    socket.set_recv_buffer_size(4 << 10).unwrap();
                    socket.connect(&address.into()).unwrap();
                    let mut stream = std::net::TcpStream::from(socket);
                    stream.write_all(request.as_bytes()).unwrap();
                    if request.ends_with("\r\n\r\n") {
                        stream.read_exact(&mut [0; 8]).unwrap();
                    }
                    stream
                })
                .collect();
        drop(program.0.stdin.take());
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = program.0.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < SOON, "{main}: it does not end");
            std::thread::yield_now();
        };
        assert!(status.success(), "{main}: {status}");
        assert!(std::net::TcpStream::connect(address).is_err());
        drop(hanging);
    });
}
