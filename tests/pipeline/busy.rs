//! What becomes of items in programs that record much, where nobody asks for a flush.

use std::sync::mpsc::channel;

use telemetry_layer::prelude::*;

use super::{SOON, builder, span};

#[test]
fn what_comes_while_the_dispatcher_rests_moves_on_though_nothing_comes_behind_it() {
    // 90% of these are moved on before the hour is over.
    const SIZE: u64 = 100;
    let (came, comes) = channel();
    let collector = builder()
        .buffer_size(SIZE as usize)
        .exporter(move |batch: &Batch| drop(came.send(batch.len())))
        .start();
    let (collector, mut all, mut seen) = (collector.unwrap(), 0, 0);
    for round in 1..=50 {
        for n in all..all + 7 * SIZE + round {
            collector.collect_span(&span(n));
            all += 1;
        }
        while all - seen >= SIZE {
            let more = comes.recv_timeout(SOON);
            seen += more.unwrap_or_else(|_| panic!("{} items stay where they are", all - seen)) as u64;
        }
    }
}
