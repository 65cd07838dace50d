//! What telemetry says about itself: short lines on standard error, never through `tracing`.

/// One line, for what somebody has to know: data refused, an exporter that fails, a callback that panicked.
pub(crate) fn warn(text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "telemetry: {text}");
}
