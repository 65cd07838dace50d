//! Bodies out of the segments of a spool, as the first lines of the spool's `frame` describe them.

use std::path::Path;

/// Magic, length, checksum; behind them version, signal, number, time, items.
const START: usize = 12;
const HEAD: usize = START + 2 + 8 + 8 + 4;

/// A body, and the number and the length of its frame.
pub struct Stored {
    pub number: u64,
    pub frame: u64,
    pub body: Vec<u8>,
}

/// All whose number is higher than that, in their order.
pub fn since(number: u64, spool: &Path) -> Vec<Stored> {
    let mut all = vec![];
    for entry in std::fs::read_dir(spool).expect("the spool's directory") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name != "owner") {
            each(&std::fs::read(path).expect("a segment"), &mut all);
        }
    }
    all.retain(|stored| stored.number > number);
    all.sort_by_key(|stored| stored.number);
    all
}

fn each(mut segment: &[u8], all: &mut Vec<Stored>) {
    while !segment.is_empty() {
        assert_eq!(segment[..4], [0xff, b'S', b'P', 0xfe], "a frame");
        let number = |at: usize| u64::from_le_bytes(segment[at..at + 8].try_into().expect("8 bytes"));
        let length = number(0) >> 32;
        let (frame, rest) = segment.split_at(START + length as usize);
        let format = usize::from(frame[HEAD]);
        let at = HEAD + 1 + format;
        let destination = usize::from(u16::from_le_bytes([frame[at], frame[at + 1]]));
        let body = frame[at + 2 + destination..].to_vec();
        all.push(Stored { number: number(START + 2), frame: frame.len() as u64, body });
        segment = rest;
    }
}
