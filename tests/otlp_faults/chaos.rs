//! All faults at once, in an order that a seed chooses.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex};

use telemetry_tests::SOON;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{self, Act, Answer, Authority, Request, Setup};

const ROUNDS: u64 = 4;
const IDS: u64 = 100;

/// By the ids at the receiver: each item comes once, and once more for each answer that was lost.
#[test]
fn whatever_a_receiver_does_each_item_comes_once_and_for_each_lost_answer_once_more() {
    let authority = Authority::new();
    for has_tls in [false, true, false] {
        let seed = RandomState::new().hash_one(0);
        println!("seed {seed}, TLS {has_tls}");
        let (setup, scheme) =
            (Setup::new(receiver::otlp).cut(2), if has_tls { "otlp+https" } else { "otlp" });
        let setup = if has_tls { setup.tls(authority.server("127.0.0.1")) } else { setup };
        let lost = Arc::<Mutex<HashMap<(bool, u64), u32>>>::default();
        let loses = Arc::clone(&lost);
        let receiver = setup.start(move |request| {
            let act = choose(number(seed, request), request);
            if let Act::Reset(_) | Act::Close(_) = act {
                let mut lost = loses.lock().unwrap();
                let ids = request.items.spans.iter().map(|id| (true, *id));
                let ids = ids.chain(request.items.logs.iter().map(|id| (false, *id)));
                ids.for_each(|id| *lost.entry(id).or_default() += 1);
            }
            act
        });
        let (address, ca) = (receiver.address, authority.ca());
        let more = format!("ca={}&timeout_ms=2000&max_items=40", ca.display());
        let program = Program::start(&format!("{scheme}://{address}?{more}&signals=spans,events"));
        for round in 0..ROUNDS {
            program.record(round * IDS + 1..=(round + 1) * IDS).beside_has((round + 1) * IDS);
        }
        let begin = std::time::Instant::now();
        while !program.flush().is_complete() {
            let stuck = program.alike(|account| account.dropped.total() + account.rejected);
            assert!(stuck == 0 && begin.elapsed() < SOON * 2, "{}", program.collector.ledger());
        }
        let counts = program.alike(|account| (account.delivered, account.rejected, account.buffered));
        assert_eq!(counts, (ROUNDS * IDS, 0, 0), "{:?}", program.said_so_far());
        let lost = lost.lock().unwrap();
        let times = |is_span| {
            let more = |id| lost.get(&(is_span, id)).copied().unwrap_or(0);
            (1..=ROUNDS * IDS).map(|id| (id, 1 + more(id))).collect::<Vec<_>>()
        };
        receiver.has_spans(times(true));
        receiver.has_logs(times(false));
    }
}

/// The same for the same seed.
fn number(seed: u64, request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, &request.path, request.number).hash(&mut hasher);
    hasher.finish()
}

/// Nothing that refuses for good.
fn choose(n: u64, request: &Request) -> Act {
    match n % 16 {
        0 => Act::status(503),
        1 => Act::status(502),
        2 => Answer::of(429).header("retry-after", "0").into(),
        3 => Act::Hang(Vec::new()),
        4 => Act::Reset(Vec::new()),
        5 => Act::Close(b"HTTP/1.1 20".to_vec()),
        6 => Act::AnswerAndClose(Answer::ok()),
        7 => Act::AnswerInBits(Answer::ok()),
        8 if request.items.len() > 20 => Act::status(413),
        9 => Act::AnswerAndClose(Answer::of(503)),
        10 => Answer::ok().body(vec![0xff; 9]).into(),
        _ => Act::ok(),
    }
}
