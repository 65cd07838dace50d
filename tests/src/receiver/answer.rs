//! An answer, as it goes over the wire.

/// An answer in HTTP. In gRPC it has trailers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What stands behind it; before it, where it is empty.
    pub trailers: Vec<(String, String)>,
    /// Its status is no yes, and the request was taken all the same, but for a part of it.
    pub is_partial: bool,
}

impl Answer {
    /// That status, without headers and body.
    pub fn of(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// That code of gRPC, and why.
    pub fn grpc(code: u32, why: &str) -> Self {
        let answer = Self::of(200).header("content-type", "application/grpc");
        // What is no plain text would be escaped.
        answer.trailer("grpc-status", &code.to_string()).trailer("grpc-message", why)
    }

    /// With that header too.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With that trailer too.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With that body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// It says of which part of the request it is a refusal.
    pub fn partial(mut self) -> Self {
        self.is_partial = true;
        self
    }

    /// Whether it says that the request was taken.
    pub fn is_yes(&self) -> bool {
        let code = self.trailers.iter().find(|(name, _)| name == "grpc-status");
        let is_yes = self.is_partial || (200..300).contains(&self.status);
        is_yes && code.is_none_or(|(_, code)| code == "0")
    }

    /// As HTTP/1.1 says it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self { status, headers, body, .. } = self;
        let mut head = format!("HTTP/1.1 {status} X\r\n");
        headers.iter().for_each(|(name, value)| head.extend([name, ": ", value, "\r\n"]));
        head.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n"]);
        [head.as_bytes(), body].concat()
    }
}
