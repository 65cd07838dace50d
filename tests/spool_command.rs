//! The example `spool`, as its user runs it, on directories that exporters have left and on others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::SystemTime;

use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Fault, Form, Receiver, Setup, refusing};
use telemetry_tests::{Over, SOON, each, eventually};

/// What the program says, and how it ends.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    /// The words of the line that begins with this one.
    #[track_caller]
    fn line(&self, first: &str) -> Vec<&str> {
        let mut lines = self.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines
            .find(|words| words.first() == Some(&first))
            .unwrap_or_else(|| panic!("no {first}: {}", self.out))
    }
}

fn spool(command: &str, directory: &Path, more: &[&str]) -> Ran {
    let mut program = Command::new(env!("CARGO_BIN_EXE_spool"));
    program.arg(command).arg(directory).args(more).output().unwrap().into()
}

fn drain(directory: &Path, url: &str) -> Ran {
    spool("drain", directory, &["--to", url])
}

/// Every file with what stands in it and when it was changed.
fn all_of(directory: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let of = |entry: fs::DirEntry| {
        let content = fs::read(entry.path()).unwrap_or_default();
        (entry.file_name().into_string().unwrap(), (content, entry.metadata().unwrap().modified().unwrap()))
    };
    entries.map(of).collect()
}

fn segments(directory: &Path) -> Vec<String> {
    all_of(directory).into_keys().filter(|name| name.starts_with('0')).collect()
}

fn url(form: Form, directory: &Path) -> String {
    form.url(refusing(), &format!("linger_ms=1&spool={}", directory.display()))
}

/// A directory in which a program left the items of these ids, some at a time: its backend was away.
fn left_by(form: Form, directory: &Path, bodies: u64, ids: u64) {
    let program = Program::start(&url(form, directory));
    for body in 0..bodies {
        program.record(body * ids + 1..=(body + 1) * ids).flush();
    }
    assert!(program.collector.shutdown(SOON).is_complete());
    assert_eq!(program.alike(|account| account.spooled), bodies * ids);
}

fn taking(form: Form) -> Receiver {
    form.receiver(move |_| form.ok().into())
}

#[test]
fn what_waits_is_listed_and_found_whole_and_no_byte_changes() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    left_by(Form::Otlp, directory, 3, 10);
    fs::write(directory.join("notes.txt"), "not of the spool").unwrap();
    let before = all_of(directory);
    let listed = spool("list", directory, &[]).ended(0);
    assert_eq!(listed.line("owner")[1..], ["nobody"]);
    assert_eq!(listed.line("spans")[1..3], ["3", "30"]);
    assert_eq!(listed.line("events")[1..3], ["3", "30"]);
    assert_eq!(listed.line("in")[2..4], ["6", "60"]);
    let (format, destination) = (listed.line("spans")[6], listed.line("spans")[7]);
    assert!(format == "otlp" && destination.starts_with("otlp://127."), "{}", listed.out);
    assert_eq!(listed.line("committed")[1..], ["all", "of", "it,", "up", "to", "number", "6"]);
    assert_eq!(listed.line("beside")[2..4], ["1", "other"]);
    for name in segments(directory) {
        let row = listed.line(&name);
        let bytes = before[&name].0.len().to_string();
        assert_eq!((row[1], row[2], row[4], row[5]), (&*bytes, "0", "3", "30"), "{}", listed.out);
        let numbers: Vec<u64> = row[3].split('-').map(|number| number.parse().unwrap()).collect();
        assert!(numbers[0] >= 1 && numbers[1] <= 6, "{numbers:?}");
    }
    let verified = spool("verify", directory, &[]).ended(0);
    assert!(
        verified.out.contains(": 2 segments, ") && verified.out.ends_with(": all is as it was written\n")
    );
    assert_eq!(all_of(directory), before);
}

#[test]
fn while_its_owner_runs_it_may_be_looked_at_and_not_drained() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let program = Program::start(&url(Form::Otlp, directory));
    program.record(1..=10).flush();
    let listed = spool("list", directory, &[]).ended(0);
    assert_eq!(listed.line("owner")[1..], ["a", "running", "process"]);
    assert_eq!(listed.line("in")[3], "20");
    let before = all_of(directory);
    let receiver = taking(Form::Otlp);
    let refused = drain(directory, &Form::Otlp.url(receiver.address, "")).ended(2);
    let said = format!(
        "spool={}: another exporter, of this process or of another one, writes to it",
        directory.display()
    );
    assert!(refused.err.contains(&said), "{}", refused.err);
    assert_eq!(all_of(directory), before);
    assert!(receiver.taken().is_empty());
    // It goes on meanwhile: whatever it is at, nothing is taken for a fault.
    let over = Over::default();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let mut next = 11;
            while !over.is_over() {
                program.record_with(next..next + 5, "some text that takes room").flush();
                next += 5;
            }
            next
        });
        {
            let _over = over.when_dropped();
            for _ in 0..20 {
                let verified = spool("verify", directory, &[]);
                assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
            }
        }
        let next = writes.join().unwrap();
        assert_eq!(program.alike(|account| account.spooled), next - 1);
    });
}

#[test]
fn what_is_drained_comes_once_wherever_it_is_sent_to() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        left_by(form, directory, 4, 25);
        let receiver = taking(form);
        let drained = drain(directory, &form.url(receiver.address, "")).ended(0);
        receiver.has_each_once(1..=100);
        let delivered: Vec<String> =
            form.signals().iter().map(|signal| format!("100 {}", signal.name())).collect();
        assert_eq!(drained.line("delivered")[1..].join(" "), delivered.join(", "));
        assert_eq!(drained.line("left")[1..], ["nothing"]);
        assert!(segments(directory).is_empty(), "{:?}", segments(directory));
        assert_eq!(drain(directory, &form.url(receiver.address, "")).ended(0).out, "nothing waits there\n");
    });
}

#[test]
fn what_is_not_delivered_in_time_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    left_by(Form::Otlp, directory, 3, 10);
    let left = |address, deadline| {
        let url = Form::Otlp.url(address, "");
        let drained = spool("drain", directory, &["--to", &url, "--deadline", deadline]).ended(1);
        (drained.line("delivered")[1..].join(" "), drained.line("left")[1..].join(" "))
    };
    // Nobody is there.
    let all = || "30 spans, 30 events, in 6 bodies".to_owned();
    assert_eq!(left(refusing(), "1"), ("nothing".to_owned(), all()));
    // It takes one signal, and not the other.
    let no_events = |path: &str| path.ends_with("/logs");
    let half = Form::Otlp.receiver(move |request| {
        if no_events(&request.path) {
            Act::Answer(Form::Otlp.refusal(Fault::Busy, "not now", None))
        } else {
            Form::Otlp.ok().into()
        }
    });
    let (delivered, still) = left(half.address, "5");
    assert_eq!((&*delivered, &*still), ("30 spans", "30 events, in 3 bodies"));
    let receiver = taking(Form::Otlp);
    drain(directory, &Form::Otlp.url(receiver.address, "")).ended(0);
    receiver.has(telemetry_layer::Signal::Spans, []);
    receiver.has(telemetry_layer::Signal::Events, (1..=30).map(|id| (id, 1)));
    half.has(telemetry_layer::Signal::Spans, (1..=30).map(|id| (id, 1)));
}

#[test]
fn it_waits_for_a_backend_that_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    left_by(Form::Batches, directory, 3, 10);
    let is_up = AtomicBool::new(false);
    let receiver = Form::Batches.receiver(move |request| {
        // The first request of each signal is refused.
        if is_up.swap(true, SeqCst) || request.number > 1 {
            Form::Batches.ok().into()
        } else {
            Act::Answer(Form::Batches.refusal(Fault::Busy, "not now", None))
        }
    });
    drain(directory, &Form::Batches.url(receiver.address, "")).ended(0);
    receiver.has_each_once(1..=30);
}

#[test]
fn bodies_that_the_endpoint_does_not_speak_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    left_by(Form::InfluxDb, directory, 2, 10);
    let before = all_of(directory);
    for (to, takes) in [
        (
            "otlp://127.0.0.1:1",
            "the endpoint takes the format `otlp`, and what waits there is in `influxdb-s`",
        ),
        ("influxdb://127.0.0.1:1?db=x&precision=ms", "takes the format `influxdb-ms`, and"),
        ("discard:", "only exporters over a network have a spool"),
        ("otlp://me:hush-hush@[", "the export endpoint `otlp://***@[` can't be used"),
    ] {
        let refused = drain(directory, to).ended(2);
        assert!(refused.err.contains(takes) && refused.out.is_empty(), "{}", refused.err);
        assert!(!refused.err.contains("hush-hush"));
    }
    assert_eq!(all_of(directory), before);
    // What it speaks goes, the rest stays for whom it is.
    left_by(Form::Otlp, directory, 1, 7);
    let receiver = taking(Form::Otlp);
    let drained = drain(directory, &Form::Otlp.url(receiver.address, "")).ended(1);
    receiver.has_each_once(1..=7);
    assert_eq!(drained.line("delivered")[1..].join(" "), "7 spans, 7 events");
    assert_eq!(drained.line("left")[1..].join(" "), "20 metrics, in 2 bodies");
}

#[test]
fn what_is_torn_or_damaged_is_named_by_its_place_and_all_else_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    left_by(Form::Otlp, directory, 3, 10);
    let [events, spans] = ["events", "spans"].map(|signal| {
        let found = segments(directory).into_iter().find(|name| name.contains(signal)).unwrap();
        directory.join(found)
    });
    // Its frames begin with these bytes; the second one is hit in its middle.
    let mut bytes = fs::read(&spans).unwrap();
    let begins: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, four)| *four == b"\xffSP\xfe").map(|(at, _)| at).collect();
    assert_eq!(begins.len(), 3);
    bytes[begins[1].midpoint(begins[2])] ^= 0x10;
    fs::write(&spans, &bytes).unwrap();
    // The last one has no end.
    let bytes = fs::read(&events).unwrap();
    let last = bytes.windows(4).rposition(|four| four == b"\xffSP\xfe").unwrap();
    fs::write(&events, &bytes[..bytes.len() - 5]).unwrap();
    let before = all_of(directory);
    let verified = spool("verify", directory, &[]).ended(1);
    let damaged =
        format!("{}: byte {}: {} bytes are damaged\n", spans.display(), begins[1], begins[2] - begins[1]);
    let torn = format!(
        "{}: byte {last}: torn, {} bytes are the beginning",
        events.display(),
        bytes.len() - 5 - last
    );
    assert!(
        verified.out.contains(&damaged) && verified.out.contains(&torn),
        "{damaged}{torn}{}",
        verified.out
    );
    assert!(verified.out.ends_with(": 2 faults\n"));
    let listed = spool("list", directory, &[]).ended(0);
    assert_eq!(listed.line("in")[2..4], ["4", "40"]);
    assert_eq!(all_of(directory), before);
    let receiver = taking(Form::Otlp);
    let drained = drain(directory, &Form::Otlp.url(receiver.address, "")).ended(0);
    assert_eq!(drained.line("delivered")[1..].join(" "), "20 spans, 20 events");
    receiver.has(telemetry_layer::Signal::Spans, (1..=10).chain(21..=30).map(|id| (id, 1)));
    receiver.has(telemetry_layer::Signal::Events, (1..=20).map(|id| (id, 1)));
    // What was damaged is put aside, and is what it was.
    let aside = segments(directory);
    assert!(aside.len() == 1 && aside[0].ends_with(".spans.damaged"), "{aside:?}");
    assert!(spool("list", directory, &[]).ended(0).out.contains("put aside: damaged"));
    spool("verify", directory, &[]).ended(1);
}

#[test]
fn a_directory_that_is_none_is_named_and_not_made() {
    let place = tempfile::tempdir().unwrap();
    let nowhere = place.path().join("nowhere");
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    for (directory, why) in [(&nowhere, "No such file"), (&file, "Not a directory")] {
        for ran in [
            spool("list", directory, &[]),
            spool("verify", directory, &[]),
            drain(directory, "otlp://127.0.0.1:1"),
        ] {
            let ran = ran.ended(2);
            let said = format!("spool: {}: {why}", directory.display());
            assert!(ran.err.starts_with(&said) && ran.out.is_empty(), "{}", ran.err);
        }
    }
    assert!(!nowhere.exists());
    // One that is empty is none of these.
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(spool("list", empty.path(), &[]).ended(0).line("in")[2..4], ["0", "0"]);
    spool("verify", empty.path(), &[]).ended(0);
    assert_eq!(drain(empty.path(), "otlp://127.0.0.1:1").ended(0).out, "nothing waits there\n");
    assert!(all_of(empty.path()).is_empty());
}

/// Root may do anything: there it runs as nobody.
#[cfg(unix)]
#[test]
fn without_permission_it_says_so() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;

    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("spool");
    left_by(Form::Otlp, &directory, 1, 10);
    let may = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    may(place.path(), 0o755);
    let program = place.path().join("program");
    fs::copy(env!("CARGO_BIN_EXE_spool"), &program).unwrap();
    let is_root = fs::metadata(&program).unwrap().uid() == 0;
    let run = |command: &str| {
        let mut program = Command::new(&program);
        program.arg(command).arg(&directory);
        if is_root {
            program.uid(65534).gid(65534);
        }
        Ran::from(program.output().unwrap())
    };
    may(&directory, 0);
    for command in ["list", "verify"] {
        let ran = run(command).ended(2);
        assert!(ran.err.contains("Permission denied") && ran.out.is_empty(), "{}", ran.err);
    }
    // Of its files none.
    may(&directory, 0o755);
    segments(&directory).iter().for_each(|name| may(&directory.join(name), 0));
    let verified = run("verify").ended(1);
    let lines = verified
        .out
        .lines()
        .filter(|line| line.ends_with("bytes can't be read: Permission denied (os error 13)"));
    assert_eq!(lines.count(), 2, "{}", verified.out);
    may(&directory, 0o700);
}

#[test]
fn it_says_how_it_is_called() {
    for (arguments, said) in [
        (&["drain", "x"][..], "--to <URL>"),
        (&["lisst", "x"], "list"),
        (&["list"], "<DIRECTORY>"),
        (&["drain", "x", "--to", "discard:", "--deadline", "soon"], "'soon'"),
    ] {
        let ran =
            Ran::from(Command::new(env!("CARGO_BIN_EXE_spool")).args(arguments).output().unwrap()).ended(2);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

/// Of a program that was killed, and of one that comes after.
#[test]
fn a_restart_sends_what_a_drain_left() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let address = refusing();
    let url = Form::Otlp.url(address, &format!("linger_ms=1&spool={}", directory.display()));
    let program = Program::start(&url);
    program.record(1..=10).flush();
    assert!(program.collector.shutdown(SOON).is_complete());
    let other = format!("{}&timeout_ms=100", Form::Otlp.url(refusing(), ""));
    spool("drain", directory, &["--to", &other, "--deadline", "0"]).ended(1);
    let receiver = Setup::new(Form::Otlp).start_at(address, |_| Form::Otlp.ok().into());
    let program = Program::start(&url);
    // Each signal at its own time.
    let is_sent = || program.accounts().iter().all(|account| account.delivered == 10);
    eventually("what was left is sent", || is_sent().then_some(()));
    receiver.has_each_once(1..=10);
}
