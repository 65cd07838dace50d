//! `chrome-trace:FILE`: what Perfetto, speedscope and Chrome open, in Chrome's Trace Event Format.
//!
//! Batches come in; lines are appended to a file that is a trace at any moment. What was written is never changed, but for what was
//! written by half.

mod flows;
mod layout;
mod page;
mod track;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::file::lines::{Lines, in_parts, put_aside, until_it_stays};
use super::{Batch, Delivery, EndpointError, ExportError, Exporter};
use crate::clock::system_unix_nanos;
use crate::files::{Owner, open_regular};
use crate::model::Resource;
use crate::thread::want_threads;
use page::{BEGIN, Page, State};

/// Writes a file that [Perfetto](https://ui.perfetto.dev), [speedscope](https://www.speedscope.app) and `chrome://tracing` open.
///
/// The file is an array of JSON in the [Trace Event Format][spec], without its `]`, which [all of them add][perfetto]: so it is a
/// trace at any moment. `jq` wants it: `(cat trace.json; echo ']') | jq`.
///
/// | item | event | where |
/// | --- | --- | --- |
/// | a span that one thread opened, entered once at most and closed | `X` (complete) | on the track of its thread |
/// | any other span: a future (`tracing` enters it once more to drop it), what went to another thread, what overlaps with others of its thread, what was made by hand | `b` and `e` (async, nestable) | on tracks of its trace, in the spans that it is a child of |
/// | a span whose parent is on another thread; a link | `s` and `f` (flow), where both spans are on tracks of threads | from the start of the parent, or of the span that the link names, to the start of the span |
/// | an event | `i` (instant) | on the track of its thread; if made by hand, on that of the process |
/// | a metric | `C` (counter) | a track of its own, its series in `args`; of a histogram three: `count`, `p50`, `p99` |
/// | the program, its threads | `M` (`process_name`, `thread_name`) | `args` of the first have the resource, and `zero_unix_nano` |
///
/// `ts` and `dur` are microseconds, with three decimals: exact to the nanosecond, in a program that runs for less than 50 days. Time 0 is midnight (UTC) of the day on which the program
/// began to write, `zero_unix_nano`. `tid` is no thread id of the system, but tells threads apart; `args` have the ids, level,
/// target, status and `fields` of spans and events as [`File`](super::File) names them.
///
/// speedscope shows spans on threads only, and `args` as a part of their names. To see what took the time by name, write without them
/// ([`without_args`](Self::without_args), `?args=false`).
///
/// A counter's values are sums since the start; with `temporality=delta` they are what came since the last ones. A gauge is written
/// when it was set. `NaN` and infinity are texts, which viewers pass over.
///
/// While such an exporter is there, each span says which threads it was on, which takes its time when spans are opened, entered
/// and closed; otherwise that costs nothing. What was opened before is taken for a span that may have been on any thread.
///
/// **Lines.** Each item is a line, with all that it becomes; one that begins with a comma follows others. Whatever happens to the
/// program, all lines are whole but perhaps the last one, which is taken off at the next start.
///
/// **One file, one run.** What is there at the start, or has reached its size (64 MiB, `rotate_bytes`), is put aside: `trace.json`
/// becomes `trace.1.json`, the one before that `trace.2.json`, and so on; the last 4 (`keep`) stay, older ones are deleted. Each of
/// them is a trace of its own. A span that ends after its children were put aside lies in the next one.
///
/// **One owner, files that go, full disks.** As for [`File`](super::File): the lock is on `trace.json.lock`.
///
/// [spec]: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
/// [perfetto]: https://perfetto.dev/docs/getting-started/other-formats
#[derive(Debug)]
pub struct ChromeTrace {
    /// Absolute.
    path: PathBuf,
    owner: Owner,
    lines: Lines,
    rotate_bytes: u64,
    keep: usize,
    has_args: bool,
    zero: u64,
    state: State,
    /// The threads that the file has names of.
    named: BTreeSet<u32>,
}

const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

impl ChromeTrace {
    /// Makes the directory where it is missing, and looks whether the file can be written to. What stands in it is put aside
    /// before the first line is written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, EndpointError> {
        let path = path.into();
        let url = format!("chrome-trace:{}", path.display());
        Self::open(&path).map_err(|e| EndpointError::new(&url, Self::refusal(None, &e), Some(e.into())))
    }

    /// Why it can't be made. The file is named where its URL does not name it.
    pub(super) fn refusal(named: Option<&Path>, error: &io::Error) -> String {
        let named = named.map(|file| format!(" `{}`", file.display())).unwrap_or_default();
        format!("the file{named} can't be written to ({error})")
    }

    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if path.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no name"));
        }
        // The program may change its working directory.
        let path = std::path::absolute(path)?;
        let mut owner = Owner::new(path.with_added_extension("lock"));
        owner.hold()?;
        if let Err(e) = open_regular(&path, fs::OpenOptions::new().append(true))
            && e.kind() != io::ErrorKind::NotFound
        {
            return Err(e);
        }
        want_threads();
        let now = system_unix_nanos();
        Ok(Self {
            lines: Lines::new(path.clone()),
            path,
            owner,
            rotate_bytes: 64 << 20,
            keep: 4,
            has_args: true,
            zero: now - now % DAY,
            state: State::default(),
            named: BTreeSet::new(),
        })
    }

    /// A file that has that many bytes is put aside. 64 MiB where nothing is said.
    pub fn rotate_bytes(mut self, bytes: u64) -> Self {
        self.rotate_bytes = bytes.max(1);
        self
    }

    /// So many files that were put aside stay. 4 where nothing is said.
    pub fn keep(mut self, files: usize) -> Self {
        self.keep = files;
        self
    }

    /// Spans have their names, targets and times only, and no `args`: then speedscope takes spans of one name for the same, and adds
    /// them up. It shows `args` as a part of the name.
    pub fn without_args(mut self) -> Self {
        self.has_args = false;
        self
    }

    /// Adds the lines of a page to the file, or to a new one if it is full. False where all of it went into a file that was removed
    /// meanwhile.
    fn write(&mut self, page: &Page, resource: &Resource) -> io::Result<bool> {
        self.owner.hold()?;
        let mut bytes = match self.lines.bytes_of_opened()? {
            Some(bytes) => bytes,
            None => self.open_new()?,
        };
        if bytes > 0 && bytes + page.lines.len() as u64 > self.rotate_bytes {
            bytes = self.begin_next()?;
        }
        let mut all = Page::new(self.zero, self.has_args);
        if bytes == 0 {
            self.named.clear();
            self.state.in_new_file();
            all.begin(resource)?;
        }
        page.threads.difference(&self.named).try_for_each(|thread| all.name(*thread))?;
        all.lines.extend_from_slice(&page.lines);
        let is_written = self.lines.append(&all.lines, bytes)?;
        self.named.extend(&page.threads);
        Ok(is_written)
    }

    /// A file without lines; one that has some, which are of another run or of somebody else, is put aside.
    fn open_new(&mut self) -> io::Result<u64> {
        self.lines.close();
        if end_torn(&self.path)? > 0 {
            return self.begin_next();
        }
        self.lines.open()
    }

    fn begin_next(&mut self) -> io::Result<u64> {
        // The file is closed first: from here on a failed step leaves what a later attempt takes up.
        self.lines.close();
        put_aside(|age| aged(&self.path, age), self.keep)?;
        self.lines.open()
    }
}

/// `trace.json` of age 2 is `trace.2.json`.
fn aged(path: &Path, age: usize) -> PathBuf {
    let (stem, extension) = (path.file_stem().unwrap_or_default(), path.extension());
    if age == 0 {
        return path.to_owned();
    }
    let mut name = stem.to_owned();
    name.push(format!(".{age}"));
    if let Some(extension) = extension {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Takes off what a crash has left of a line, if the file is one of ours, and says how many bytes there are.
fn end_torn(path: &Path) -> io::Result<u64> {
    let mut file = match open_regular(path, fs::OpenOptions::new().read(true).write(true)) {
        Ok((file, _)) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let mut first = Vec::new();
    file.by_ref().take(BEGIN.len() as u64).read_to_end(&mut first)?;
    let mut end = file.seek(SeekFrom::End(0))?;
    if !BEGIN.starts_with(&first) {
        return Ok(end);
    }
    let whole = end;
    let mut part = [0; 4096];
    while end > 0 {
        let from = end.saturating_sub(part.len() as u64);
        let part = &mut part[..(end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = from + at as u64 + 1;
            break;
        }
        end = from;
    }
    if end < whole {
        file.set_len(end)?;
    }
    Ok(end)
}

impl Exporter for ChromeTrace {
    fn name(&self) -> &'static str {
        "chrome-trace"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        in_parts(batch, |part| {
            // What fails comes again, and finds things as they were.
            let before = self.state.clone();
            let exported = self.export_part(part);
            if exported.is_err() {
                self.state = before;
            }
            exported
        })
    }

    fn shutdown(&mut self) {
        self.lines.close();
        self.owner.release();
    }
}

impl ChromeTrace {
    fn export_part(&mut self, batch: &Batch) -> Result<(), ExportError> {
        let mut page = Page::new(self.zero, self.has_args);
        page.add(batch, &mut self.state)
            .map_err(|e| ExportError::never("an item can't be written as JSON").caused_by(e))?;
        if page.lines.is_empty() {
            return Ok(());
        }
        let is_written = until_it_stays(|| self.write(&page, batch.resource()))?;
        is_written.then_some(()).ok_or_else(|| {
            ExportError::retry(format!("`{}` is removed again and again", self.path.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_put_aside_keep_their_extension() {
        for (path, aside) in
            [("a/b.json", "a/b.2.json"), ("a.b/c", "a.b/c.2"), (".b", ".b.2"), ("a.b.c", "a.b.2.c")]
        {
            assert_eq!(aged(Path::new(path), 2), Path::new(aside));
            assert_eq!(aged(Path::new(path), 0), Path::new(path));
        }
    }

    #[test]
    fn only_what_is_torn_is_taken_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trace.json");
        assert_eq!(end_torn(&path).unwrap(), 0);
        let begin = String::from_utf8(BEGIN.to_vec()).unwrap();
        let long = "x".repeat(10_000);
        for (there, left) in [
            (String::new(), String::new()),
            (begin[..5].to_owned(), String::new()),
            (format!("{begin}}}\n"), format!("{begin}}}\n")),
            (format!("{begin}}}\n,{{}}\n,{{"), format!("{begin}}}\n,{{}}\n")),
            (format!("{begin}}}\n,{long}"), format!("{begin}}}\n")),
            (format!("{begin}{long}"), String::new()),
            // Somebody else's.
            ("no trace".to_owned(), "no trace".to_owned()),
            ("[{}".to_owned(), "[{}".to_owned()),
        ] {
            fs::write(&path, &there).unwrap();
            assert_eq!(end_torn(&path).unwrap(), left.len() as u64, "{there}");
            assert_eq!(fs::read_to_string(&path).unwrap(), left);
        }
    }
}
