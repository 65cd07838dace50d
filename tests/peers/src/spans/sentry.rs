//! sentry-tracing, with a transport that counts.

use super::{EVENT3, OPS, event3};
use crate::case::{Case, Count, Entries};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Counts envelopes and the spans in them.
struct SentrySink(Count);
impl sentry::Transport for SentrySink {
    fn send_envelope(&self, e: sentry::Envelope) {
        use sentry::protocol::{EnvelopeItem, ItemContainer};
        for i in e.items() {
            match i {
                EnvelopeItem::Transaction(t) => self.0.add(1 + t.spans.len() as u64),
                EnvelopeItem::ItemContainer(ItemContainer::Logs(l)) => self.0.add(l.len() as u64),
                _ => (),
            }
        }
    }
}
struct SentryFactory(Count);
impl sentry::TransportFactory for SentryFactory {
    fn create_transport_with_options(&self, _: sentry::TransportOptions) -> std::sync::Arc<dyn sentry::Transport> {
        std::sync::Arc::new(SentrySink(self.0.clone()))
    }
}
fn sentry_on(count: &Count) -> sentry::ClientInitGuard {
    sentry::init(
        sentry::ClientOptions::new()
            .dsn("https://public@sentry.invalid/1")
            .traces_sample_rate(1.0)
            .transport(SentryFactory(count.clone())),
    )
}

pub(super) fn add(e: &mut Entries) {
    for (op, f, each, extra) in OPS {
        e.add(op, "sentry-tracing, rate 1.0", move || {
            let n = Count::default();
            let g = sentry_on(&n);
            tracing_subscriber::registry().with(sentry::integrations::tracing::SpanLayer::new()).init();
            // a transaction keeps 1000 spans at most
            Case::new(500, move |k| {
                let _ = &g;
                f(k)
            })
            .verify(move |ops, runs| n.exactly(each * ops + extra * runs, "spans"))
        });
    }
}

pub(super) fn add_events(e: &mut Entries) {
    e.add(EVENT3, "sentry-tracing, logs", || {
        let n = Count::default();
        let g = sentry_on(&n);
        tracing_subscriber::registry().with(sentry::integrations::tracing::LogLayer::new()).init();
        let g = std::sync::Arc::new(g);
        let h = g.clone();
        Case::new(1000, move |k| {
            let _ = &g;
            event3(k)
        })
        .verify(move |ops, _| {
            h.flush(None);
            assert!(n.get() > 0);
            format!("{:.0}% of logs arrived", 100.0 * n.get() as f64 / ops as f64)
        })
    });
}
