//! What a segment's name says. There is no other state, but for the [mark](super::frame::DONE) of a body that is done with before an
//! older one: two files can't disagree.
//!
//! `000000000000002a.spans.1f0` is the segment whose first frame has the number `2a`; it holds spans, and all before byte `1f0` is
//! done with. What can't be sent ends in `.damaged` instead. Whatever else stands in the directory is left alone.

use crate::exporters::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Of its first frame.
    pub(super) number: u64,
    pub(super) signal: Signal,
    /// Up to there it is done with; none where it is put aside.
    pub(super) done: Option<u64>,
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        let (number, signal, done) = (parts.next()?, parts.next()?, parts.next()?);
        let signal = *Signal::EACH.iter().find(|known| known.name() == signal)?;
        let done = if done == DAMAGED { None } else { Some(u64::from_str_radix(done, 16).ok()?) };
        let number = u64::from_str_radix(number, 16).ok().filter(|number| *number < MOST)?;
        let parsed = Self { number, signal, done };
        // Only what it has written itself: no sign, no other case.
        (parsed.to_string() == name).then_some(parsed)
    }
}

/// No spool comes so far.
pub(super) const MOST: u64 = 1 << 62;
const DAMAGED: &str = "damaged";

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}.{}.", self.number, self.signal.name())?;
        match self.done {
            Some(done) => write!(f, "{done:x}"),
            None => f.write_str(DAMAGED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (number, signal, done) in [
            (0, Signal::Spans, Some(0)),
            (0x2a, Signal::Events, Some(0x1f0)),
            (MOST - 1, Signal::Metrics, None),
        ] {
            let name = Name { number, signal, done };
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        assert_eq!(
            Name { number: 0x2a, signal: Signal::Spans, done: Some(0x1f0) }.to_string(),
            "000000000000002a.spans.1f0"
        );
        for other in [
            "",
            "owner",
            "2a.spans.0",
            "000000000000002A.spans.0",
            "000000000000002a.spans.00",
            "000000000000002a.spans.+1",
            "000000000000002a.logs.0",
            "000000000000002a.spans.0.0",
            "000000000000002a.spans",
            "ffffffffffffffff.spans.0",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
