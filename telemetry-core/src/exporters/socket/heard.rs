//! What the other side says: bytes come in, whole lines that may be shown go out. However much it is, only so much is kept.

use crate::text;

/// So many bytes of a line are kept, and so many lines until somebody asks for them.
const LINE_BYTES: usize = 512;
const LINES: usize = 64;

/// The lines of all connections that nobody has asked for yet.
#[derive(Default)]
pub(super) struct Heard {
    lines: Vec<String>,
    /// So many more were there.
    left_out: u64,
}

/// A line of one connection that is not over yet.
#[derive(Default)]
pub(super) struct Begun {
    bytes: Vec<u8>,
    /// It goes on, but that is not kept.
    is_long: bool,
    /// The line before, as it may be shown, whether or not it was kept.
    pub(super) last: Option<String>,
}

impl Heard {
    /// All of them; the last one says how many more there were.
    pub(super) fn take(&mut self) -> Vec<String> {
        let (mut lines, left_out) = self.take_counted();
        if left_out > 0 {
            lines.push(format!(".. and {left_out} more lines"));
        }
        lines
    }

    /// Those that are kept, and how many more there were.
    pub(super) fn take_counted(&mut self) -> (Vec<String>, u64) {
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.left_out))
    }

    /// Those of another one behind its own.
    pub(super) fn append(&mut self, other: Self) {
        self.left_out += other.left_out;
        other.lines.into_iter().for_each(|line| self.add(line));
    }

    /// Where there are too many, the last one has the place of the one before.
    fn add(&mut self, line: String) {
        if self.lines.len() >= LINES {
            self.lines.pop();
            self.left_out += 1;
        }
        self.lines.push(line);
    }
}

impl Begun {
    /// Adds bytes as they came.
    pub(super) fn add(&mut self, mut bytes: &[u8], heard: &mut Heard) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.keep(&bytes[..end]);
            self.end(heard);
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// Nothing more comes of it.
    pub(super) fn end(&mut self, heard: &mut Heard) {
        let line = self.bytes.trim_ascii();
        if !line.is_empty() || self.is_long {
            let mut shown = text::line(format_args!("{}", String::from_utf8_lossy(line)), LINE_BYTES);
            if self.is_long && !shown.ends_with(" ..") {
                shown.push_str(" ..");
            }
            heard.add(shown.clone());
            self.last = Some(shown);
        }
        self.bytes.clear();
        self.is_long = false;
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES - self.bytes.len();
        self.is_long |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(parts: &[&[u8]]) -> Vec<String> {
        let (mut begun, mut heard) = (Begun::default(), Heard::default());
        parts.iter().for_each(|part| begun.add(part, &mut heard));
        begun.end(&mut heard);
        heard.take()
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        assert_eq!(
            heard(&[b"put: il", b"legal\r", b"\n\n  put: no\nlast"]),
            ["put: illegal", "put: no", "last"]
        );
        assert_eq!(heard(&[b"\x1b[2J\xff\xe2\x80\xae\n"]), ["\\u{1b}[2J\u{fffd}\\u{202e}"]);
        let long = [b'x'; 600];
        let cut = format!("{} ..", "x".repeat(LINE_BYTES));
        assert_eq!(heard(&[&long, &long, b"\nnext\n"]), [&*cut, "next"]);
        assert_eq!(heard(&[&long[..LINE_BYTES], b"\n"]), ["x".repeat(LINE_BYTES)]);
    }

    #[test]
    fn no_more_than_so_many_lines_are_kept() {
        let (mut begun, mut heard) = (Begun::default(), Heard::default());
        begun.add("no\n".repeat(LINES + 6).as_bytes(), &mut heard);
        begun.add(b"the last\n", &mut heard);
        assert_eq!(begun.last.as_deref(), Some("the last"));
        let lines = heard.take();
        assert_eq!((lines.len(), &*lines[LINES]), (LINES + 1, ".. and 7 more lines"));
        assert_eq!((&*lines[LINES - 2], &*lines[LINES - 1]), ("no", "the last"));
        begun.add(b"yes\n", &mut heard);
        assert_eq!(heard.take(), ["yes"]);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded(parts: Vec<Vec<u8>>, often in 1..300_usize) {
            let (mut begun, mut heard) = (Begun::default(), Heard::default());
            for part in std::iter::repeat_n(&parts, often).flatten() {
                begun.add(part, &mut heard);
                prop_assert!(begun.bytes.len() <= LINE_BYTES && heard.lines.len() <= LINES);
            }
            for line in heard.take() {
                prop_assert!(line.len() <= LINE_BYTES + 13 + 3 && !line.contains(char::is_control), "{line:?}");
            }
        }
    }
}
