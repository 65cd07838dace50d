//! When requests end, and how.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::model::Status;
use telemetry_layer::{Builder, Collector, HttpServerLayer, RequestSpan};
use telemetry_tests::recorded_by;
use tokio::sync::oneshot;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::{ACTIVE, DURATION, duration, fields, head, read, request, run, send, served, tag};

#[test]
fn an_error_is_a_status_from_500_up() {
    for (status, is_error) in
        [(200, false), (302, false), (404, false), (499, false), (500, true), (503, true)]
    {
        let status = StatusCode::from_u16(status).unwrap();
        let routes = Router::new().route("/", get(move || async move { status }));
        let served = served(routes.layer(HttpServerLayer::new()), &[&head("GET /")]);
        let (span, duration) = (request(&served.kept), duration(&served.metrics));
        let error = if is_error { status.as_str() } else { "-" };
        assert_eq!(fields(span).get("error.type").map_or("-", String::as_str), error);
        assert_eq!(
            (tag(&duration, "http.response.status_code"), tag(&duration, "error.type")),
            (status.as_str(), error)
        );
        let expected = if is_error { Status::Error(String::new()) } else { Status::Unset };
        assert_eq!(span.status, expected, "{status}");
    }
}

/// What the tests' own service does with a request.
#[derive(Clone, Copy)]
enum Does {
    Answer(u16),
    Fail,
    Panic,
    PanicAtOnce,
    Wait,
}

#[derive(Debug)]
struct Refused;

impl Service<Request<()>> for Does {
    type Response = Response<()>;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Response<()>, Refused>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let does = *self;
        assert!(!matches!(does, Self::PanicAtOnce), "at once");
        Box::pin(async move {
            match does {
                Self::Answer(status) => Ok(Response::builder().status(status).body(()).unwrap()),
                Self::Fail => Err(Refused),
                Self::Panic | Self::PanicAtOnce => panic!("in a handler"),
                Self::Wait => pending().await,
            }
        })
    }
}

/// The state of a request in the metrics: how many are active and have ended, and how that one ended.
fn state(collector: &Collector) -> (f64, u64, String) {
    let metrics = collector.snapshot();
    let ended = metrics.named(DURATION).next();
    let count = ended.and_then(|metric| Some(metric.histogram()?.count)).unwrap_or(0);
    let error = ended.map_or("-", |metric| tag(&metric, "error.type"));
    (metrics.total(ACTIVE), count, error.rsplit("::").next().unwrap().to_owned())
}

/// A future is polled once, kept for a while, and dropped outside of the collector's scope.
#[test]
fn a_request_ends_with_its_answer_however_long_its_future_is_kept() {
    for (does, ended_at_once, error) in [
        (Does::Answer(204), true, "-"),
        (Does::Answer(503), true, "503"),
        (Does::Fail, true, "Refused"),
        (Does::Panic, true, "panic"),
        (Does::PanicAtOnce, true, "panic"),
        (Does::Wait, false, "cancelled"),
    ] {
        let clock = ManualClock::new(0);
        let kept_span: Arc<Mutex<Option<RequestSpan>>> = Arc::default();
        let keep = Arc::clone(&kept_span);
        let layer =
            HttpServerLayer::new().on_request(move |_, span| *keep.lock().unwrap() = Some(span.clone()));
        let mut service = layer.layer(does);
        let change = |b: Builder| b.clock(Clock::manual(&clock));
        let kept = recorded_by(
            change,
            |layer| layer,
            |collector| {
                let poll = |future: Pin<&mut dyn Future<Output = _>>| {
                    let mut context = Context::from_waker(Waker::noop());
                    assert_eq!(state(collector), (1.0, 0, "-".to_owned()));
                    clock.advance(Duration::from_millis(20));
                    future.poll(&mut context).map(|_: Result<Response<()>, Refused>| ())
                };
                let in_time = |f: &mut dyn FnMut()| {
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
                };
                let mut begun = None;
                in_time(&mut || begun = Some(Box::pin(service.call(Request::new(())))));
                in_time(&mut || {
                    if let Some(future) = &mut begun {
                        assert_eq!(poll(future.as_mut()).is_ready(), ended_at_once);
                    }
                });
                let ended = (0.0, 1, error.to_owned());
                assert_eq!(state(collector) == ended, ended_at_once, "{:?}", state(collector));
                clock.advance(Duration::from_secs(1));
                drop(begun);
                assert_eq!(state(collector), ended);
            },
        );
        let span = request(&kept);
        assert_eq!(span.status.as_ref().is_error(), error != "-", "{error}");
        assert_eq!(fields(span).get("error.type").map_or("-", |e| e.rsplit("::").next().unwrap()), error);
        let open = match does {
            Does::PanicAtOnce => Duration::ZERO,
            Does::Wait => Duration::from_millis(1020),
            _ => Duration::from_millis(20),
        };
        assert_eq!(Duration::from_nanos(span.duration_nano), open, "{error}");
        assert!(
            kept_span.lock().unwrap().as_ref().unwrap().span().is_none(),
            "who keeps it keeps nothing open"
        );
    }
}

#[test]
fn a_request_takes_as_long_as_its_span() {
    let clock = ManualClock::new(0);
    let change = |b: Builder| b.clock(Clock::manual(&clock));
    let kept = recorded_by(
        change,
        |layer| layer,
        |collector| {
            let mut future = pin!(HttpServerLayer::new().layer(Does::Answer(200)).call(Request::new(())));
            clock.advance(Duration::from_millis(30));
            assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
            let metrics = collector.snapshot();
            let value = duration(&metrics).histogram().unwrap().clone();
            assert_eq!((value.sum, value.exemplars.len()), (0.03, 1), "{value:?}");
        },
    );
    assert_eq!(request(&kept).duration_nano, 30_000_000);
}

/// Says when it is dropped.
struct Gone(Option<oneshot::Sender<()>>);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.take().map(|gone| gone.send(()));
    }
}

#[test]
fn a_client_that_goes_away_cancels_its_request() {
    let (active, kept, metrics) = run(async |collector| {
        let ((begins, begun), (gone, went)) = (oneshot::channel(), oneshot::channel());
        let once = Arc::new(Mutex::new(Some((begins, Gone(Some(gone))))));
        let wait = move || async move {
            let (begins, _gone) = once.lock().unwrap().take().unwrap();
            begins.send(()).unwrap();
            pending::<&str>().await
        };
        let address = serve_at("/slow", get(wait)).await;
        let stream = send(address, &head("GET /slow")).await;
        begun.await.unwrap();
        let active = collector.snapshot().total(ACTIVE);
        drop(stream);
        went.await.unwrap();
        active
    });
    assert_eq!((active, metrics.total(ACTIVE)), (1.0, 0.0));
    let (span, duration) = (request(&kept), duration(&metrics));
    assert_eq!((&*span.name, &span.status), ("GET /slow", &Status::Error("cancelled".into())));
    assert_eq!(fields(span)["error.type"], "cancelled");
    assert_eq!(
        (tag(&duration, "error.type"), tag(&duration, "http.response.status_code")),
        ("cancelled", "-")
    );
}

#[test]
fn a_handler_that_panics_is_an_error() {
    async fn panics() -> &'static str {
        panic!("in a handler")
    }
    let (answer, kept, metrics) = run(async |_| {
        let address = serve_at("/broken", get(panics)).await;
        read(send(address, &head("GET /broken")).await).await
    });
    assert_eq!((&*answer, metrics.total(ACTIVE)), ("", 0.0));
    assert_eq!(tag(&duration(&metrics), "error.type"), "panic");
    let span = request(&kept);
    assert_eq!((&*fields(span)["error.type"], &span.status), ("panic", &Status::Error("panicked".into())));
}

async fn serve_at(path: &str, handler: axum::routing::MethodRouter) -> std::net::SocketAddr {
    crate::serve(Router::new().route(path, handler).layer(HttpServerLayer::new())).await
}
