//! Panics as events, by choice.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// From now on each panic is an event of level `ERROR` in the span it happens in, with the message, the place, and the
/// backtrace where `RUST_BACKTRACE` asks for one; the span fails with that message. The event has the name `exception` and
/// the fields that OpenTelemetry's conventions give to exceptions and places in the source. The hook that was there before
/// is called after it.
///
/// With `panic = "abort"` such an event comes to its exporters where the collector has
/// [`shutdown_on_exit`](telemetry_core::Builder::shutdown_on_exit).
///
/// Without it, a span that a panic leaves has the status error as well, but nobody knows why.
///
/// Once is enough: later calls do nothing.
pub fn install_panic_hook() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Relaxed) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        record(info);
        before(info);
    }));
}

fn record(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic");
    let place = info.location();
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(
        name: "exception",
        target: "panic",
        error = text,
        exception.r#type = "panic",
        exception.message = text,
        exception.stacktrace = trace,
        code.file.path = place.map(std::panic::Location::file),
        code.line.number = place.map(std::panic::Location::line),
        code.column.number = place.map(std::panic::Location::column),
        "panicked"
    );
}
