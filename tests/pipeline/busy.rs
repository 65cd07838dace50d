//! What becomes of items in programs that record much, where nobody asks for a flush.

use std::sync::mpsc::channel;
use std::time::Duration;

use telemetry_layer::prelude::*;

use super::{builder, span};

/// The dispatcher looks by itself every 5 s.
const BEFORE_IT_LOOKS: Duration = Duration::from_secs(4);

#[test]
fn what_comes_while_the_dispatcher_rests_moves_on_though_nothing_comes_behind_it() {
    // 90% of these are moved on before the hour is over.
    const SIZE: u64 = 100;
    let (came, comes) = channel();
    let collector = builder()
        .buffer_size(SIZE as usize)
        .exporter(move |batch: &Batch| came.send(batch.len()).unwrap_or(()))
        .start();
    let (collector, mut all, mut seen) = (collector.unwrap(), 0, 0_u64);
    for round in 1..=50 {
        let from = all;
        all += 7 * SIZE + round;
        (from..all).for_each(|n| collector.collect_span(&span(n)));
        while all - seen >= SIZE {
            let more = comes.recv_timeout(BEFORE_IT_LOOKS);
            seen += more.unwrap_or_else(|_| panic!("{} items stay where they are", all - seen)) as u64;
        }
    }
}
