//! Requests that last until the last byte of their answer is on its way: for answers that are streamed.

use std::any::type_name;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Buf as _;
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::call::Handling;
use super::future::HttpServerFuture;
use super::settings::Settings;

/// What [`HttpServerLayer::until_body_ends`](crate::HttpServerLayer::until_body_ends) makes: a layer whose requests end
/// with the last byte of their answers.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing before a service is built with it"]
pub struct HttpServerBodyLayer {
    settings: Arc<Settings>,
}

impl HttpServerBodyLayer {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }
}

impl<S> Layer<S> for HttpServerBodyLayer {
    type Service = HttpServerWithBody<S>;

    fn layer(&self, service: S) -> HttpServerWithBody<S> {
        HttpServerWithBody { service, settings: Arc::clone(&self.settings) }
    }
}

/// The service that [`HttpServerBodyLayer`] makes.
#[derive(Clone, Debug)]
#[must_use = "a service does nothing before it is called"]
pub struct HttpServerWithBody<S> {
    service: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for HttpServerWithBody<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<HttpServerBody<R>>;
    type Error = S::Error;
    type Future = HttpServerBodyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        HttpServerBodyFuture { future: HttpServerFuture::of(&mut self.service, request, &self.settings) }
    }
}

pin_project_lite::pin_project! {
    /// The answer of an [`HttpServerWithBody`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct HttpServerBodyFuture<F> {
        #[pin]
        future: HttpServerFuture<F>,
    }
}

impl<F, R, E> Future for HttpServerBodyFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<HttpServerBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (answer, mut handling) = ready!(self.project().future.poll_answer(cx));
        Poll::Ready(match answer {
            Ok(answer) => Ok(HttpServerBody::of(answer, handling)),
            Err(error) => {
                handling.end();
                Err(error)
            }
        })
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer, with the span of its request.
    #[derive(Debug)]
    pub struct HttpServerBody<B> {
        #[pin]
        body: Option<B>,
        handling: Handling,
        // How many bytes are still to come, where that is known.
        left: Option<u64>,
    }

    impl<B> PinnedDrop for HttpServerBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.handling.run(|| this.body.set(None));
            // A server that has sent as many bytes as it promised asks for no more.
            if *this.left == Some(0) {
                this.handling.end();
            }
        }
    }
}

impl<B: Body> HttpServerBody<B> {
    fn of(answer: Response<B>, handling: Handling) -> Response<Self> {
        let promised =
            answer.headers().get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok());
        answer.map(|body| {
            let left = promised.or(body.size_hint().exact());
            let is_over = left == Some(0) || body.is_end_stream() || handling.has_no_body();
            let mut body = Self { body: Some(body), handling, left };
            if is_over {
                body.handling.end();
            }
            body
        })
    }
}

impl<B: Body> Body for HttpServerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(this.handling.run(|| body.poll_frame(cx)));
        let is_over = match &frame {
            Some(Ok(frame)) => {
                let sent = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                *this.left = this.left.map(|left| left.saturating_sub(sent));
                frame.is_trailers()
                    || this.body.as_ref().as_pin_ref().is_some_and(|body| body.is_end_stream())
            }
            Some(Err(_)) => {
                this.handling.failed(type_name::<B::Error>());
                true
            }
            None => true,
        };
        if is_over {
            this.handling.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
