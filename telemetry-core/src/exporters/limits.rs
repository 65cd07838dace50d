//! How much an exporter takes at once.

/// What one request may hold, and how many of them may be out at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Items.
    pub items: usize,
    /// Bytes of its body.
    pub bytes: usize,
    /// Requests.
    pub in_flight: usize,
}
