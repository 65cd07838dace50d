//! Models, in many orders of their threads: records that are written while the dispatcher reads them, and parcels on their
//! way through a lane to a receipt.

use std::sync::Arc;

use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use super::books::{Books, Outcome, State};
use super::buffers::Buffers;
use super::fixtures::{push_span, spans};
use super::lanes::Lanes;
use super::ledger::{ExporterAccount, Reason};
use super::parcel::Parcel;
use super::writer::Writer;
use crate::clock::Tick;
use crate::exporters::Signal;
use crate::model::ValueRef;
use crate::sync::lock;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let runs = std::env::var("SHUTTLE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(500);
    shuttle::check_random(model, runs);
}

fn balances(buffers: &Buffers, state: &State) {
    let ledger = buffers.ledger(state);
    assert!(ledger.balances(), "{ledger:?}");
}

#[test]
fn what_two_threads_write_is_read_once_whole_and_in_order() {
    for bytes in [64 << 10, 3 << 10] {
        let model = move || {
            let buffers = Arc::new(Buffers::new(bytes, bytes, 1 << 20, None, || ()));
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
                let collected = buffers.collect(state, [usize::MAX; 2]);
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
        check(model);
    }
}

#[test]
fn a_dispatcher_that_rests_looks_by_itself_and_is_woken_as_before_when_that_is_over() {
    const WAKE_AT: usize = 4;
    #[derive(Default)]
    struct Told {
        wake: bool,
        ended: u64,
    }
    check(|| {
        let told = Arc::new((Mutex::new(Told::default()), Condvar::new()));
        let tell = |change: fn(&mut Told)| {
            let told = Arc::clone(&told);
            move || {
                change(&mut lock(&told.0));
                told.1.notify_all();
            }
        };
        let wake = tell(|told| told.wake = true);
        let buffers = Arc::new(Buffers::new(64 << 10, 64 << 10, WAKE_AT, None, wake));
        for _ in 0..2 {
            let (buffers, end) = (Arc::clone(&buffers), tell(|told| told.ended += 1));
            thread::spawn(move || {
                let mut writer = Writer::new(&buffers);
                (1..13).for_each(|n| push_span(&mut writer, n));
                drop(writer);
                end();
            });
        }
        let (mut state, mut seen, mut rests) = (State::default(), 0, false);
        loop {
            if rests {
                // Its time comes whenever it comes.
                thread::yield_now();
            } else {
                let is_over = |told: &Told| told.wake || told.ended == 2;
                let mut now = lock(&told.0);
                while !is_over(&now) {
                    now = told.1.wait(now).unwrap();
                }
                if !std::mem::take(&mut now.wake) {
                    break;
                }
            }
            let found = buffers.collect(&mut state, [usize::MAX; 2]).found();
            seen += found.items;
            rests = found.items >= WAKE_AT;
            if rests {
                buffers.rest(3 * WAKE_AT);
            }
        }
        assert!(24 - seen < WAKE_AT, "nobody looks for {} items", 24 - seen);
    });
}

fn books() -> Arc<Books> {
    let books = Arc::new(Books::default());
    books.join(books.add_exporter("it"));
    books
}

fn parcel(books: &Arc<Books>, ids: std::ops::Range<u64>) -> Parcel {
    let batch = spans(ids);
    let ticket = books.accept(&mut books.lock(), 0, Signal::Spans, batch.len() as u64, 0);
    Parcel::new(batch, ticket.unwrap(), Tick::default())
}

fn account(books: &Books) -> ExporterAccount {
    let ledger = books.lock().ledger();
    assert!(ledger.balances(), "{ledger:?}");
    *ledger.exporter("it", Signal::Spans).unwrap()
}

#[test]
fn a_ticket_is_settled_once_whoever_comes_first() {
    check(|| {
        let books = books();
        let mut whole = parcel(&books, 1..11);
        let part = whole.take_first(4);
        let threads = [
            thread::spawn(move || whole.settle(Outcome::Delivered { rejected: 2 })),
            thread::spawn(move || drop(part)),
            thread::spawn({
                let books = Arc::clone(&books);
                // Given up meanwhile, or not.
                move || books.end(0, Reason::Closed)
            }),
        ];
        account(&books);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let end = account(&books);
        assert_eq!((end.accepted, end.buffered), (10, 0));
        assert!(end.delivered == 4 || end.delivered == 0, "{end:?}");
    });
}

#[test]
fn what_is_put_into_a_lane_is_taken_out_or_driven_out_once() {
    check(|| {
        let books = books();
        let size = spans(1..4).bytes();
        let lanes = Arc::new(Lanes::new([2 * size; 2], || ()));
        let worker = thread::spawn({
            let lanes = Arc::clone(&lanes);
            move || {
                let mut seen = Vec::new();
                loop {
                    let told = lanes.told();
                    while let Some(parcel) = lanes.take(Signal::Spans, 4, 2 * size) {
                        seen.extend(parcel.batch.spans().map(|span| span.span_id().get()));
                        lanes.done(Signal::Spans, parcel.batch.bytes());
                        parcel.settle(Outcome::Delivered { rejected: 0 });
                    }
                    if told.stop.is_some() {
                        return seen;
                    }
                    lanes.wait(None);
                }
            }
        });
        let mut driven_out = 0;
        for n in 0..5 {
            for old in lanes.put(parcel(&books, 3 * n + 1..3 * n + 4)) {
                driven_out += old.batch.len();
                old.settle(Outcome::Dropped(Reason::QueueFull));
            }
        }
        lanes.stop(Tick::default());
        let seen = worker.join().unwrap();
        assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
        assert_eq!(seen.len() + driven_out, 15);
        let end = account(&books);
        assert_eq!((end.delivered as usize, end.dropped.total() as usize), (seen.len(), driven_out));
    });
}

#[test]
fn a_flush_waits_for_what_was_accepted_before_it_and_for_nothing_else() {
    check(|| {
        let books = books();
        let first = parcel(&books, 1..4);
        let flush = books.close_generation(1, true).pop().unwrap();
        // It is never settled before the flush has ended.
        let later = parcel(&books, 4..6);
        let settles = thread::spawn(move || first.settle(Outcome::Delivered { rejected: 1 }));
        assert!(flush.wait(crate::clock::deadline_in(std::time::Duration::MAX)));
        assert_eq!((account(&books).delivered, flush.lost()), (2, 1));
        later.settle(Outcome::Rejected);
        assert_eq!(flush.lost(), 1, "what came later is not its own");
        drop(flush);
        assert_eq!(books.close_generation(1, true)[0].lost(), 3);
        settles.join().unwrap();
    });
}

#[test]
fn what_a_replaced_exporter_has_goes_to_one_of_the_two() {
    for is_forgotten in [false, true] {
        check(move || {
            let books = books();
            let heir = books.add_worker("it").unwrap();
            books.join(heir);
            let lanes = Arc::new(Lanes::new([1 << 20; 2], || ()));
            (0..4).for_each(|n| assert!(lanes.put(parcel(&books, 3 * n + 1..3 * n + 4)).is_empty()));
            let flush = books.close_generation(1, true).pop().unwrap();
            let worker = thread::spawn({
                let (lanes, books) = (Arc::clone(&lanes), Arc::clone(&books));
                move || {
                    // Every other attempt fails.
                    let (mut seen, mut again) = (Vec::new(), Vec::new());
                    loop {
                        let told = lanes.told();
                        if told.is_replaced {
                            again = lanes.leave(again);
                        }
                        while let Some(parcel) = lanes.take(Signal::Spans, 3, 1 << 20) {
                            lanes.done(Signal::Spans, parcel.batch.bytes());
                            if again.len() < seen.len() / 3 {
                                again.push(parcel);
                            } else {
                                seen.extend(parcel.batch.spans().map(|span| span.span_id().get()));
                                parcel.settle(Outcome::Delivered { rejected: 0 });
                            }
                        }
                        if told.stop.is_some() {
                            break;
                        }
                        lanes.wait(None);
                    }
                    drop(lanes.leave(again));
                    if !lanes.leaves() {
                        books.end(0, Reason::Deadline);
                    }
                    seen
                }
            });
            let mut moved = Vec::new();
            let mut left = lanes.replace(Tick::default(), &Signal::EACH);
            loop {
                for parcel in std::mem::take(&mut left) {
                    let parcel = parcel.hand_over(&books, heir).unwrap();
                    account(&books);
                    moved.extend(parcel.batch.spans().map(|span| span.span_id().get()));
                    parcel.settle(Outcome::Delivered { rejected: 0 });
                }
                let is_over;
                (left, is_over) = lanes.take_left();
                if is_over && left.is_empty() {
                    books.end(0, Reason::Deadline);
                    break;
                }
                if left.is_empty() && is_forgotten && lanes.forget_heir() {
                    break;
                }
                thread::yield_now();
            }
            let mut all = worker.join().unwrap();
            all.append(&mut moved);
            all.sort_unstable();
            let end = account(&books);
            assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
            assert_eq!((end.accepted, end.buffered), (12, 0));
            assert_eq!((end.delivered, end.dropped.total()), (all.len() as u64, 12 - all.len() as u64));
            assert!(is_forgotten || all.len() == 12, "{all:?}");
            assert!(flush.wait(crate::clock::deadline_in(std::time::Duration::MAX)));
        });
    }
}
