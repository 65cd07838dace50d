//! How a call ended, found out of what it returned.

use crate::model::cut;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Error,
    Panic,
    Cancelled,
}

/// That of a call that did not return.
pub(super) fn unfinished() -> Outcome {
    if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled }
}

/// Finds out whether a value is an `Err`, also through an alias of `Result`: its own method, which only
/// `Result` has, goes before that of [`AnyOutcome`].
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);

impl<T, E> Probe<'_, Result<T, E>> {
    pub fn outcome(&self) -> Outcome {
        if self.0.is_ok() { Outcome::Ok } else { Outcome::Error }
    }
}

pub trait AnyOutcome {
    fn outcome(&self) -> Outcome {
        Outcome::Ok
    }
}

impl<T: ?Sized> AnyOutcome for Probe<'_, T> {}

/// OpenTelemetry's tag for the kind of an error.
pub(super) const ERROR_TYPE: &str = "error.type";

/// The kind of the error, if it is one: what `of` says of it, which it may borrow from it.
pub fn error_type<'a, T, E, K: std::fmt::Display>(
    result: &'a Result<T, E>,
    of: impl FnOnce(&'a E) -> K,
) -> Option<String> {
    result.as_ref().err().map(|error| cut::formatted(format_args!("{}", of(error)), cut::MAX_NAME))
}

/// The name of a type, as the compiler writes it.
pub fn type_name<E>(_: &E) -> &'static str {
    std::any::type_name::<E>()
}
