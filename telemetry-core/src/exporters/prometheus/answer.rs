//! What a scraper is given.

/// A page, and what the headers of the response have to say of it.
#[derive(Clone, Debug)]
#[must_use = "a page that nobody is given was made for nothing"]
pub struct Answer {
    pub(super) content_type: &'static str,
    pub(super) content_encoding: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The header `Content-Type`: the form that was chosen, its version and its escaping.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The header `Content-Encoding`, where there is to be one.
    pub fn content_encoding(&self) -> Option<&'static str> {
        self.content_encoding
    }

    /// The page, in that encoding.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The page, in that encoding.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}
