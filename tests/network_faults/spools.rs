//! Each scenario without a spool, with one for what fails, and with one for all. What the receiver takes comes alike; what it does
//! not take is lost in the first case, and left for the next program in the others.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use telemetry_layer::Report;
use telemetry_layer::ledger::{ExporterAccount, Reason};
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Lines, Manner, Wire};
use telemetry_tests::spool::Spool;
use telemetry_tests::{SOON, each};

/// Runs a scenario with each of these cases and each kind of spool, all of them side by side.
pub(crate) fn each_spool<C: Debug + Copy + Send>(
    cases: impl IntoIterator<Item = C>,
    run: impl Fn(C, Spool) + Sync,
) {
    let all = cases.into_iter().flat_map(|case| Spool::EACH.map(|spool| (case, spool)));
    each(all, |(case, spool)| run(case, spool));
}

/// Shuts down while its receiver takes nothing: its items are lost by the deadline, or else they are stored before it.
pub(crate) fn ends(program: &Program, spool: Spool, items: u64) {
    let report = shut_down(program, spool);
    assert_eq!(report.is_complete(), spool.is_on(), "{report}");
    leaves(program, spool, items, Reason::Deadline);
}

/// The same with more than every disk takes so fast, or than there is room for: what was neither delivered nor stored is lost, and
/// counted. The next program sends what was stored. What the accounts of its signals said.
pub(crate) fn ends_with_much(
    of: impl Speaks,
    program: Program,
    spool: Spool,
    items: u64,
) -> Vec<ExporterAccount> {
    if spool == Spool::Always {
        // All that is left goes to the disk, for which there is time here.
        program.flush();
    }
    let report = shut_down(&program, spool);
    let accounts = program.accounts();
    let lost: u64 = accounts.iter().map(|account| account.dropped.total()).sum();
    let late: u64 = accounts.iter().map(|account| account.dropped.by(Reason::Deadline)).sum();
    assert_eq!(report.is_complete(), lost == 0, "{report}");
    assert_eq!(report.to_string().contains(Reason::Deadline.name()), late > 0, "{report}");
    for account in &accounts {
        let ended = account.delivered + account.dropped.total() + account.spooled;
        assert_eq!((ended, account.buffered, account.rejected), (items, 0, 0), "{account:?}");
    }
    for (account, came) in accounts.iter().zip(of.next(program)) {
        let (sent, stored) = (came.len() as u64, account.spooled);
        assert!(sent == stored || sent > stored && !report.late().is_empty(), "{sent}: {account:?}");
        assert!(came.iter().all(|(id, times)| (1..=items).contains(id) && *times == 1), "{came:?}");
    }
    accounts
}

fn shut_down(program: &Program, spool: Spool) -> Report {
    // It stores what is left within the last half second.
    let time = Duration::from_millis(if spool.is_on() { 2_000 } else { 300 });
    let begin = Instant::now();
    let report = program.collector.shutdown(time);
    assert!(begin.elapsed() < SOON, "{:?}: {report}", begin.elapsed());
    report
}

/// Flushes, and each of its items is tried for longer than it may: it has expired, or else it is stored, where it does not.
pub(crate) fn gives_up(program: &Program, spool: Spool, items: u64) {
    assert_eq!(program.flush().is_complete(), spool.is_on());
    leaves(program, spool, items, Reason::Expired);
}

fn leaves(program: &Program, spool: Spool, items: u64, reason: Reason) {
    let (stored, lost) = program.alike(|account| (account.spooled, account.dropped));
    let expected = if spool.is_on() { (items, 0) } else { (0, items) };
    assert_eq!((stored, lost.by(reason)), expected);
    assert_eq!(lost.total(), lost.by(reason));
}

/// What can be spoken by the program that comes next.
pub(crate) trait Speaks: Copy + Send + 'static {
    /// The next program with its spool, and a receiver that takes all, has sent what this one has stored: of each signal how often each
    /// id came. Nothing where there is no spool.
    fn next(self, program: Program) -> Vec<BTreeMap<u64, u32>>;

    /// These have come then, each of them once.
    fn next_has(self, program: Program, ids: impl IntoIterator<Item = u64>) {
        let once: BTreeMap<_, _> = ids.into_iter().map(|id| (id, 1)).collect();
        self.next(program).iter().for_each(|came| assert_eq!(*came, once));
    }
}

impl Speaks for Form {
    fn next(self, program: Program) -> Vec<BTreeMap<u64, u32>> {
        let receiver = self.receiver(move |_| self.ok().into());
        let signals = if self.is_of_points() { "" } else { Self::ALL };
        let Some(next) = program.next(&self.url(receiver.address, signals)) else { return Vec::new() };
        next.drain();
        self.signals().iter().map(|signal| receiver.came(*signal)).collect()
    }
}

impl Speaks for Wire {
    fn next(self, program: Program) -> Vec<BTreeMap<u64, u32>> {
        let receiver = Lines::start(self, |_| Manner::Read);
        let Some(next) = program.next(&self.url(&receiver.place, "")) else { return Vec::new() };
        next.drain();
        let sent = next.alike(|account| account.delivered);
        vec![receiver.wait_for_many(sent)]
    }
}
