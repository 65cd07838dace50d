//! A request while its service works on it.

use std::any::type_name;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use super::call::Handling;
use super::settings::Settings;

pin_project_lite::pin_project! {
    /// The answer of an [`HttpServer`](crate::HttpServer), with the span of its request.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct HttpServerFuture<F> {
        #[pin]
        future: Option<F>,
        handling: Handling,
    }

    impl<F> PinnedDrop for HttpServerFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.handling.run(|| this.future.set(None));
        }
    }
}

impl<F> HttpServerFuture<F> {
    /// Gives a request to a service.
    pub(super) fn of<S, B>(service: &mut S, request: Request<B>, settings: &Settings) -> Self
    where
        S: Service<Request<B>, Future = F>,
    {
        let (mut head, body) = request.into_parts();
        let mut handling = Handling::begin(settings, &mut head);
        let request = Request::from_parts(head, body);
        let future = handling.run(|| service.call(request));
        Self { future: Some(future), handling }
    }

    /// The answer, and the request that has it: whoever drops that cuts it off.
    pub(super) fn poll_answer<R, E>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(F::Output, Handling)>
    where
        F: Future<Output = Result<Response<R>, E>>,
    {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let mut answer = ready!(this.handling.run(|| future.poll(cx)));
        // What it still holds goes in the span, and before that ends.
        this.handling.run(|| this.future.set(None));
        let mut handling = std::mem::take(this.handling);
        match &mut answer {
            Ok(answer) => handling.answered(answer.status(), answer.headers_mut()),
            Err(_) => handling.failed(type_name::<E>()),
        }
        Poll::Ready((answer, handling))
    }
}

impl<F, R, E> Future for HttpServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let (answer, mut handling) = ready!(self.poll_answer(cx));
        handling.end();
        Poll::Ready(answer)
    }
}
