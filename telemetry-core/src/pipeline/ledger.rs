//! The ledger: every item is somewhere, or went somewhere.
//!
//! For the whole, `recorded = sampled_out + suppressed + dropped + held + dispatched`; for each exporter,
//! `dispatched = filtered + accepted` and `accepted + recovered = delivered + rejected + dropped + buffered + spooled`. Both
//! hold at every moment, not only at rest: items move from one account to another under one lock.

use std::fmt;

use crate::exporters::Signal;
use crate::text::Quoted;

/// Why an item was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// All memory for items on their way to the dispatcher was in use.
    BufferFull,
    /// An exporter did not keep up; of its waiting batches the oldest went.
    QueueFull,
    /// The deadline of the shutdown passed, or that for an exporter that was removed or replaced.
    Deadline,
    /// It was recorded after the shutdown, or accepted for an exporter that had ended.
    Closed,
    /// Its exporter had tried for as long as it was told to (`give_up_after`), or it was in its spool for as long as it may be
    /// (`spool_age`).
    Expired,
    /// All memory for spans that are open (`open_spans_bytes`) was in use.
    OpenSpansFull,
    /// The exporter's spool was full; what had been there for longest went.
    SpoolFull,
    /// It can't be read any more in the exporter's spool.
    SpoolDamaged,
}

impl Reason {
    /// All reasons.
    pub const ALL: &[Reason] = &[
        Reason::BufferFull,
        Reason::QueueFull,
        Reason::Deadline,
        Reason::Closed,
        Reason::Expired,
        Reason::OpenSpansFull,
        Reason::SpoolFull,
        Reason::SpoolDamaged,
    ];

    /// `buffer_full`, `queue_full`, `deadline`, `closed`, `expired`, `open_spans_full`, `spool_full` or `spool_damaged`.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; Reason::ALL.len()] = [
            "buffer_full",
            "queue_full",
            "deadline",
            "closed",
            "expired",
            "open_spans_full",
            "spool_full",
            "spool_damaged",
        ];
        NAMES[self as usize]
    }
}

/// How many items were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped([u64; Reason::ALL.len()]);

impl Dropped {
    /// For that reason.
    pub fn by(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// For any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, reason: Reason, n: u64) {
        self.0[reason as usize] += n;
    }
}

/// What became of the items of one signal before they reached any exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// All that the program made.
    pub recorded: u64,
    /// Not chosen by head sampling.
    pub sampled_out: u64,
    /// Made by telemetry's own threads, or under `suppress`.
    pub suppressed: u64,
    /// Lost, by reason.
    pub dropped: Dropped,
    /// In buffers, on their way to the dispatcher.
    pub held: u64,
    /// Put into a batch that every exporter was offered.
    pub dispatched: u64,
}

impl Account {
    fn balances(&self) -> bool {
        self.recorded
            == self.sampled_out + self.suppressed + self.dropped.total() + self.held + self.dispatched
    }
}

/// What one exporter did with the items of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExporterAccount {
    /// Offered to it.
    pub dispatched: u64,
    /// Not wanted by it, or given to it as a part of something newer: a sum that a newer reading of the same series superseded
    /// while it waited, a delta that became part of the next one.
    pub filtered: u64,
    /// Taken on for it.
    pub accepted: u64,
    /// Found in its spool when it started: an earlier process had accepted them.
    pub recovered: u64,
    /// Taken by its backend.
    pub delivered: u64,
    /// Refused by its backend for good, or lost to panics of the exporter.
    pub rejected: u64,
    /// Lost, by reason.
    pub dropped: Dropped,
    /// Waiting in memory, or in the attempt that is going on.
    pub buffered: u64,
    /// In its spool, on disk: what is not delivered in this process the next one sends.
    pub spooled: u64,
}

impl ExporterAccount {
    fn balances(&self) -> bool {
        let left = self.buffered + self.spooled;
        self.dispatched == self.filtered + self.accepted
            && self.accepted + self.recovered == self.delivered + self.rejected + self.dropped.total() + left
    }
}

/// Where every item is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub(crate) accounts: [Account; 3],
    pub(crate) exporters: Vec<(String, [ExporterAccount; 3])>,
    pub(crate) refused: u64,
    pub(crate) summed_up: u64,
}

/// How many texts this process has cut so far, as they were longer than `max_text_bytes`, or, if they name something, than
/// 4 KiB: of all its collectors, as tags are made before anybody knows for which one.
pub fn cut_texts() -> u64 {
    crate::model::cut::cut_texts()
}

impl Ledger {
    /// The whole of one signal.
    pub fn signal(&self, signal: Signal) -> &Account {
        &self.accounts[signal as usize]
    }

    /// Measurements that no series could take: not finite, or less than nothing for a counter.
    pub fn refused_measurements(&self) -> u64 {
        self.refused
    }

    /// How often no room was found in `metrics_bytes` for a series: what was measured then is summed up with others, tagged
    /// `otel.metric.overflow=true` or in `telemetry.metrics.overflow`. Nothing of it is lost but whose it was.
    pub fn summed_up_measurements(&self) -> u64 {
        self.summed_up
    }

    /// The names of the exporters, in the order they were added. Each is there once: a second `file` is `file#2`. Those that were removed
    /// are there too; of many, all but the last hundred together, as `removed exporters`.
    pub fn exporters(&self) -> impl Iterator<Item = &str> {
        self.exporters.iter().map(|(name, _)| name.as_str())
    }

    /// What the exporter of that name did with one signal.
    pub fn exporter(&self, name: &str, signal: Signal) -> Option<&ExporterAccount> {
        self.exporters.iter().find(|(n, _)| n == name).map(|(_, accounts)| &accounts[signal as usize])
    }

    /// Whether everything is accounted for. It always is; tests ask.
    pub fn balances(&self) -> bool {
        self.accounts.iter().all(Account::balances)
            && self.exporters.iter().flat_map(|(_, accounts)| accounts).all(ExporterAccount::balances)
    }

    /// All that was lost before any exporter had it.
    pub(crate) fn lost_on_the_way(&self) -> u64 {
        self.accounts.iter().map(|a| a.dropped.total()).sum()
    }

    /// All that was lost on the way or refused by a backend.
    pub fn lost(&self) -> u64 {
        let exporters = self.exporters.iter().flat_map(|(_, accounts)| accounts);
        self.lost_on_the_way() + exporters.map(|a| a.rejected + a.dropped.total()).sum::<u64>()
    }
}

/// A table for people.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
            "", "recorded", "sampled out", "suppressed", "dropped", "held", "dispatched"
        )?;
        for (signal, a) in Signal::ALL.iter().zip(&self.accounts) {
            writeln!(
                f,
                "{:<20}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
                signal.name(),
                a.recorded,
                a.sampled_out,
                a.suppressed,
                a.dropped.total(),
                a.held,
                a.dispatched
            )?;
        }
        let all = || self.exporters.iter().flat_map(|(_, accounts)| accounts);
        let has_spool = all().any(|a| a.recovered + a.spooled > 0);
        if !self.exporters.is_empty() {
            write!(
                f,
                "{:<20}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
                "exporter", "dispatched", "filtered", "delivered", "rejected", "dropped", "buffered"
            )?;
            let more = if has_spool { &["recovered", "spooled"][..] } else { &[] };
            more.iter().try_for_each(|title| write!(f, "{title:>12}"))?;
            writeln!(f)?;
        }
        for (name, accounts) in &self.exporters {
            for (signal, a) in Signal::ALL.iter().zip(accounts) {
                write!(
                    f,
                    "{:<20}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
                    format!("{} {}", Quoted::word(name), signal.name()),
                    a.dispatched,
                    a.filtered,
                    a.delivered,
                    a.rejected,
                    a.dropped.total(),
                    a.buffered
                )?;
                let more = if has_spool { &[a.recovered, a.spooled][..] } else { &[] };
                more.iter().try_for_each(|items| write!(f, "{items:>12}"))?;
                writeln!(f)?;
            }
        }
        let verdict = if self.balances() { "balances" } else { "DOES NOT BALANCE" };
        write!(f, "the ledger {verdict}")?;
        for (reason, n) in self.reasons() {
            write!(f, "; dropped by {}: {n}", reason.name())?;
        }
        let of_all = |of: fn(&ExporterAccount) -> u64| -> u64 { all().map(of).sum() };
        for (what, n) in
            [("found on disk", of_all(|a| a.recovered)), ("stored on disk", of_all(|a| a.spooled))]
        {
            if n > 0 {
                write!(f, "; {what}: {n}")?;
            }
        }
        if self.refused > 0 {
            write!(f, "; measurements refused: {}", self.refused)?;
        }
        if self.summed_up > 0 {
            write!(f, "; measurements summed up for lack of memory: {}", self.summed_up)?;
        }
        writeln!(f)
    }
}

impl Ledger {
    fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> {
        let whole = self.accounts.iter().map(|a| a.dropped);
        let exporters = self.exporters.iter().flat_map(|(_, accounts)| accounts.iter().map(|a| a.dropped));
        let all: Vec<Dropped> = whole.chain(exporters).collect();
        Reason::ALL
            .iter()
            .map(move |&reason| (reason, all.iter().map(|d| d.by(reason)).sum()))
            .filter(|(_, n)| *n > 0)
    }
}
