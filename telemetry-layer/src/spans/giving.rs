//! Whether a thread is in a span that gives tags to what is measured in it: the instruments are told of the first such span, and
//! when it is in none any more.

use telemetry_core::__private::{tags_begin, tags_end};

/// Whether a thread is in a span that gives tags, as the instruments know it.
#[derive(Debug, Default)]
pub(crate) struct Giving(bool);

impl Giving {
    pub(crate) fn set(&mut self, is_giving: bool) {
        match (std::mem::replace(&mut self.0, is_giving), is_giving) {
            (false, true) => tags_begin(),
            (true, false) => tags_end(),
            _ => {}
        }
    }
}

impl Drop for Giving {
    fn drop(&mut self) {
        self.set(false);
    }
}
