//! A call that has a timer and a span: both begin with one reading of the clock, and end with one.

use crate::clock::machine;
use crate::metrics::Site;

/// What measures a call.
pub trait Measures {
    /// The reading of the machine's counter with which it began, where it measures by that.
    fn began(&self) -> Option<u64>;

    /// What it measures, of all its outcomes the first.
    fn site(&self) -> Option<&'static Site>;
}

/// The span that opens next belongs to that call, and begins with the same reading of the clock.
#[inline]
pub fn announce(timer: &impl Measures) {
    machine::announce(timer.began().unwrap_or_default());
}

/// The span is open.
#[inline]
pub fn opened() {
    machine::announce(0);
}

/// Dropped when the call is over, before its span, which ends together with its timer: with one reading of the clock.
#[derive(Debug)]
pub struct End(bool);

impl End {
    /// Of that call, whose span is open.
    #[inline]
    pub fn of(timer: &impl Measures) -> Self {
        opened();
        Self(timer.began().is_some())
    }

    /// It ends now, if it has not before.
    #[inline]
    pub fn now(&mut self) {
        if std::mem::take(&mut self.0) {
            machine::hold();
        }
    }
}

impl Drop for End {
    #[inline]
    fn drop(&mut self) {
        self.now();
    }
}

/// Dropped when a call, its span and its timer are over: the clock runs again.
#[derive(Debug)]
pub struct Over;

impl Drop for Over {
    #[inline]
    fn drop(&mut self) {
        machine::let_go();
    }
}

/// A future is over: from now on its timer and its span end, with one reading of the clock. None where that is not what it
/// measures by, or it has ended.
#[inline]
pub fn end_together(timer: &impl Measures) -> Option<Over> {
    timer.began().map(|_| {
        machine::hold();
        Over
    })
}
