//! What is dropped in which order.

use std::cell::RefCell;

use telemetry_layer::{count_me, time_me};

use super::ready;

struct Noisy<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Noisy<'_> {
    fn name(&self) -> &'static str {
        self.1
    }
}

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

type Log = RefCell<Vec<&'static str>>;

macro_rules! drops {
    ($($(#[$attribute:meta])* $name:ident, $later:ident;)*) => {$(
        $(#[$attribute])*
        #[allow(tail_expr_drop_order)]
        fn $name(log: &Log) -> &'static str {
            let _local = Noisy(log, "local");
            Noisy(log, "temporary").name()
        }

        $(#[$attribute])*
        #[allow(tail_expr_drop_order)]
        async fn $later(log: &Log) -> &'static str {
            let _local = Noisy(log, "local");
            std::future::ready(()).await;
            Noisy(log, "temporary").name()
        }
    )*};
}

drops! {
    drops_plain, drops_plain_later;
    #[count_me(name = "drops")] drops_counted, drops_counted_later;
    #[time_me(name = "drops")] drops_timed, drops_timed_later;
    #[time_me(name = "drops", span = false)] drops_timed_only, drops_timed_only_later;
    #[time_me(name = "drops", outcome)] drops_with_outcome, drops_with_outcome_later;
}

/// What is dropped in which order when a function ends: without an attribute, and with each of them.
pub fn drops() -> Vec<[Vec<&'static str>; 2]> {
    macro_rules! each {
        ($($name:ident, $later:ident;)*) => { vec![$([of($name), of(|log| ready($later(log)))]),*] };
    }
    fn of(f: impl FnOnce(&Log) -> &'static str) -> Vec<&'static str> {
        let log = Log::default();
        assert_eq!(f(&log), "temporary");
        log.into_inner()
    }
    each! {
        drops_plain, drops_plain_later;
        drops_counted, drops_counted_later;
        drops_timed, drops_timed_later;
        drops_timed_only, drops_timed_only_later;
        drops_with_outcome, drops_with_outcome_later;
    }
}
