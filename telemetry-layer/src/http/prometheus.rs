//! The page for Prometheus as a service, for programs that have a server of their own: requests come in, pages go out. A page is
//! made on a thread of its own, so no thread of a runtime waits for it, and few are made at a time.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use telemetry_core::exporters::{Answer, Prometheus};
use telemetry_core::suppress;
use tower_service::Service;

/// So many pages are made at a time; whoever else asks meanwhile is told to come again.
const MOST: usize = 8;

/// The page for Prometheus as a tower service, for a route of the program's own server.
///
/// It answers `GET` and `HEAD`, whatever the path is, in the form that the request asks for. The page is made on a thread of its
/// own, as it may have to wait for callbacks of observable instruments; where 8 are being made, the answer is 503.
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use telemetry_layer::PrometheusService;
/// use telemetry_layer::exporters::Prometheus;
/// use telemetry_layer::prelude::*;
///
/// let page = Prometheus::new();
/// let collector = Collector::builder().reader(page.clone()).start()?;
/// let app: axum::Router = axum::Router::new().route_service("/metrics", PrometheusService::new(page));
/// # drop((collector, app));
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a service does nothing before it is called"]
pub struct PrometheusService {
    page: Prometheus,
    busy: Arc<AtomicUsize>,
}

/// The body of an answer: the page, or why there is none.
#[derive(Clone, Debug)]
pub struct PrometheusBody(Option<Bytes>);

/// What a [`PrometheusService`] answers.
#[must_use = "futures do nothing unless they are polled"]
pub struct PrometheusFuture(State);

enum State {
    Known(Option<Response<PrometheusBody>>),
    Made(Arc<Mutex<Making>>),
}

/// A page that is being made.
#[derive(Default)]
struct Making {
    /// None while it is made, and where that panicked.
    answer: Option<Answer>,
    is_over: bool,
    waker: Option<Waker>,
}

impl PrometheusService {
    /// Shows that page, of which a collector has a clone.
    pub fn new(page: Prometheus) -> Self {
        Self { page, busy: Arc::default() }
    }

    fn answer(&self, method: &Method, headers: &HeaderMap) -> PrometheusFuture {
        if method != Method::GET && method != Method::HEAD {
            let mut refused = said(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return PrometheusFuture::known(refused);
        }
        let Some(turn) = Turn::take(&self.busy) else {
            let mut refused = said(StatusCode::SERVICE_UNAVAILABLE, "too many ask for this page\n");
            refused.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return PrometheusFuture::known(refused);
        };
        let making = Arc::<Mutex<Making>>::default();
        let over = Over(Arc::clone(&making), turn);
        let (page, accept, encoding) =
            (self.page.clone(), list(headers, &ACCEPT), list(headers, &ACCEPT_ENCODING));
        let make = move || {
            let answer = suppress(|| page.respond(&accept, &encoding));
            lock(&over.0).answer = Some(answer);
        };
        match std::thread::Builder::new().name("telemetry-page".to_owned()).spawn(make) {
            Ok(_) => PrometheusFuture(State::Made(making)),
            Err(_) => {
                PrometheusFuture::known(said(StatusCode::SERVICE_UNAVAILABLE, "no thread can be started\n"))
            }
        }
    }
}

/// One of those who may have a page made.
struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn take(busy: &Arc<AtomicUsize>) -> Option<Self> {
        let turn = Self(Arc::clone(busy));
        (busy.fetch_add(1, Relaxed) < MOST).then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Says that a page is made, however that ended, and lets the next one have its turn.
struct Over(Arc<Mutex<Making>>, #[expect(dead_code, reason = "it ends with it")] Turn);

impl Drop for Over {
    fn drop(&mut self) {
        let mut making = lock(&self.0);
        making.is_over = true;
        let waker = making.waker.take();
        drop(making);
        waker.into_iter().for_each(Waker::wake);
    }
}

fn lock(making: &Mutex<Making>) -> MutexGuard<'_, Making> {
    making.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> Service<Request<B>> for PrometheusService {
    type Response = Response<PrometheusBody>;
    type Error = Infallible;
    type Future = PrometheusFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> PrometheusFuture {
        self.answer(request.method(), request.headers())
    }
}

impl PrometheusFuture {
    fn known(answer: Response<PrometheusBody>) -> Self {
        Self(State::Known(Some(answer)))
    }
}

impl Future for PrometheusFuture {
    type Output = Result<Response<PrometheusBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let made = match &mut self.0 {
            State::Known(answer) => {
                return answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)));
            }
            State::Made(making) => {
                let mut making = lock(making);
                if !making.is_over {
                    making.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                making.answer.take()
            }
        };
        self.0 = State::Known(None);
        let panicked =
            || said(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made: it panicked\n");
        Poll::Ready(Ok(made.map_or_else(panicked, shown)))
    }
}

impl fmt::Debug for PrometheusFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrometheusFuture")
    }
}

impl Body for PrometheusBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

fn shown(answer: Answer) -> Response<PrometheusBody> {
    let (content_type, encoding) = (answer.content_type(), answer.content_encoding());
    let mut response = Response::new(PrometheusBody(Some(Bytes::from_owner(answer))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn said(status: StatusCode, text: &'static str) -> Response<PrometheusBody> {
    let mut response = Response::new(PrometheusBody(Some(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// All that headers of that name say, as one.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    values.collect::<Vec<_>>().join(", ")
}
