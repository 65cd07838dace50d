//! What a receiver does with a request.

use std::sync::{Arc, Condvar, Mutex};

use crate::SOON;

/// What a receiver does with a request that has come as a whole.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers, and waits for the next one.
    Answer(Answer),
    /// Answers, and closes the connection without saying so.
    AnswerAndClose(Answer),
    /// Answers in packets of one byte.
    AnswerInBits(Answer),
    /// Answers with one half at once, and with the other one when the gate is open.
    AnswerWhen(Gate, Answer),
    /// Takes the request, sends these bytes of an answer, and resets the connection (RST).
    Reset(Vec<u8>),
    /// The same, and it closes the connection (FIN).
    Close(Vec<u8>),
    /// Sends these bytes of an answer, and nothing more, for ever.
    Hang(Vec<u8>),
}

/// What an answer waits for.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// From now on nobody waits.
    ///
    /// # Panics
    ///
    /// Never: nobody panics with its lock.
    pub fn open(&self) {
        let (is_open, opened) = &*self.0;
        *is_open.lock().expect("nobody panics with it") = true;
        opened.notify_all();
    }

    pub(super) fn wait(&self) {
        let (is_open, opened) = &*self.0;
        let is_open = is_open.lock().expect("nobody panics with it");
        drop(opened.wait_timeout_while(is_open, SOON, |is_open| !*is_open));
    }
}

/// An answer in HTTP.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Lines, each with its end.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// 200, as OTLP says it: all is taken.
    pub fn ok() -> Self {
        Self::of(200).header("content-type", "application/x-protobuf")
    }

    /// That status, without headers and body.
    pub fn of(status: u16) -> Self {
        Self { status, headers: String::new(), body: Vec::new() }
    }

    /// With that header too.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers = format!("{}{name}: {value}\r\n", self.headers);
        self
    }

    /// With that body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { status, headers, body } = self;
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }
}

impl From<Answer> for Act {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Act {
    /// All is taken.
    pub fn ok() -> Self {
        Answer::ok().into()
    }

    /// That status, without headers and body.
    pub fn status(status: u16) -> Self {
        Answer::of(status).into()
    }

    /// Whether the receiver has taken what the request holds, whoever comes to know of it.
    pub(super) fn takes(&self) -> bool {
        match self {
            Self::Answer(answer)
            | Self::AnswerAndClose(answer)
            | Self::AnswerInBits(answer)
            | Self::AnswerWhen(_, answer) => (200..300).contains(&answer.status),
            Self::Reset(_) | Self::Close(_) => true,
            Self::Hang(begin) => begin.starts_with(b"HTTP/1.1 200"),
        }
    }
}
