//! What a receiver does with a request.

use std::sync::{Arc, Condvar, Mutex};

use super::Answer;
use crate::SOON;

/// What a receiver does with a request that has come as a whole.
///
/// Where it begins an answer with some bytes, a receiver of gRPC sends the head of an answer in their place, if there are any.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers, and waits for the next one.
    Answer(Answer),
    /// Answers, and closes the connection without saying so.
    AnswerAndClose(Answer),
    /// Answers, says that it takes no more on this connection (`Connection: close`, GOAWAY), and closes it.
    AnswerAndEnd(Answer),
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
    /// Ends the request alone with that code of HTTP/2 (`RST_STREAM`); only gRPC has that.
    ResetStream(u32),
}

/// The code of HTTP/2 that says that a request was not looked at.
pub const REFUSED_STREAM: u32 = 7;

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

impl From<Answer> for Act {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Act {
    /// Whether the receiver has taken what the request holds, whoever comes to know of it.
    pub(super) fn takes(&self) -> bool {
        match self {
            Self::Answer(answer)
            | Self::AnswerAndClose(answer)
            | Self::AnswerAndEnd(answer)
            | Self::AnswerInBits(answer)
            | Self::AnswerWhen(_, answer) => answer.is_yes(),
            Self::Reset(_) | Self::Close(_) => true,
            Self::Hang(begin) => begin.starts_with(b"HTTP/1.1 200"),
            Self::ResetStream(code) => *code != REFUSED_STREAM,
        }
    }
}
