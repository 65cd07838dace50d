//! Models: a thread writes records while the dispatcher reads them, in many orders.

use std::sync::Arc;

use shuttle::thread;

use super::books::State;
use super::buffers::Buffers;
use super::fixtures::push_span;
use crate::exporters::Signal;

use crate::model::ValueRef;

fn balances(buffers: &Buffers, state: &State) {
    let ledger = buffers.ledger(state);
    assert!(ledger.balances(), "{ledger:?}");
}

#[test]
fn what_two_threads_write_is_read_once_whole_and_in_order() {
    for bytes in [64 << 10, 3 << 10] {
        let model = move || {
            let buffers = Arc::new(Buffers::new(bytes, 1 << 20, None, || ()));
            let write = |first: u64| {
                let buffers = Arc::clone(&buffers);
                thread::spawn(move || {
                    let mut writer = Writer::new(&buffers);
                    for n in 0..12 {
                        push_span(&mut writer, first + n);
                        if n % 4 == 0 {
                            writer.sampled_out(Signal::Spans);
                        }
                    }
                })
            };
            let threads = [write(100), write(200)];
            let (mut state, mut seen) = (State::default(), Vec::new());
            let mut read = |state: &mut State| {
                let collected = buffers.collect(state);
                for span in collected.chunks[0].iter().flat_map(|chunk| chunk.spans()) {
                    let n = span.head.context.span_id.get();
                    assert_eq!(span.head.duration_nano, n);
                    assert_eq!(span.fields.iter().collect::<Vec<_>>(), [("n", ValueRef::U64(n))]);
                    seen.push(n);
                }
            };
            for _ in 0..3 {
                read(&mut state);
                balances(&buffers, &state);
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            read(&mut state);
            balances(&buffers, &state);
            let ledger = buffers.ledger(&state);
            let account = ledger.signal(Signal::Spans);
            assert_eq!((account.recorded, account.sampled_out), (30, 6));
            assert_eq!(account.held as usize, seen.len(), "read, and not handed on");
            assert_eq!(seen.len() as u64 + account.dropped.total(), 24);
            for first in [100, 200] {
                let own: Vec<u64> =
                    seen.iter().copied().filter(|n| (first..first + 100).contains(n)).collect();
                assert!(own.is_sorted(), "{own:?}");
            }
        };
        let runs = std::env::var("SHUTTLE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(500);
        shuttle::check_random(model, runs);
    }
}
