//! One of the two standard streams: whole lines go in; they go out as the stream takes them.
//!
//! Where the stream blocks, so does this: only the thread of the console waits. One that does not block is asked again later.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use crate::sync::{AsItIs, ForkLock, on_fork};

/// Which of the two standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

#[derive(Debug)]
pub(super) struct Out {
    stream: Stream,
    waiting: Vec<u8>,
    /// So much of it is out.
    written: usize,
}

impl Out {
    pub(super) fn new(stream: Stream) -> Self {
        static NAMED: AtomicBool = AtomicBool::new(false);
        on_fork(&NAMED, &[hold]);
        Self { stream, waiting: Vec::new(), written: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes these lines; whether all of them are out. What is not waits.
    pub(super) fn write(&mut self, lines: &str) -> io::Result<bool> {
        self.waiting.extend_from_slice(lines.as_bytes());
        if self.waiting.is_empty() {
            return Ok(true);
        }
        let printing = PRINTING[self.stream as usize].lock();
        let ended = match self.stream {
            Stream::Stdout => self.write_to(&mut io::stdout().lock()),
            Stream::Stderr => self.write_to(&mut io::stderr().lock()),
        };
        drop(printing);
        match ended {
            Ok(()) => {
                (self.waiting, self.written) = (Vec::new(), 0);
                Ok(true)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) => {
                (self.waiting, self.written) = (Vec::new(), 0);
                Err(e)
            }
        }
    }

    fn write_to(&mut self, stream: &mut impl Write) -> io::Result<()> {
        while self.written < self.waiting.len() {
            match stream.write(&self.waiting[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        stream.flush()
    }

    /// Asks again for so long whether the stream takes what waits.
    pub(super) fn finish(&mut self, at_most: Duration) -> io::Result<bool> {
        const MOMENT: Duration = Duration::from_millis(10);
        let began = Instant::now();
        loop {
            if self.write("")? {
                return Ok(true);
            }
            if began.elapsed() > at_most {
                return Ok(false);
            }
            std::thread::sleep(MOMENT);
        }
    }
}

/// Held while something is printed: the lock of a stream that is taken while the process forks is taken in its child for ever.
static PRINTING: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// Waits for what is being printed, but not for a terminal or a pipe that takes nothing.
fn hold() -> Box<dyn ForkLock> {
    const MOMENT: Duration = Duration::from_millis(200);
    let began = Instant::now();
    let hold = |printing: &'static Mutex<()>| loop {
        match printing.try_lock() {
            Ok(guard) => break Some(guard),
            Err(TryLockError::Poisoned(guard)) => break Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) if began.elapsed() > MOMENT => break None,
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    };
    Box::new(AsItIs(PRINTING.each_ref().map(hold)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at a time, then none for a while.
    struct Slow(Vec<u8>, Vec<io::Result<usize>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = self.1.pop().unwrap_or(Ok(bytes.len()))?.min(bytes.len());
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_stream_does_not_take_goes_out_later_once_and_whole() {
        let block = || Err(ErrorKind::WouldBlock.into());
        let interrupt = || Err(ErrorKind::Interrupted.into());
        let mut slow = Slow(Vec::new(), vec![Ok(4), interrupt(), Ok(2), block(), Ok(3)]);
        let mut out = Out::new(Stream::Stdout);
        out.waiting = b"one\ntwo\nthree\n".to_vec();
        assert_eq!(out.write_to(&mut slow).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(slow.0, b"one");
        out.write_to(&mut slow).unwrap();
        assert_eq!(slow.0, b"one\ntwo\nthree\n");
    }
}
