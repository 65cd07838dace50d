//! Records, and aborts by a panic while its backend hangs: `aborting RUNTIME ADDRESS [SPOOL]`. With `aborting sends ADDRESS SPOOL`
//! the backend is standard output, and has what was stored.
#![allow(unsafe_code)] // Only C has an alarm.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use telemetry_core::__private::{Encoded, Limits, Protocol, Sending};
use telemetry_core::exporters::Route;
use telemetry_core::{Batch, Collector, Delivery, ExportError, Signal};
use telemetry_layer::{TelemetryLayer, install_panic_hook};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tracing::info;
use tracing_subscriber::layer::SubscriberExt as _;

/// So many events, each with its number.
const RECORDED: u64 = 100;

/// Messages in lines.
struct Lines {
    address: SocketAddr,
    sends: bool,
}

impl Protocol for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn limits(&self) -> Limits {
        Limits { items: 1_000, bytes: 1 << 20, in_flight: 1 }
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Events
    }

    fn encode(&self, batch: &Batch, _: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        for event in batch.events() {
            body.extend(format!("{}\n", event.message()).bytes());
        }
        Ok(batch.len().into())
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(async move {
            if self.sends {
                std::io::stdout().write_all(&body)?;
                return Ok(Delivery::all());
            }
            let backend = TcpStream::connect(self.address).await?;
            loop {
                backend.readable().await?;
            }
        })
    }
}

fn main() {
    // SAFETY: it takes a number. A program that hangs is ended by another signal then.
    unsafe { libc::alarm(60) };
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("it is told how to end");
    let (how, address) = (next(), next().parse().expect("an address"));
    let mut route = Route::over(Lines { address, sends: how == "sends" });
    if let Some(spool) = args.next() {
        route = route.spool(spool);
    }
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1)).exporter(route);
    let builder = builder.shutdown_timeout(Duration::from_secs(2)).shutdown_on_exit(true);
    // Before and after the collector's own: it comes last.
    if how == "sync" {
        install_panic_hook();
    }
    let telemetry = builder.install().expect("a collector");
    if how == "sends" {
        // The panic is one more.
        while telemetry.ledger().exporter("lines", Signal::Events).is_none_or(|it| it.delivered <= RECORDED) {
            telemetry.flush(Duration::from_secs(1));
        }
        return;
    }
    install_panic_hook();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&telemetry));
    tracing::subscriber::set_global_default(subscriber).expect("there is no other one");
    (1..=RECORDED).for_each(|id| info!("event {id}"));
    let runtime = match &*how {
        "sync" => ends(),
        "current_thread" => Builder::new_current_thread().build(),
        "one_worker" => Builder::new_multi_thread().worker_threads(1).build(),
        _ => Builder::new_multi_thread().worker_threads(4).build(),
    };
    let _ = runtime.expect("a runtime").block_on(async { tokio::spawn(async { ends() }).await });
}

fn ends() -> std::io::Result<tokio::runtime::Runtime> {
    panic!("on purpose")
}
