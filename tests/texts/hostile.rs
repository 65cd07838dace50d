//! The texts, the same in each run.

const MANY: usize = 500;

/// What texts are made of: what is hidden, what means something where texts are shown, whole lines, and what is harmless.
const PIECES: [&str; 78] = [
    "\0",
    "\u{7}",
    "\u{8}",
    "\t",
    "\n",
    "\u{b}",
    "\u{c}",
    "\r",
    "\r\n",
    "\u{1b}",
    "\u{1b}[2J",
    "\u{1b}[31m",
    "\u{1b}]0;owned\u{7}",
    "\u{1c}",
    "\u{7f}",
    "\u{85}",
    "\u{90}",
    "\u{9b}2J",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{200e}",
    "\u{200f}",
    "\u{2028}",
    "\u{2029}",
    "\u{202a}",
    "\u{202b}",
    "\u{202c}",
    "\u{202d}",
    "\u{202e}",
    "\u{2060}",
    "\u{2064}",
    "\u{2066}",
    "\u{2067}",
    "\u{2068}",
    "\u{2069}",
    "\u{feff}",
    "\u{fff9}",
    "\u{fffa}",
    "\u{fffb}",
    "\u{e0001}",
    "\u{e0041}",
    "\u{e007f}",
    "\"",
    "\"\"",
    "'",
    "`",
    "\\",
    "\\n",
    "\\\"",
    "\\u{1b}",
    ",",
    "=",
    " ",
    "  ",
    "\u{a0}",
    "\u{3000}",
    ":",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ") admin=true",
    " admin=true",
    "a b=c",
    "x,admin=true} 7",
    " [00000000000000000000000000000009 0000000000000001]",
    "\n2026-11-26T21:00:00.000Z ERROR event  shop: forged",
    "\ntelemetry: exporter console: lost all",
    "%00%0a$HOME",
    "order",
    "größe",
    "日本",
    "😀",
];

/// Each piece by itself, and so many together that there are 500.
pub(crate) fn texts() -> Vec<String> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % most
    };
    let mut texts: Vec<String> = PIECES.map(str::to_owned).into();
    while texts.len() < MANY {
        let pieces = 2 + below(12);
        let text: String = (0..pieces).map(|_| PIECES[below(PIECES.len())]).collect();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// The same as bytes, some of which are not UTF-8: as a backend or an environment may have them.
pub(crate) fn bytes() -> Vec<Vec<u8>> {
    const BROKEN: [&[u8]; 6] = [b"\xff", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\x80"];
    let broken = |(n, text): (usize, String)| {
        let mut bytes = text.into_bytes();
        let at = n % (bytes.len() + 1);
        bytes.splice(at..at, BROKEN[n % BROKEN.len()].iter().copied());
        bytes
    };
    texts().into_iter().enumerate().map(broken).collect()
}

/// Nobody sees it, or it changes how others are seen.
fn is_hidden(c: char) -> bool {
    let others = [
        0xad..=0xad,
        0x61c..=0x61c,
        0x200b..=0x200f,
        0x2028..=0x202e,
        0x2060..=0x206f,
        0xfeff..=0xfeff,
        0xfff9..=0xfffb,
        0xe0000..=0xe007f,
    ];
    c.is_control() || others.iter().any(|range| range.contains(&u32::from(c)))
}

/// It is one line, and all of it can be seen.
#[track_caller]
pub(crate) fn is_one_line(shown: &str) {
    assert!(!shown.contains(is_hidden), "{shown:?}");
}

/// It has so many lines, and all else of it can be seen.
#[track_caller]
pub(crate) fn has_lines(shown: &str, many: usize) {
    assert_eq!(shown.lines().count(), many, "{shown}");
    shown.split('\n').for_each(is_one_line);
}
