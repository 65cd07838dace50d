//! A request while its service works on it.

use std::any::type_name;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use super::call::Call;
use super::settings::Settings;

pin_project_lite::pin_project! {
    /// The answer of an [`HttpServer`](crate::HttpServer), with the span of its request.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct HttpServerFuture<F> {
        #[pin]
        future: Option<F>,
        // None for a request that is left out, and after its end.
        call: Option<Call>,
    }

    impl<F> PinnedDrop for HttpServerFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(call) = this.call {
                call.within(|| this.future.set(None));
            }
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
        let mut call = Call::begin(settings, &mut head);
        let request = Request::from_parts(head, body);
        let future = Call::run(&mut call, || service.call(request));
        Self { future: Some(future), call }
    }

    /// The answer, and the request that has it: whoever drops that cuts it off.
    pub(super) fn poll_answer<R, E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<(F::Output, Option<Call>)>
    where
        F: Future<Output = Result<Response<R>, E>>,
    {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let mut answer = ready!(Call::run(this.call, || future.poll(cx)));
        // What it still holds goes in the span, and before that ends.
        Call::run(this.call, || this.future.set(None));
        let mut call = this.call.take();
        if let Some(call) = &mut call {
            match &mut answer {
                Ok(answer) => call.answered(answer.status(), answer.headers_mut()),
                Err(_) => call.failed(type_name::<E>()),
            }
        }
        Poll::Ready((answer, call))
    }
}

impl<F, R, E> Future for HttpServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let (answer, call) = ready!(self.poll_answer(cx));
        if let Some(call) = call {
            call.end();
        }
        Poll::Ready(answer)
    }
}
