//! Programs that others wrote for `tracing`, with our layer at TRACE: every exported trace is a tree with times that nest,
//! nothing of our own is among it, nothing is lost.

use std::collections::HashMap;
use std::task::Poll;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use telemetry_layer::model::{Span, SpanId, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::{HttpServerLayer, inject_headers};
use telemetry_tests::{Kept, SOON, collector};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tracing::instrument::WithSubscriber as _;
use tracing::{Dispatch, Instrument as _, info_span};
use tracing_subscriber::registry;

/// Every span lies inside its parent, which is there; nothing is telemetry's own.
fn check(kept: &Kept) {
    let by_id: HashMap<SpanId, &Span> = kept.spans.iter().map(|span| (span.span_id, span)).collect();
    assert_eq!(by_id.len(), kept.spans.len(), "ids are unique");
    for span in &kept.spans {
        assert!(!span.target.starts_with("telemetry_core"), "{span:?}");
        let Some(parent) = span.parent_span_id else { continue };
        let Some(parent) = by_id.get(&parent) else { panic!("the parent of {span:?} is not there") };
        assert_eq!(parent.trace_id, span.trace_id);
        // The Registry holds parents open for their children.
        assert!(parent.start_unix_nano <= span.start_unix_nano, "{parent:?} begins after {span:?}");
        assert!(parent.end_unix_nano() >= span.end_unix_nano(), "{parent:?} ends before {span:?}");
    }
    for event in &kept.events {
        assert!(event.span_id.is_none_or(|id| by_id.contains_key(&id)), "the span of {event:?} is not there");
        assert!(!event.target.starts_with("telemetry_core"), "{event:?}");
    }
}

/// Runs a program with the layer at TRACE, on a runtime of its own; what was exported.
fn traced<F: Future<Output = ()> + Send>(program: impl FnOnce() -> F) -> Kept {
    let of_the_runtime = |dispatch: &Dispatch, runtime: &mut runtime::Builder| {
        // Threads of the runtime have the subscriber for as long as they live.
        let own = dispatch.clone();
        runtime.on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&own)));
    };
    traced_on(of_the_runtime, program)
}

/// The same for a program that starts threads itself: all threads have the layer. One test of a process can do so.
fn traced_everywhere<F: Future<Output = ()> + Send>(program: impl FnOnce() -> F) -> Kept {
    let of_all = |dispatch: &Dispatch, _: &mut runtime::Builder| {
        tracing::dispatcher::set_global_default(dispatch.clone()).unwrap();
    };
    traced_on(of_all, program)
}

fn traced_on<F: Future<Output = ()> + Send>(
    install: impl FnOnce(&Dispatch, &mut runtime::Builder),
    program: impl FnOnce() -> F,
) -> Kept {
    let (collector, memory) = collector(|b| b.flush_interval(Duration::from_millis(50)));
    let dispatch = Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    let mut runtime = runtime::Builder::new_multi_thread();
    install(&dispatch, &mut runtime);
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(program().with_subscriber(dispatch.clone()));
    runtime.shutdown_timeout(SOON);
    drop(dispatch);
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    memory.kept()
}

#[test]
fn mini_redis_under_load() {
    let kept = traced(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(mini_redis::server::run(listener, async move { drop(stopped.await) }));
        let clients = (0..8).map(|client| {
            let work = async move {
                let mut redis = mini_redis::client::connect(address).await.unwrap();
                for n in 0..50 {
                    let key = format!("{client}.{n}");
                    redis.set(&key, key.clone().into()).await.unwrap();
                    assert_eq!(redis.get(&key).await.unwrap().unwrap(), key);
                }
            };
            tokio::spawn(work.instrument(info_span!("client", client)))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        drop(stop);
        server.await.unwrap().unwrap();
    });
    check(&kept);
    let count = |name: &str| kept.spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("client"), count("set"), count("get")), (8, 400, 400));
}

#[test]
fn axum_tower_http_and_reqwest_join_in_one_trace() {
    let kept = traced(|| async {
        let back = axum::Router::new()
            .route("/price/{id}", axum::routing::get(|| async { info_span!("look up").in_scope(|| "42") }))
            .layer(tower_http::trace::TraceLayer::new_for_http())
            .layer(HttpServerLayer::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, back).await });
        let client = reqwest::Client::new();
        for n in 0..100 {
            let ask = async {
                let url = format!("http://{address}/{}", if n % 10 == 9 { "missing" } else { "price/7" });
                let mut request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
                inject_headers(request.headers_mut());
                client.execute(request).await.unwrap().text().await.unwrap()
            };
            ask.instrument(info_span!("order", n)).await;
        }
        server.abort();
        let _ = server.await;
    });
    check(&kept);
    let of = |name: &str| kept.spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let orders: HashMap<SpanId, &Span> = of("order").into_iter().map(|span| (span.span_id, span)).collect();
    let (priced, missing, looked) = (of("GET /price/{id}"), of("GET"), of("look up"));
    assert_eq!((orders.len(), priced.len(), missing.len(), looked.len()), (100, 90, 10, 90));
    for span in priced.into_iter().chain(missing) {
        let caller = orders[&span.parent_span_id.unwrap()];
        assert_eq!(caller.trace_id, span.trace_id);
    }
    assert!(kept.spans.iter().any(|span| span.target.starts_with("tower_http")));
}

/// What exporters need of TLS leaves that of the program as it is: nobody has to install a provider.
#[test]
fn tls_of_the_program_needs_no_provider_because_of_exporters() {
    let has_provider = || rustls::crypto::CryptoProvider::get_default().is_some();
    assert!(!has_provider());
    assert!(reqwest::Client::builder().build().is_ok());
    assert!(!has_provider(), "the client has its own");
    // This picks the one that the program is built with, and panics where there are two or none.
    let _ = rustls::ClientConfig::builder();
    assert!(has_provider());
}

/// A transaction that puts one row in, and one more that is not unique where it should fail.
async fn transfer(pool: &SqlitePool, key: i64, fails: bool) -> Result<i64, sqlx::Error> {
    let insert = "INSERT INTO transfer (key, amount) VALUES (?, ?)";
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(insert).bind(key).bind(1).execute(&mut *transaction).await?;
    if fails {
        sqlx::query(insert).bind(key).bind(2).execute(&mut *transaction).await?;
    }
    let query = sqlx::query_scalar("SELECT sum(amount) FROM transfer WHERE key = ?");
    let sum = query.bind(key).fetch_one(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(sum)
}

/// A query whose caller goes away before the first row.
async fn abandoned(pool: &SqlitePool) {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n";
    let mut connection = pool.acquire().await.unwrap();
    let mut query = Box::pin(sqlx::query(rows).fetch_all(&mut *connection));
    // Polled once: the worker has begun by then, and would fill the buffer of rows.
    std::future::poll_fn(|context| Poll::Ready(query.as_mut().poll(context).is_ready())).await;
}

/// Connections have threads of their own that enter the caller's span while they work for it.
#[test]
fn sqlx_with_a_pool_transactions_and_errors() {
    const CLIENTS: i64 = 8;
    const TRANSFERS: i64 = 25;
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("bank.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(SOON);
    let kept = traced_everywhere(|| async {
        let pool = SqlitePoolOptions::new().max_connections(4).acquire_timeout(SOON).connect_with(options);
        let pool = pool.instrument(info_span!("connect")).await.unwrap();
        let table = sqlx::query("CREATE TABLE transfer (key INTEGER PRIMARY KEY, amount INTEGER NOT NULL)");
        table.execute(&pool).instrument(info_span!("migrate")).await.unwrap();
        let clients = (0..CLIENTS).map(|client| {
            let pool = pool.clone();
            let work = async move {
                for n in 0..TRANSFERS {
                    // Every fifth fails, and is rolled back.
                    let fails = n % 5 == 4;
                    let done = transfer(&pool, client * TRANSFERS + n, fails);
                    match done.instrument(info_span!("transfer", n, fails)).await {
                        Ok(sum) => assert!(!fails && sum == 1),
                        Err(error) => assert!(error.as_database_error().unwrap().is_unique_violation()),
                    }
                }
                abandoned(&pool).instrument(info_span!("abandoned")).await;
            };
            tokio::spawn(work.instrument(info_span!("client", client)))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        let wrong = sqlx::query("SELECT nothing FROM nowhere").execute(&pool);
        wrong.instrument(info_span!("wrong")).await.unwrap_err();
        let sum: i64 = sqlx::query_scalar("SELECT sum(amount) FROM transfer").fetch_one(&pool).await.unwrap();
        assert_eq!(sum, CLIENTS * TRANSFERS / 5 * 4);
        pool.close().await;
    });
    check(&kept);
    let count = |name: &str| kept.spans.iter().filter(|span| span.name == name).count() as i64;
    let all = CLIENTS * TRANSFERS;
    assert_eq!((count("client"), count("transfer"), count("abandoned")), (CLIENTS, all, CLIENTS));
    let by_id: HashMap<SpanId, &Span> = kept.spans.iter().map(|span| (span.span_id, span)).collect();
    // In which spans the statements that begin so were logged, and how often.
    let logged = |sql: &str| {
        let is = |value: &Value| matches!(value, Value::Str(text) if text.starts_with(sql));
        let mut spans = HashMap::new();
        for event in kept.events.iter().filter(|event| event.target == "sqlx::query") {
            if event.fields.iter().any(|(key, value)| key == "summary" && is(value)) {
                *spans.entry(event.span_id.map_or("none", |id| by_id[&id].name.as_ref())).or_default() += 1;
            }
        }
        spans
    };
    assert_eq!(logged("CREATE TABLE"), HashMap::from([("migrate", 1)]));
    assert_eq!(logged("INSERT INTO"), HashMap::from([("transfer", all + all / 5)]));
    assert_eq!(logged("SELECT sum(amount)"), HashMap::from([("transfer", all / 5 * 4), ("none", 1)]));
    assert_eq!(logged("WITH RECURSIVE"), HashMap::from([("abandoned", CLIENTS)]));
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_flat_over_many_requests() {
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let collector = Collector::builder().ignore_env().endpoint("discard:").start().unwrap();
    let dispatch = Dispatch::new(registry().with(TelemetryLayer::new(&collector)));
    // A debug build is slow; what could grow grows with each request.
    let many: u64 = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let requests = |from: u64, to: u64| {
        let work = |from: u64, to: u64| {
            for n in from..to {
                let request = info_span!("request", n, late = tracing::field::Empty);
                let _entered = request.enter();
                info_span!("query", sql = "select 1").in_scope(|| tracing::info!(n, "asked"));
                request.record("late", "a text that comes later, and is rather long".repeat(4));
            }
        };
        std::thread::scope(|scope| {
            for half in [(from, from.midpoint(to)), (from.midpoint(to), to)] {
                let dispatch = dispatch.clone();
                scope.spawn(move || tracing::dispatcher::with_default(&dispatch, || work(half.0, half.1)));
            }
        });
    };
    requests(0, many / 4);
    let before = resident();
    requests(many / 4, many);
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 40 << 20,
        "{grown} bytes more: buffers alone may take 16 MiB and as much again on their way"
    );
    drop(dispatch);
    let report = collector.shutdown(SOON);
    assert!(report.ledger().balances());
    assert_eq!(report.ledger().signal(telemetry_layer::Signal::Spans).recorded, 2 * many);
}
