//! How a span has ended, as far as anybody said.

use telemetry_core::__private::Outcome;

use super::slot::Slot;

/// What a field says of a span that failed: OpenTelemetry's name, and our word for what nobody waits for any more.
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const CANCELLED: &str = "cancelled";

impl Slot {
    pub(crate) fn outcome(&self) -> Outcome {
        if !self.has_extras() {
            return Outcome::Ok;
        }
        let (is_error, has_panicked) = match self.lock().as_deref() {
            Some(extras) => (extras.status().is_error(), extras.has_panicked),
            None => (false, false),
        };
        match is_error {
            _ if has_panicked => Outcome::Panic,
            true if self.text_of(ERROR_TYPE).as_deref() == Some(CANCELLED) => Outcome::Cancelled,
            true => Outcome::Error,
            false => Outcome::Ok,
        }
    }

    /// Nobody waits any more for what it stands for, if the span with that id is still here. Whether that may be said in a
    /// field, the caller knows.
    #[cfg(feature = "macros")]
    #[cold]
    pub(crate) fn cancel(&self, id: u64) -> bool {
        let mut is_told = false;
        self.change(id, |extras| {
            is_told = !extras.has_panicked;
            if is_told {
                extras.fail(CANCELLED.to_owned());
            }
        });
        is_told
    }

    /// The text of one of its fields.
    fn text_of(&self, name: &str) -> Option<String> {
        self.all_fields().value_of(name, self.site()?)
    }
}
