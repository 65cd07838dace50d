//! Futures that functions returned: with what measures them until they are done or dropped.
//!
//! A future comes in with a closure that holds what measures it, and that is told what the future gives. An `async`
//! block would do the same, but holds its future twice.

use std::pin::Pin;
use std::task::{Context, Poll};

pin_project_lite::pin_project! {
    /// What comes of a future is handed to a closure.
    #[derive(Debug)]
    pub struct Returned<F, E> {
        #[pin]
        state: State<F, E>,
    }
}

pin_project_lite::pin_project! {
    /// Its parts are dropped in their order.
    #[derive(Debug)]
    #[project = Polled]
    #[project_replace = Taken]
    enum State<F, E> {
        Going {
            #[pin]
            future: F,
            end: E,
        },
        Over,
    }
}

/// Is over when it is dropped: a panic ends a call at once, not when somebody lets go of its future.
struct Ending<'a, F, E>(Pin<&'a mut State<F, E>>);

impl<F, E> Drop for Ending<'_, F, E> {
    fn drop(&mut self) {
        self.0.set(State::Over);
    }
}

impl<F: Future, E: FnOnce(F::Output) -> R, R> Returned<F, E> {
    /// Calls nothing: it is a part of each annotated function.
    #[inline]
    pub fn new(future: F, end: E) -> Self {
        Self { state: State::Going { future, end } }
    }
}

impl<F: Future, E: FnOnce(F::Output) -> R, R> Future for Returned<F, E> {
    type Output = R;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        let mut call = Ending(self.project().state);
        let Polled::Going { future, .. } = call.0.as_mut().project() else {
            panic!("a future is polled after its end")
        };
        let Poll::Ready(output) = future.poll(context) else {
            std::mem::forget(call);
            return Poll::Pending;
        };
        match call.0.as_mut().project_replace(State::Over) {
            Taken::Going { end, .. } => Poll::Ready(end(output)),
            Taken::Over => unreachable!("it was polled"),
        }
    }
}
