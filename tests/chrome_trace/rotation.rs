//! Files that are full, gone, somebody else's, or of another run: each is a trace of its own, and nothing is lost on the way.

use std::fs;
use std::path::{Path, PathBuf};

use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use tempfile::TempDir;
use tracing::{Dispatch, dispatcher, info_span};

use crate::trace::Trace;

fn start(path: &Path, options: &str) -> Result<Collector, telemetry_layer::Error> {
    let url = format!("chrome-trace:{}{options}", path.display());
    let builder = Collector::builder().ignore_env().flush_interval(std::time::Duration::from_hours(1));
    builder.on_export(|_| ()).endpoint(url).start()
}

fn record(collector: &Collector, numbers: std::ops::Range<u64>) {
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(collector));
    dispatcher::with_default(&Dispatch::new(subscriber), || {
        numbers.for_each(|i| info_span!("work", i).in_scope(|| tracing::info!("done")));
    });
}

/// A place for a file.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/trace.json");
    (directory, path)
}

/// All files of a directory but its lock, each of which is a trace; the numbers in them.
#[track_caller]
fn numbers_in(directory: &Path) -> Vec<u64> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let traces = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut numbers: Vec<u64> = traces.flat_map(|path| Trace::read(&path).numbers()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_full_file_is_put_aside_and_the_next_one_is_a_trace_of_its_own() {
    let (_above, path) = place();
    let collector = start(&path, "?rotate_bytes=20000&keep=2").unwrap();
    for round in 0..20 {
        record(&collector, 10 * round..10 * (round + 1));
        assert!(collector.flush(SOON).is_complete());
    }
    assert!(collector.shutdown(SOON).is_complete());
    let directory = path.parent().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["trace.1.json", "trace.2.json", "trace.json", "trace.json.lock"]);
    for file in ["trace.json", "trace.1.json", "trace.2.json"] {
        let file = directory.join(file);
        assert!(fs::metadata(&file).unwrap().len() <= 20_000);
        let trace = Trace::read(&file);
        assert!(trace.of("X").next().is_some_and(|span| !trace.thread_of(span).is_empty()));
    }
    let numbers = numbers_in(directory);
    assert_eq!(numbers, (numbers[0]..200).collect::<Vec<_>>(), "the last ones, without a gap");
}

#[test]
fn each_run_has_its_own_file() {
    let (_above, path) = place();
    for run in 0..3 {
        let collector = start(&path, "").unwrap();
        record(&collector, 10 * run..10 * (run + 1));
        assert!(collector.shutdown(SOON).is_complete());
        assert_eq!(Trace::read(&path).numbers(), (10 * run..10 * (run + 1)).collect::<Vec<_>>());
    }
    assert_eq!(Trace::read(&path.with_file_name("trace.2.json")).numbers(), (0..10).collect::<Vec<_>>());
    // A run that has nothing to write leaves things as they are.
    assert!(start(&path, "").unwrap().shutdown(SOON).is_complete() && path.exists());
}

#[test]
fn what_somebody_else_wrote_is_put_aside_as_it_is() {
    let (_above, path) = place();
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "somebody's only copy").unwrap();
    let collector = start(&path, "").unwrap();
    record(&collector, 0..10);
    assert!(collector.flush(SOON).is_complete());
    let aside = path.with_file_name("trace.1.json");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "somebody's only copy");
    fs::remove_file(aside).unwrap();
    // The same while it runs.
    fs::write(path.with_extension("other"), "{}").unwrap();
    fs::rename(path.with_extension("other"), &path).unwrap();
    record(&collector, 10..20);
    assert!(collector.shutdown(SOON).is_complete());
    assert_eq!(Trace::read(&path).numbers(), (10..20).collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(path.with_file_name("trace.1.json")).unwrap(), "{}");
}

#[test]
fn what_is_gone_is_made_anew() {
    type Happens = fn(&Path);
    let ways: [Happens; 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
        |path| fs::rename(path, path.with_extension("old")).unwrap(),
        |path| drop(fs::File::create(path).unwrap()),
    ];
    for happens in ways {
        let (_above, path) = place();
        let collector = start(&path, "").unwrap();
        for round in 0..3 {
            record(&collector, 10 * round..10 * (round + 1));
            assert!(collector.flush(SOON).is_complete());
            assert_eq!(Trace::read(&path).numbers(), (10 * round..10 * (round + 1)).collect::<Vec<_>>());
            happens(&path);
        }
        drop(collector);
    }
}

#[test]
fn a_file_has_one_owner() {
    let (_above, path) = place();
    let first = start(&path, "").unwrap();
    let refused = start(&path, "").unwrap_err().to_string();
    assert!(refused.contains("another exporter") && refused.contains(path.to_str().unwrap()), "{refused}");
    let beside = start(&path.with_file_name("other.json"), "").unwrap();
    assert!(first.shutdown(SOON).is_complete() && beside.shutdown(SOON).is_complete());
    start(&path, "").unwrap();
}

#[test]
fn what_is_no_place_for_a_file_is_refused_by_name() {
    let (above, path) = place();
    let refused = |path: &Path| start(path, "").unwrap_err().to_string();
    let directory = refused(above.path());
    assert!(directory.contains("is a directory, and no regular file"), "{directory}");
    let link = above.path().join("link");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    assert!(refused(&link).contains("`link` is a device, and no regular file"));
    fs::write(path.parent().unwrap(), "").unwrap();
    assert!(refused(&path).contains("is a file, and no directory"), "{}", refused(&path));
    assert!(refused(Path::new("/")).contains("it has no name"));
    let error = |url: &str| Collector::builder().ignore_env().endpoint(url).start().unwrap_err().to_string();
    assert!(error("chrome-trace:").contains("a file is missing behind the colon"));
    assert!(error("chrome-trace://host").contains("write `chrome-trace:FILE` or `chrome-trace:///FILE`"));
    assert!(error("chrome-trace:a?keep=0").contains("`keep=0`: a whole number above 0 is needed"));
    assert!(error("chrome-trace:a?kep=1").contains("`kep`"));
}
