//! What is served: who is asked, and what the answer is.

use std::any::Any;

/// Something that is shown at a path. It is asked on the thread that serves, one request at a time.
pub(crate) trait Page: Any + Send + Sync {
    /// What it is, on the start page.
    fn title(&self) -> &str;

    /// The answer to a request with these headers, which are empty where there are none.
    fn answer(&self, accept: &str, accept_encoding: &str) -> Content;
}

/// What a page shows now.
pub(crate) struct Content {
    /// The header `Content-Type`.
    pub(crate) media_type: &'static str,
    /// The header `Content-Encoding`, where there is to be one.
    pub(crate) encoding: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}
