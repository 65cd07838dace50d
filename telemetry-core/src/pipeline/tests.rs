use std::sync::Arc;
use std::time::Duration;

use super::books::State;
use super::buffers::Buffers;
use super::fixtures::push_span;
use super::ledger::Reason;
use super::pool::MOST;
use super::writer;
use crate::exporters::Signal;

const HOURS: Duration = Duration::from_hours(9);

/// Buffers that nobody collects from.
fn full_soon(patience: Duration) -> Arc<Buffers> {
    Arc::new(Buffers::new(8 << 10, MOST, usize::MAX, Some(patience), || ()))
}

fn record(buffers: &Arc<Buffers>, many: u64) {
    (1..=many).for_each(|n| writer::with(buffers, |writer| push_span(writer, n)));
}

fn dropped(buffers: &Buffers) -> u64 {
    let ledger = buffers.ledger(&State::default());
    assert!(ledger.balances(), "{ledger:?}");
    ledger.signal(Signal::Spans).dropped.total()
}

#[test]
fn patience_ends() {
    let buffers = full_soon(Duration::from_micros(50));
    record(&buffers, 200);
    assert!(dropped(&buffers) > 50);
}

#[test]
fn nobody_waits_for_buffers_that_are_closed() {
    let buffers = full_soon(HOURS);
    let waits = std::thread::spawn({
        let buffers = Arc::clone(&buffers);
        move || record(&buffers, 200)
    });
    buffers.close();
    waits.join().unwrap();
    assert!(dropped(&buffers) > 50);
}

#[test]
fn neither_a_thread_that_panics_waits_nor_one_of_ours() {
    struct Records<'a>(&'a Arc<Buffers>);
    impl Drop for Records<'_> {
        fn drop(&mut self) {
            record(self.0, 200);
        }
    }
    let buffers = full_soon(HOURS);
    let panics = std::panic::AssertUnwindSafe(|| {
        let _records = Records(&buffers);
        panic!("with spans open");
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    let before = dropped(&buffers);
    assert!(before > 50);
    crate::suppress(|| record(&buffers, 200));
    let ledger = buffers.ledger(&State::default());
    assert_eq!(ledger.signal(Signal::Spans).dropped.by(Reason::BufferFull), before + 200);
}

#[test]
fn a_thread_whose_own_block_was_read_goes_on() {
    let buffers = Arc::new(Buffers::new(2 << 10, MOST, usize::MAX, Some(HOURS), || ()));
    let waits = std::thread::spawn({
        let buffers = Arc::clone(&buffers);
        move || record(&buffers, 200)
    });
    let mut state = State::default();
    let end = std::time::Instant::now() + Duration::from_mins(1);
    while !waits.is_finished() && std::time::Instant::now() < end {
        buffers.collect(&mut state, [usize::MAX; 2]);
        std::thread::yield_now();
    }
    assert!(waits.is_finished(), "it waits though all was collected");
}
