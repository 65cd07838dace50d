//! What a scraper is given.

use std::sync::Arc;

/// A page, and what the headers of the response have to say of it.
///
/// Scrapers that come at the same time may be given one page, so a clone costs nothing.
#[derive(Clone, Debug)]
#[must_use = "a page that nobody is given was made for nothing"]
pub struct Answer {
    content_type: &'static str,
    content_encoding: Option<&'static str>,
    body: Arc<Vec<u8>>,
}

impl Answer {
    pub(super) fn new(content_type: &'static str, is_packed: bool, body: Arc<Vec<u8>>) -> Self {
        Self { content_type, content_encoding: is_packed.then_some("gzip"), body }
    }

    /// The header `Content-Type`: the form that was chosen, its version and its escaping.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The header `Content-Encoding`, where there is to be one: `gzip`.
    pub fn content_encoding(&self) -> Option<&'static str> {
        self.content_encoding
    }

    /// The page, in that encoding.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The page, in that encoding. It is copied where somebody else is given the same.
    pub fn into_body(self) -> Vec<u8> {
        Arc::unwrap_or_clone(self.body)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
