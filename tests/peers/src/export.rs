//! Group 6: the whole way. Two threads record spans of 4 fields in a process of their own; a [receiver] in another
//! process takes them over OTLP/HTTP, in protobuf, not compressed. One run of that is a [`Load`].

mod contenders;
mod load;
pub mod receiver;

pub use contenders::Contender;
pub use load::one;

use crate::child;

/// Who records, how much, and what the receiver does.
#[derive(Clone, Copy, PartialEq)]
pub struct Load {
    pub who: Contender,
    /// Spans a second that are wanted of both threads together; 0 is as many as they can.
    pub rate: u64,
    /// How long the receiver waits before each answer.
    pub delay_ms: u64,
}

/// What became of a load. Nothing of what it did to warm up is in it.
#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    pub created: u64,
    pub received: u64,
    /// While spans were recorded, and from then on until all was delivered or given up.
    pub secs: f64,
    pub shutdown_secs: f64,
    /// CPU time of the process, without the waits between bursts; and what of that is of the threads that record.
    pub cpu_ns: u64,
    pub recording_ns: u64,
    /// Requests and bytes at the receiver, heads of requests among them.
    pub requests: u64,
    pub bytes: u64,
    pub receiver_cpu_ns: u64,
    /// Attributes of a span, as the receiver has it.
    pub attributes: u64,
    /// The most that was resident.
    pub peak_bytes: u64,
    /// What the ledger says was lost, of those that have one.
    pub said_lost: Option<u64>,
}

impl Outcome {
    /// Spans a second that were recorded.
    pub fn rate(&self) -> f64 {
        self.created as f64 / self.secs
    }
    /// Spans a second that came to the receiver.
    pub fn received_rate(&self) -> f64 {
        self.received as f64 / (self.secs + self.shutdown_secs)
    }
    pub fn lost(&self) -> u64 {
        self.created.saturating_sub(self.received)
    }
    /// CPU time to record a span and do with it what the contender does.
    pub fn cpu(&self) -> f64 {
        self.cpu_ns as f64 / self.created as f64
    }
    /// CPU time for each span that came to the receiver, beyond what the floor takes for all that were recorded.
    pub fn net_cpu(&self, floor: &Self) -> f64 {
        self.net(self.cpu_ns, floor.cpu())
    }
    /// Of that what threads take that record.
    pub fn net_recording(&self, floor: &Self) -> f64 {
        self.net(self.recording_ns, floor.cpu())
    }
    fn net(&self, cpu_ns: u64, floor: f64) -> f64 {
        (cpu_ns as f64 - floor * self.created as f64) / self.received as f64
    }
}

impl Load {
    /// Runs it in a process of its own; what went wrong where there is no outcome.
    pub fn run(&self) -> Result<Outcome, String> {
        let [rate, delay] = [self.rate, self.delay_ms].map(|n| n.to_string());
        let v = child(&["load", self.who.name(), &rate, &delay]);
        serde_json::from_value(v.clone()).map_err(|_| format!("{}: {}", self.name(), v["failed"]))
    }

    pub fn name(&self) -> String {
        format!("{} @ {}", self.who.name(), self.at())
    }

    /// How much, and to whom.
    pub fn at(&self) -> String {
        let rate = if self.rate == 0 { "flat out".to_string() } else { self.rate.to_string() };
        if self.delay_ms == 0 { rate } else { format!("{rate}, {} ms", self.delay_ms) }
    }
}
