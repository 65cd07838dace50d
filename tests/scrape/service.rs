//! The page in a server of the program's own.

use std::sync::mpsc::channel;

use axum::Router;
use telemetry_layer::PrometheusService;
use telemetry_layer::exporters::Prometheus;
use telemetry_layer::metrics::{Reader, Source};
use telemetry_layer::prelude::*;
use tower_service::Service as _;

/// Serves a page of a collector with axum while `client` runs.
fn served<R>(collector: &Collector, client: impl AsyncFnOnce(String, reqwest::Client) -> R) -> R {
    let page = Prometheus::new();
    collector.reader(page.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let app: Router = Router::new().route_service("/metrics", PrometheusService::new(page));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let result = client(url, reqwest::Client::builder().no_proxy().build().unwrap()).await;
        server.abort();
        result
    })
}

#[test]
fn an_axum_router_takes_it_as_a_route() {
    let collector = Collector::builder().ignore_env().start().unwrap();
    collector.counter("orders").add(7);
    served(&collector, async |url, client| {
        let plain = client.get(&url).send().await.unwrap();
        assert_eq!(plain.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/plain"));
        assert_eq!(plain.headers()["vary"], "accept, accept-encoding");
        let plain = plain.text().await.unwrap();
        assert!(
            plain.lines().any(|line| line.starts_with("orders_total") && line.ends_with(" 7")),
            "{plain}"
        );
        let open = client.get(&url).header("accept", "application/openmetrics-text").send().await.unwrap();
        assert!(open.text().await.unwrap().ends_with("# EOF\n"));
        let packed = client.get(&url).header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        assert!(packed.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
        let head = client.head(&url).send().await.unwrap();
        assert_eq!((head.status().as_u16(), head.headers()["content-length"] == "0"), (200, false));
        let posted = client.post(&url).send().await.unwrap();
        assert_eq!(
            (posted.status().as_u16(), posted.headers()["allow"].to_str().unwrap()),
            (405, "GET, HEAD")
        );
    });
}

/// Keeps a page that hangs from holding more than its own requests.
#[test]
fn pages_that_hang_hold_no_thread_of_the_runtime_and_are_few() {
    let page = Prometheus::new();
    let collector = Collector::builder()
        .ignore_env()
        .configure(|config| config.callback_timeout = telemetry_tests::SOON)
        .reader(page.clone())
        .start()
        .unwrap();
    let (open, gate) = channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    collector.gauge("hangs").observe(move || {
        let _ = gate.lock().unwrap().recv();
        1
    });
    let mut service = PrometheusService::new(page);
    let request = || http::Request::get("/").body(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let statuses = runtime.block_on(async {
        let mut all: Vec<_> = (0..10).map(|_| Box::pin(service.call(request()))).collect();
        let mut refused = Vec::new();
        for late in all.split_off(8) {
            refused.push(late.await.unwrap().status().as_u16());
        }
        drop(open);
        for one in all {
            assert_eq!(one.await.unwrap().status().as_u16(), 200);
        }
        refused
    });
    assert_eq!(statuses, [503, 503]);
    // Their turns are over, so the next one has one; a moment may pass before the last thread has ended.
    super::eventually("a turn", || {
        runtime.block_on(service.call(request())).unwrap().status().is_success().then_some(())
    });
}

#[test]
fn a_reader_is_still_the_programs_own() {
    struct Own(std::sync::mpsc::Sender<Source>);
    impl Reader for Own {
        fn name(&self) -> &str {
            "own"
        }
        fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(self.0.send(source)?)
        }
    }
    let (tell, told) = channel();
    let collector = Collector::builder().ignore_env().reader(Own(tell)).start().unwrap();
    collector.counter("n").inc();
    let source = told.recv().unwrap();
    assert_eq!(source.read().total("n"), 1.0);
    drop(collector);
    assert!(source.read().is_empty());
}
