//! Starts the thread of an exporter. All its code runs there, so one that hangs or panics, in whatever it does, costs the
//! others nothing.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::blocking;
#[cfg(any(feature = "net", test))]
use super::flight;
use super::worker::{Hello, Job};
use crate::exporters::Driver;
use crate::thread;

/// The threads' ends of a worker that has not begun.
pub(crate) struct Started {
    /// What it says of itself, or that it panicked.
    pub(crate) hello: Receiver<Option<Hello>>,
    /// It begins with this, and ends if none comes.
    pub(crate) begin: Sender<Job>,
}

/// Starts the thread.
pub(crate) fn spawn(driver: Driver) -> std::io::Result<Started> {
    let ((says, hello), (begin, job)) = (bounded(1), bounded(1));
    thread::spawn("telemetry-exporter", move || match driver {
        Driver::Blocking(exporter) => blocking::run(exporter, &says, &job),
        #[cfg(any(feature = "net", test))]
        Driver::Network(protocol) => flight::run(protocol, &says, &job),
    })?;
    Ok(Started { hello, begin })
}
