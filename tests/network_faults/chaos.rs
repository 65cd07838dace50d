//! All faults at once, in an order that a seed chooses.
//!
//! A run that fails prints its seed. `TELEMETRY_FAULT_SEED=7` runs that one again, and `TELEMETRY_FAULT_SEEDS=50` so many.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{BuildHasher as _, DefaultHasher, Hash, Hasher as _, RandomState};
use std::sync::{Arc, Mutex};

use telemetry_layer::Signal;
use telemetry_layer::ledger::Reason;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Authority, Fault, Form, Receiver, Request, Setup, Wait};
use telemetry_tests::spool::Spool;

use super::spools::each_spool;

/// What an item is, and its id.
type Id = (Signal, u64);

/// An item that fails alone, time and again, while others get through, is refused for it. What fails here fails by chance, so it
/// gets through before that.
const MOST_ALONE: u32 = 3;

/// By the ids at the receiver: each item comes once, and once more for each answer that was lost.
#[test]
fn whatever_a_receiver_does_each_item_comes_once_and_for_each_lost_answer_once_more() {
    each_seed(Form::EACH, |form, spool, seed| {
        let chaos = Chaos::start(form, spool, seed);
        let program = chaos.program("max_items=40", 64 << 20, 64 << 20);
        for end in [100, 200, 300, 400] {
            program.record(end - 99..=end).beside_has(end);
        }
        program.drain();
        let counts = program.alike(|account| (account.delivered, account.rejected, account.dropped.total()));
        assert_eq!(counts, (400, 0, 0), "{:?}", program.said_so_far());
        let times = |signal| (1..=400).map(|id| (id, 1 + chaos.lost(signal, id))).collect::<Vec<_>>();
        form.signals().iter().for_each(|signal| chaos.receiver.has(*signal, times(*signal)));
    });
}

/// What there is no room for, in memory and on disk, is counted, and the receiver has the rest.
#[test]
fn whatever_a_receiver_does_memory_has_its_bound_and_what_is_lost_is_counted() {
    const BYTES: usize = 64 << 10;
    const SPOOL: u64 = 200_000;
    const ITEMS: u64 = 10_000;
    each_seed(Form::EACH, |form, spool, seed| {
        let chaos = Chaos::start(form, spool, seed);
        let program = chaos.program("", BYTES, SPOOL);
        for end in (0..ITEMS).step_by(500).map(|n| n + 500) {
            program.record(end - 499..=end).beside_has(end);
            let mut held = form.signals().iter().map(|signal| program.account(*signal).buffered);
            assert!(held.all(|held| held < program.most_held(BYTES)), "{}", program.collector.ledger());
            program.bytes_on_disk();
        }
        program.drain();
        for signal in form.signals().iter().copied() {
            let account = program.account(signal);
            let dropped = account.dropped.by(Reason::QueueFull) + account.dropped.by(Reason::SpoolFull);
            assert_eq!((account.delivered + dropped, account.rejected), (ITEMS, 0), "{account:?}");
            let came = chaos.receiver.came(signal);
            for (id, times) in &came {
                let said = || program.said_so_far();
                assert!(
                    *times <= 1 + chaos.lost(signal, *id),
                    "{signal:?} {id}: {times} times, {:?}",
                    said()
                );
            }
            // Of what was dropped, some had come without its answer.
            let known = came.keys().filter(|id| chaos.lost(signal, **id) == 0).count() as u64;
            assert!(known <= account.delivered && account.delivered <= came.len() as u64, "{account:?}");
        }
    });
}

/// Of each form and each kind of spool, one seed after the other.
pub(crate) fn each_seed<C: Copy + Debug + Send, const N: usize>(
    of: [C; N],
    run: impl Fn(C, Spool, u64) + Sync,
) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let random = RandomState::new();
    let seeds: Vec<u64> = match number("TELEMETRY_FAULT_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TELEMETRY_FAULT_SEEDS").unwrap_or(2)).map(|n| random.hash_one(n)).collect(),
    };
    for seed in seeds {
        each_spool(of.map(|one| (one, seed)), |(one, seed), spool| run(one, spool, seed));
    }
}

struct Chaos {
    form: Form,
    seed: u64,
    receiver: Receiver,
    authority: Option<Authority>,
    spool: Spool,
    /// How often the receiver took an item and its answer was lost.
    lost: Arc<Mutex<HashMap<Id, u32>>>,
}

impl Chaos {
    /// Every other seed has TLS, and every other two of them have compression.
    fn start(form: Form, spool: Spool, seed: u64) -> Self {
        let authority = seed.is_multiple_of(2).then(Authority::new);
        // Of several requests on one connection all would be cut, and the answers of some lost.
        let setup = Setup::new(form).cut(if form.is_grpc() { 0 } else { 2 });
        let setup = match &authority {
            Some(authority) => setup.tls(authority.server("127.0.0.1")),
            None => setup,
        };
        let lost = Arc::<Mutex<HashMap<Id, u32>>>::default();
        let (loses, alone) = (Arc::clone(&lost), Mutex::<HashMap<Vec<Id>, u32>>::default());
        let receiver = setup.start(move |request| {
            let act = choose(form, spool, number((seed, request.signal as u8, request.number)), request);
            if is_yes(&act) {
                return act;
            }
            // What is stored stays together.
            let ids_of_it = ids(request);
            if ids_of_it.len() == 1 || spool.is_on() {
                let mut alone = alone.lock().unwrap();
                let times = alone.entry(ids_of_it).or_default();
                *times += 1;
                if *times > MOST_ALONE {
                    return form.ok().into();
                }
            }
            if let Act::Reset(_) | Act::Close(_) | Act::ResetStream(_) = act {
                let mut lost = loses.lock().unwrap();
                ids(request).into_iter().for_each(|id| *lost.entry(id).or_default() += 1);
            }
            act
        });
        Self { form, seed, receiver, authority, spool, lost }
    }

    fn program(&self, options: &str, bytes: usize, on_disk: u64) -> Program {
        let compression = ["none", "gzip"][self.seed as usize / 2 % 2];
        let options = format!("timeout_ms=10000&compression={compression}&{options}");
        let address = self.receiver.address;
        let url = match &self.authority {
            Some(authority) => self.form.secure(address, &authority.ca(), &options),
            None => self.form.url(address, &options),
        };
        Program::with_bytes(&url, self.spool, bytes, on_disk)
    }

    fn lost(&self, signal: Signal, id: u64) -> u32 {
        self.lost.lock().unwrap().get(&(signal, id)).copied().unwrap_or(0)
    }
}

fn ids(request: &Request) -> Vec<Id> {
    request.items.ids(request.signal).iter().map(|id| (request.signal, *id)).collect()
}

/// The same for the same seed.
pub(crate) fn number(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Nothing that refuses for good, and one time-out at most. In gRPC no connection is broken: what else goes over it at that
/// time may have been taken, or not. What was stored can't be halved any more.
fn choose(form: Form, spool: Spool, n: u64, request: &Request) -> Act {
    const CANCEL: u32 = 8;
    let no = |fault, wait| form.refusal(fault, "by chance", wait);
    match n % 16 {
        0 => no(Fault::Busy, None).into(),
        1 => no(Fault::Gateway, None).into(),
        2 => no(Fault::Limited, Some(Wait::Seconds(1))).into(),
        3 if request.number == 2 => Act::Hang(Vec::new()),
        4 | 5 if form.is_grpc() => Act::ResetStream(CANCEL),
        4 => Act::Reset(Vec::new()),
        5 => Act::Close(b"HTTP/1.1 20".to_vec()),
        6 if form.is_grpc() => Act::AnswerAndEnd(form.ok()),
        6 => Act::AnswerAndClose(form.ok()),
        7 => Act::AnswerInBits(form.ok()),
        8 if request.items.len() > 20 && !spool.is_on() => no(Fault::TooLarge, None).into(),
        9 if form.is_grpc() => Act::AnswerAndEnd(no(Fault::Busy, None)),
        9 => Act::AnswerAndClose(no(Fault::Busy, None)),
        10 => form.yes(vec![0xff; 9]).into(),
        _ => form.ok().into(),
    }
}

fn is_yes(act: &Act) -> bool {
    match act {
        Act::Answer(answer)
        | Act::AnswerAndClose(answer)
        | Act::AnswerAndEnd(answer)
        | Act::AnswerInBits(answer) => answer.is_yes(),
        _ => false,
    }
}
