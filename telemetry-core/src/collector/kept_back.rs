//! What limits keep back is said: as an event for each call site, every few seconds, at a flush and at the end. The ledger counts
//! it as always.

use super::engine::Engine;
use crate::model::Event;
use crate::sampling::{Kept, KeptBack};

impl Engine {
    /// Says how much limits have kept back since the last time, and where.
    pub(super) fn say_kept_back(&self) {
        if !self.is_enabled() {
            return;
        }
        let kept_back = self.sampler.take_kept_back();
        if kept_back.is_empty() {
            return;
        }
        let now = self.clock.anchors().unix_nanos(self.clock.now());
        kept_back.into_iter().for_each(|kept_back| self.collect_event(&event(kept_back, now)));
    }
}

/// At the level and with the target of the call site, so that whoever sees the one sees the other.
fn event(KeptBack { site, what, many }: KeptBack, now: u64) -> Event {
    let what = match (what, many) {
        (Kept::Traces, 1) => "trace",
        (Kept::Traces, _) => "traces",
        (Kept::Events, 1) => "event",
        (Kept::Events, _) => "events",
    };
    let (file, line) = (site.file().unwrap_or("an unknown place"), site.line().unwrap_or_default());
    let text = format!("{many} more {what} kept back at {file}:{line}");
    let event = Event::new(*site.level(), text, now).target(site.target()).field("kept_back", many);
    event.field("code.file.path", file).field("code.line.number", u64::from(line))
}
