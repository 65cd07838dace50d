//! From the threads that record to the exporters: what becomes of every item, whatever exporters and programs do.

mod busy;
mod changes;
mod ledger;
mod losses;
mod pressure;
mod protocols;
mod routes;
mod user_code;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use telemetry_core::__private::{Encoded, Limits, Protocol, Sending};
use telemetry_layer::ledger::{ExporterAccount, Ledger};
use telemetry_layer::model::{Event, Span, SpanContext, SpanId, TraceId};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, Level};

/// Long enough for anything that is not stuck.
const SOON: Duration = Duration::from_secs(20);

/// Flushes only when asked, and looks at no variable.
fn builder() -> Builder {
    Collector::builder().ignore_env().flush_interval(Duration::from_hours(1))
}

fn span(n: u64) -> Span {
    let (trace_id, span_id) = (TraceId::new(1).unwrap(), SpanId::new(n + 1).unwrap());
    let context = SpanContext::new(trace_id, span_id, true);
    Span::new(context, format!("s{}", n % 3), 1_000, 5)
}

fn event(n: u64) -> Event {
    Event::new(if n.is_multiple_of(2) { Level::INFO } else { Level::WARN }, format!("e{n}"), 7)
}

fn ids(batch: &Batch) -> Vec<u64> {
    batch.spans().map(|span| span.span_id().get()).collect()
}

fn account(ledger: &Ledger, exporter: &str, signal: Signal) -> ExporterAccount {
    assert!(ledger.balances(), "{ledger}");
    *ledger.exporter(exporter, signal).unwrap_or_else(|| panic!("no {exporter} in {ledger}"))
}

/// A door that an exporter waits at, until the test opens it.
#[derive(Clone, Default)]
struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    fn pass(&self) {
        let mut open = self.0.0.lock().unwrap();
        while !*open {
            open = self.0.1.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// How often a receiver has seen each span.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Seen {
    fn add(&self, ids: impl IntoIterator<Item = u64>) {
        let mut seen = self.0.lock().unwrap();
        ids.into_iter().for_each(|id| *seen.entry(id).or_default() += 1);
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// None more than once.
    fn assert_once(&self) {
        let seen = self.0.lock().unwrap();
        assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    }
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Delivered,
    Partly(usize),
    Later,
    After(u64),
    Torn(usize),
    TooLarge,
    Never,
    Panic,
    /// Over a network; a blocking exporter says `Later`.
    Hang,
}

/// An exporter whose attempts end as a script says, and well when that is over.
#[derive(Clone)]
struct Script {
    ends: Arc<Mutex<std::vec::IntoIter<Ends>>>,
    seen: Seen,
}

impl Script {
    fn new(ends: Vec<Ends>) -> Self {
        Self { ends: Arc::new(Mutex::new(ends.into_iter())), seen: Seen::default() }
    }

    fn next(&self) -> Ends {
        self.ends.lock().unwrap().next().unwrap_or(Ends::Delivered)
    }

    /// What a receiver does with a request of these spans.
    fn receive(&self, ids: &[u64], ends: Ends) -> Result<Delivery, ExportError> {
        match ends {
            Ends::Delivered => {
                self.seen.add(ids.iter().copied());
                Ok(Delivery::all())
            }
            Ends::Partly(refused) => {
                self.seen.add(ids.iter().copied());
                Ok(Delivery::partial(refused.min(ids.len()), "some are wrong"))
            }
            Ends::Torn(taken) => {
                let taken = taken.min(ids.len());
                self.seen.add(ids[..taken].iter().copied());
                Err(ExportError::retry("torn").taken(taken))
            }
            Ends::Later | Ends::Hang => Err(ExportError::retry("later")),
            Ends::After(secs) => Err(ExportError::retry_after(Duration::from_secs(secs), "after")),
            Ends::TooLarge => Err(ExportError::too_large("413")),
            Ends::Never => Err(ExportError::never("400")),
            Ends::Panic => panic!("as the script says"),
        }
    }
}

impl Exporter for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let ends = self.next();
        self.receive(&ids(batch), ends)
    }
}

/// The same over a network: eight bytes for each span.
struct Wire {
    script: Script,
    limits: Limits,
}

impl Protocol for Wire {
    fn name(&self) -> &str {
        "wire"
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        let fit = (max_bytes / 8).clamp(1, batch.len());
        ids(batch).into_iter().take(fit).for_each(|id| body.extend(id.to_le_bytes()));
        Ok(fit.into())
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        let ends = self.script.next();
        Box::pin(async move {
            if matches!(ends, Ends::Hang) {
                return std::future::pending().await;
            }
            let (words, _) = body.as_chunks::<8>();
            let ids: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
            self.script.receive(&ids, ends)
        })
    }
}
