//! What is told of directories, whatever stands in them.

use std::fs;

use tempfile::TempDir;

use super::super::frame::{Head, Label, whole};
use super::*;

fn frame(number: u64, signal: Signal, label: &Label) -> Vec<u8> {
    whole(Head { number, signal, time: number * 1_000_000_000, items: 10 }, label, b"body")
}

fn label(destination: &str) -> Label {
    Label::new("otlp", destination)
}

fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn all(directory: &TempDir) -> Vec<Segment> {
    inspect(directory.path()).unwrap().collect()
}

fn spans(numbers: std::ops::Range<u64>, destination: &str) -> Vec<u8> {
    numbers.flat_map(|number| frame(number, Signal::Spans, &label(destination))).collect()
}

const FIRST: &str = "0000000000000001.spans.0";

#[test]
fn what_is_done_with_is_not_waiting() {
    let (one, three) = (spans(1..2, "a").len() as u64, spans(1..4, "a"));
    let name = format!("0000000000000001.spans.{one:x}");
    let found = all(&directory(&[(&name, &three), ("0000000000000009.spans.damaged", &three)]));
    let [open, aside] = &found[..] else { panic!("{found:?}") };
    assert_eq!((open.done, open.numbers, open.bytes), (Some(one), Some((1, 3)), three.len() as u64));
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let waiting = Waiting {
        format: "otlp".to_owned(),
        destination: "a".to_owned(),
        signal: Signal::Spans,
        bodies: 2,
        items: 20,
        bytes: 8,
        oldest: at(2),
        newest: at(3),
    };
    assert_eq!(open.waiting, [waiting]);
    assert_eq!((aside.done, &*aside.waiting, aside.faults.len()), (None, &[][..], 0));
}

#[test]
fn the_oldest_comes_first_and_others_are_counted() {
    let directory = directory(&[
        ("000000000000000a.spans.0", &spans(10..11, "a")),
        (FIRST, &spans(1..2, "a")),
        ("owner", b"00000000000000000010\n"),
        ("1.spans.0", b""),
        ("notes", b""),
    ]);
    let mut inspection = inspect(directory.path()).unwrap();
    assert_eq!((inspection.committed(), inspection.others()), (Some(10), 2));
    assert!(!inspection.is_owned().unwrap());
    assert_eq!(inspection.next().unwrap().file, FIRST);
    // The other one is gone by now.
    drop(directory);
    assert_eq!(inspection.count(), 0);
}

#[test]
fn texts_and_kinds_are_bounded() {
    let hostile = format!("http://x\u{1b}[2J\n{}", "y".repeat(60_000));
    let mut bytes = spans(1..2, &hostile);
    for number in 2..200 {
        bytes.extend(spans(number..number + 1, &format!("d{}", number % 40)));
    }
    let found = &all(&directory(&[(FIRST, &bytes)]))[0];
    let first = &found.waiting[0].destination;
    assert!(first.starts_with("http://x\\u{1b}[2J\\n") && first.len() < 5000, "{first}");
    let told: u64 = found.waiting.iter().map(|waiting| waiting.bodies).sum();
    assert_eq!((found.waiting.len(), told + found.unknown), (MOST_KINDS, 199));
    assert!(found.faults.is_empty());
}

#[test]
fn faults_are_told_by_their_place_and_bounded() {
    let (one, mut bytes) = (spans(1..2, "a"), Vec::new());
    for _ in 0..1000 {
        bytes.extend_from_slice(&one);
        bytes.extend_from_slice(b"##");
    }
    bytes.extend_from_slice(&one[..one.len() - 1]);
    let found = &all(&directory(&[(FIRST, &bytes)]))[0];
    assert_eq!((found.waiting[0].bodies, found.faults.len(), found.more_faults), (1000, MOST_FAULTS, 900));
    let at = one.len();
    assert_eq!(found.faults[0].to_string(), format!("byte {at}: 2 bytes are damaged"));
    let torn = all(&directory(&[(FIRST, &[&*one, &one[1..]].concat())]));
    assert_eq!(torn[0].faults, [Fault { at: at as u64, bytes: at as u64 - 1, kind: FaultKind::Damaged }]);
    let torn = &all(&directory(&[(FIRST, &[&*one, &one[..at - 1]].concat())]))[0];
    assert_eq!(torn.faults, [Fault { at: at as u64, bytes: at as u64 - 1, kind: FaultKind::Torn }]);
}

#[test]
fn what_an_owner_writes_is_no_fault() {
    let one = spans(1..2, "a");
    let torn = [&*one, &one[..20]].concat();
    let directory = directory(&[(FIRST, &torn), ("0000000000000002.spans.0", &torn)]);
    let faults =
        || all(&directory).iter().map(|found| (found.faults.len(), found.unfinished)).collect::<Vec<_>>();
    assert_eq!(faults(), [(1, 0), (1, 0)]);
    let mut owner = crate::files::Owner::new(directory.path().join(OWNER));
    owner.hold().unwrap();
    assert!(inspect(directory.path()).unwrap().is_owned().unwrap());
    assert_eq!(faults(), [(1, 0), (0, 20)], "nothing more comes to the older one");
    owner.release();
    assert_eq!(faults(), [(1, 0), (1, 0)]);
}

#[test]
fn a_segment_that_is_renamed_meanwhile_is_found_by_its_new_name() {
    let bytes = spans(1..3, "a");
    let directory = directory(&[(FIRST, &bytes), ("0000000000000007.events.0", &bytes)]);
    let mut inspection = inspect(directory.path()).unwrap();
    let new = "0000000000000001.spans.1";
    fs::rename(directory.path().join(FIRST), directory.path().join(new)).unwrap();
    fs::remove_file(directory.path().join("0000000000000007.events.0")).unwrap();
    let found = inspection.next().unwrap();
    assert_eq!((&*found.file, found.waiting[0].bodies), (new, 1));
    assert!(inspection.next().is_none(), "that one was sent");
}

#[test]
fn what_is_no_file_is_no_segment() {
    let directory = directory(&[]);
    fs::create_dir(directory.path().join(FIRST)).unwrap();
    assert!(all(&directory).is_empty());
    assert_eq!(inspect(directory.path().join("x")).unwrap_err().kind(), io::ErrorKind::NotFound);
}
