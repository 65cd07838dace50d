//! Units and descriptions that fields of events give to metrics. A metric has its own as long as the program runs, so each text
//! is kept once and never given back; how much is kept in all is bounded.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use telemetry_core::__private::{Suppression, warn_once};

/// So many bytes of texts are kept: a program has no more units and descriptions than it has call sites, unless they are made
/// of something else.
const MAX_BYTES: usize = 64 << 10;

/// What is kept, and how many bytes that is.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    texts: Option<HashSet<&'static str>>,
    bytes: usize,
}

pub(crate) fn declared() -> MutexGuard<'static, Declared> {
    static DECLARED: Mutex<Declared> = Mutex::new(Declared { texts: None, bytes: 0 });
    DECLARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That text, for ever; none where there are too many.
pub(super) fn keep(text: &str) -> &'static str {
    if text.is_empty() {
        return "";
    }
    // An allocator may record: what is asked for here is telemetry's own.
    let away = Suppression::begin();
    let mut declared = declared();
    let Declared { texts, bytes } = &mut *declared;
    let texts = texts.get_or_insert_default();
    if let Some(known) = texts.get(text) {
        return known;
    }
    if *bytes + text.len() <= MAX_BYTES {
        *bytes += text.len();
        let kept: &'static str = Box::leak(text.into());
        texts.insert(kept);
        return kept;
    }
    drop((declared, away));
    warn_once(format_args!(
        "units and descriptions in fields of events have more than {MAX_BYTES} bytes in all: others are left out"
    ));
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_kept_once_and_there_is_an_end_to_it() {
        assert!(std::ptr::eq(keep("ms"), keep(&String::from("ms"))));
        let long = "x".repeat(20 << 10);
        let kept = (0..10).filter(|n| !keep(&format!("{n}{long}")).is_empty()).count();
        assert_eq!((kept, keep("not known before"), keep("ms")), (3, "not known before", "ms"));
        assert_eq!(keep(&long), "");
    }
}
