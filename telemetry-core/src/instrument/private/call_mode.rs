//! What differs between calls that end on the thread on which they began, and futures.

use crate::clock::machine;
use crate::metrics::{LocalHistogram, Site, page};

/// This thread's own histogram of a site.
#[derive(Clone, Copy, Debug)]
pub struct LocalRef(pub(super) &'static LocalHistogram);

impl LocalRef {
    #[inline]
    fn of(site: &Site) -> Self {
        Self(page::histogram(site))
    }

    /// The same, where it is seldom asked for: not a part of each annotated function.
    fn of_late(site: &Site) -> Self {
        Self::of(site)
    }
}

/// What a timer knows from the start of where its time will go, and how it reads the clock at its end.
pub trait CallMode: Copy {
    fn of(site: &Site) -> Self;
    /// This thread's own histogram of a site, which may be the likely one.
    fn histogram(self, site: &Site, is_likely: bool) -> LocalRef;
    fn read() -> u64;
}

/// Of a call that ends on the thread on which it began. Its histogram is looked up before the clock is read: what comes
/// before that is not measured, and reading waits for it. With a span it ends when that ends.
#[derive(Clone, Copy, Debug)]
pub struct OnThread<const SPAN: bool>(LocalRef);

impl<const SPAN: bool> CallMode for OnThread<SPAN> {
    #[inline]
    fn of(site: &Site) -> Self {
        Self(LocalRef::of(site))
    }

    #[inline]
    fn histogram(self, site: &Site, is_likely: bool) -> LocalRef {
        if is_likely { self.0 } else { LocalRef::of_late(site) }
    }

    #[inline]
    fn read() -> u64 {
        if SPAN { machine::counter() } else { machine::read_counter() }
    }
}

/// Of a future, which holds no more than it has to.
#[derive(Clone, Copy, Debug)]
pub struct InFuture;

impl CallMode for InFuture {
    #[inline]
    fn of(_: &Site) -> Self {
        Self
    }

    #[inline]
    fn histogram(self, site: &Site, _: bool) -> LocalRef {
        LocalRef::of_late(site)
    }

    #[inline]
    fn read() -> u64 {
        machine::counter()
    }
}
