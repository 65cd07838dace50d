//! A small shop on a free loopback port, under load from a client of its own, with all of its telemetry in
//! files: `cargo run --release -p telemetry-examples --bin shop`.

mod chance;
mod client;
mod report;
mod service;
mod slowest;
mod stock;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use telemetry_layer::{Collector, Guard};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::slowest::Slowest;
use crate::stock::Stock;

/// A web shop that shows what telemetry gives.
#[derive(Parser)]
#[command(after_help = "TELEMETRY_* and RUST_LOG are obeyed; see the README.")]
struct Flags {
    /// How long the client sends requests.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many requests a second it sends.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Where telemetry goes; may be given several times. Without, it is `file:target/telemetry`.
    #[arg(long, value_name = "URL")]
    export: Vec<String>,
    /// No client: serve until a signal comes.
    #[arg(long)]
    serve: bool,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where the database lies; a temporary file where this is not given.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let slowest = Arc::new(Slowest::default());
    let telemetry = match set_up(&flags, &slowest) {
        Ok(telemetry) => telemetry,
        Err(e) => {
            eprintln!("shop: {e}");
            return ExitCode::from(2);
        }
    };
    for page in telemetry.served_at() {
        println!("the metrics are at {page}");
    }
    let ran = tokio::runtime::Runtime::new().map_err(AnyError::from).and_then(|rt| rt.block_on(run(&flags)));
    let metrics = telemetry.snapshot();
    let endpoints = telemetry.config().export_endpoints.clone();
    let ended = telemetry.shutdown(Duration::from_secs(10));
    report::print(&metrics, &slowest, &ended, &endpoints);
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("shop: {e}");
            ExitCode::FAILURE
        }
    }
}

fn set_up(flags: &Flags, slowest: &Arc<Slowest>) -> Result<Guard, telemetry_layer::Error> {
    let mut builder = Collector::builder().exporter(slowest.exporter());
    for url in &flags.export {
        builder = builder.endpoint(url);
    }
    telemetry_layer::init_with(builder.default_endpoint("file:target/telemetry"))
}

async fn run(flags: &Flags) -> Result<(), AnyError> {
    let (_kept, stock) = open(flags)?;
    let (stop, mut stopped) = watch::channel(false);
    stop_on_signal(stop.clone())?;

    let listener = TcpListener::bind(("127.0.0.1", flags.port))
        .await
        .map_err(|e| format!("can't listen on 127.0.0.1:{}: {e}", flags.port))?;
    let address = listener.local_addr()?;
    println!("the shop listens on http://{address}");
    let (close, mut closed) = watch::channel(false);
    let serve =
        axum::serve(listener, service::router(Arc::clone(&stock))).with_graceful_shutdown(async move {
            let _ = closed.wait_for(|closed| *closed).await;
        });
    let server = tokio::spawn(async move { serve.await });

    if flags.serve {
        println!("stop it with Ctrl-C or SIGTERM");
        stopped.wait_for(|stopped| *stopped).await?;
    } else {
        let load = client::Load { address, rate: flags.rate, time: Duration::from_secs(flags.seconds) };
        let answers = load.run(stopped).await?;
        report::print_answers(&answers);
    }
    close.send_replace(true);
    server.await??;
    println!("orders in the database: {}", stock.orders()?);
    Ok(())
}

/// The database, and what keeps a temporary file of it.
fn open(flags: &Flags) -> Result<(Option<tempfile::TempDir>, Arc<Stock>), AnyError> {
    let Some(path) = &flags.data else {
        let directory = tempfile::tempdir()?;
        let stock = Stock::open(&directory.path().join("shop.redb"))?;
        return Ok((Some(directory), Arc::new(stock)));
    };
    Ok((None, Arc::new(Stock::open(path)?)))
}

/// SIGINT and SIGTERM end the run in order: everything recorded is exported, the report is printed.
fn stop_on_signal(stop: watch::Sender<bool>) -> Result<(), AnyError> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        stop.send_replace(true);
    });
    Ok(())
}
