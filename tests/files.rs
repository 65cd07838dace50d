//! `file:` and what others do to its files meanwhile: each item that counts as delivered stands in a file once, on a line of its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use telemetry_layer::CheckAtStart;
use telemetry_layer::prelude::*;
use telemetry_tests::{Over, SOON, numbers_in};
use tempfile::TempDir;
use tracing::{Dispatch, dispatcher, info_span};

/// The options of a format, and the file of its spans.
const FORMATS: [(&str, &str); 2] = [("?", "spans.jsonl"), ("?format=otlp&", "traces.otlp.jsonl")];

/// A program that exports to a directory.
struct Program {
    collector: Collector,
    dispatch: Dispatch,
    out: PathBuf,
    _above: TempDir,
}

impl Program {
    fn start(options: &str) -> Self {
        let above = tempfile::tempdir().unwrap();
        let out = above.path().join("a/b");
        let collector = start(&out, options).unwrap();
        let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
        Self { collector, dispatch: Dispatch::new(subscriber), out, _above: above }
    }

    /// Records spans of these numbers.
    fn record(&self, numbers: std::ops::Range<u64>) {
        dispatcher::with_default(&self.dispatch, || numbers.for_each(|i| drop(info_span!("work", i))));
    }

    #[track_caller]
    fn flush(&self) {
        let report = self.collector.flush(SOON);
        assert!(report.is_complete(), "{report}");
    }
}

fn start(directory: &Path, options: &str) -> Result<Collector, telemetry_layer::Error> {
    let url = format!("file:{}{options}", directory.display());
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_hours(1));
    builder.on_export(|_| ()).endpoint(url).start()
}

#[test]
fn what_is_renamed_at_any_moment_is_all_there_once() {
    for (options, file) in FORMATS {
        let program = Program::start(&format!("{options}rotate_bytes=30000&keep=1000"));
        let stop = Over::default();
        thread::scope(|scope| {
            let _over = stop.when_dropped();
            let (stop, out) = (&stop, &program.out);
            scope.spawn(move || {
                let mut renamed = 0;
                while !stop.is_over() {
                    let to = out.join(format!("old {renamed} of {file}"));
                    renamed += u32::from(fs::rename(out.join(file), to).is_ok());
                    thread::yield_now();
                }
                assert!(renamed > 0);
            });
            for round in 0..100 {
                program.record(50 * round..50 * (round + 1));
                program.flush();
            }
        });
        assert!(program.collector.shutdown(SOON).is_complete());
        assert_eq!(numbers_in(&program.out), (0..5_000).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_gone_or_another_one_is_made_anew() {
    type Happens = fn(&Path, &str);
    let ways: [Happens; 7] = [
        |out, _| fs::remove_dir_all(out).unwrap(),
        |out, _| fs::remove_dir_all(out.parent().unwrap()).unwrap(),
        |out, _| put_away(out),
        |out, _| {
            put_away(out);
            fs::create_dir(out).unwrap();
        },
        |out, file| fs::remove_file(out.join(file)).unwrap(),
        |out, file| drop(fs::File::create(out.join(file)).unwrap()),
        |out, file| {
            fs::write(out.join("other"), "").unwrap();
            fs::rename(out.join("other"), out.join(file)).unwrap();
        },
    ];
    for ((options, file), happens) in FORMATS.iter().flat_map(|format| ways.map(|way| (*format, way))) {
        let program = Program::start(options);
        for round in 0..3 {
            program.record(100 * round..100 * (round + 1));
            program.flush();
            assert_eq!(numbers_in(&program.out), (100 * round..100 * (round + 1)).collect::<Vec<_>>());
            assert_eq!(program.out.join("resource.json").exists(), file == "spans.jsonl");
            happens(&program.out, file);
        }
    }
}

#[test]
fn what_is_removed_again_and_again_is_written_when_that_is_over() {
    let program = Program::start("");
    let stop = Over::default();
    thread::scope(|scope| {
        let _over = stop.when_dropped();
        scope.spawn(|| {
            while !stop.is_over() {
                let _ = fs::remove_dir_all(&program.out);
            }
        });
        for round in 0..50 {
            program.record(10 * round..10 * (round + 1));
            program.collector.flush(Duration::from_millis(10));
        }
    });
    program.record(1_000..1_010);
    program.flush();
    let last = numbers_in(&program.out);
    assert_eq!(last[last.len() - 10..], (1_000..1_010).collect::<Vec<_>>());
}

#[test]
fn a_directory_has_one_owner_of_each_format() {
    for ((options, file), (others, _)) in FORMATS.into_iter().zip(FORMATS.into_iter().rev()) {
        let program = Program::start(options);
        let out = &program.out;
        let link = out.with_extension("link");
        std::os::unix::fs::symlink(out, &link).unwrap();
        for spelt in [out, &out.join("../b"), &link] {
            let refused = start(spelt, options).unwrap_err().to_string();
            assert!(
                refused.contains("another exporter") && refused.contains(spelt.to_str().unwrap()),
                "{refused}"
            );
        }
        start(out, others).unwrap();
        // Whose lock is removed, perhaps with the directory, has no claim on it.
        program.record(0..10);
        program.flush();
        fs::remove_dir_all(out).unwrap();
        let next = start(out, options).unwrap();
        program.record(10..20);
        assert!(!program.collector.flush(Duration::from_millis(100)).is_complete());
        assert_eq!(fs::read(out.join(file)).unwrap(), b"");
        // As long as the other one is there.
        assert!(next.shutdown(SOON).is_complete());
        program.flush();
        assert_eq!(numbers_in(out), (10..20).collect::<Vec<_>>());
        assert!(program.collector.shutdown(SOON).is_complete());
        start(out, options).unwrap();
    }
}

#[test]
fn what_is_no_regular_file_is_refused_by_name() {
    type Kind = (&'static str, fn(&Path));
    let kinds: [Kind; 4] = [
        ("is a pipe", pipe),
        ("is a directory", |at| fs::create_dir(at).unwrap()),
        ("is a device", |at| std::os::unix::fs::symlink("/dev/full", at).unwrap()),
        ("is a pipe", |at| {
            let other = at.with_extension("other");
            pipe(&other);
            std::os::unix::fs::symlink(other, at).unwrap();
        }),
    ];
    let json = ["spans.jsonl", "events.jsonl", "metrics.jsonl", "resource.json", "telemetry.lock"];
    let otlp = ["traces.otlp.jsonl", "logs.otlp.jsonl", "metrics.otlp.jsonl", "telemetry.otlp.lock"];
    let json = json.map(|file| (FORMATS[0].0, file));
    let otlp = otlp.map(|file| (FORMATS[1].0, file));
    for (options, file) in json.into_iter().chain(otlp) {
        for (is, make) in kinds {
            let directory = tempfile::tempdir().unwrap();
            make(&directory.path().join(file));
            let refused = start(directory.path(), options).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{file}` {is}, and no regular file")), "{refused}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for (path, is) in [("/dev/null".into(), "is a device"), (directory.path().join("file"), "is a file")] {
        let refused = start(&path, "").unwrap_err().to_string();
        let says = format!("`{}` {is}, and no directory", path.display());
        assert!(refused.contains(&says), "{refused}");
    }
    // A link to a regular file is one.
    std::os::unix::fs::symlink("file", directory.path().join("spans.jsonl")).unwrap();
    start(directory.path(), "").unwrap();
}

#[test]
fn what_stands_in_the_way_later_is_waited_for() {
    for (options, file) in FORMATS {
        let program = Program::start(options);
        program.record(0..10);
        program.flush();
        fs::remove_file(program.out.join(file)).unwrap();
        pipe(&program.out.join(file));
        program.record(10..20);
        let began = Instant::now();
        assert!(!program.collector.flush(Duration::from_millis(100)).is_complete());
        assert!(began.elapsed() < SOON);
        fs::remove_file(program.out.join(file)).unwrap();
        program.flush();
        assert_eq!(numbers_in(&program.out), (10..20).collect::<Vec<_>>());
    }
}

#[test]
fn a_relative_directory_stays_where_it_was() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::env::set_current_dir(first.path()).unwrap();
    let collector = start(Path::new("out"), "?rotate_bytes=1").unwrap();
    std::env::set_current_dir(second.path()).unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    dispatcher::with_default(&Dispatch::new(subscriber), || {
        for i in 0..3_u64 {
            drop(info_span!("work", i));
            assert!(collector.flush(SOON).is_complete());
        }
    });
    assert_eq!(numbers_in(&first.path().join("out")), [0, 1, 2]);
    assert_eq!(fs::read_dir(second.path()).unwrap().count(), 0);

    // So does a file that an endpoint names, which is read for each request.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}?token=@token", listener.local_addr().unwrap());
    fs::write(second.path().join("token"), "sesame").unwrap();
    let builder = Collector::builder().ignore_env().check_at_start(CheckAtStart::Off).on_export(|_| ());
    let collector = builder.endpoint(url).start().unwrap();
    std::env::set_current_dir(first.path()).unwrap();
    collector.record("size", 1);
    thread::scope(|scope| {
        scope.spawn(|| collector.shutdown(SOON));
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = [0; 1 << 10];
        let bytes = connection.read(&mut head).unwrap();
        assert!(String::from_utf8_lossy(&head[..bytes]).to_lowercase().contains("bearer sesame"));
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    // The working directory must be there while others are made.
    std::env::set_current_dir("/").unwrap();
}

/// Renames a directory.
fn put_away(out: &Path) {
    let old = out.with_extension("old");
    let _ = fs::remove_dir_all(&old);
    fs::rename(out, old).unwrap();
}

fn pipe(at: &Path) {
    assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
}
