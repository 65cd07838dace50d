//! `file:DIR`: JSON lines in `spans.jsonl`, `events.jsonl` and `metrics.jsonl`, or OTLP's in files of their own.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::json::{self, Map, Tagged};
#[cfg(feature = "otlp")]
use super::otlp::{Writer, add_json};
use super::{Batch, Delivery, EndpointError, ExportError, Exporter, Signal};
use crate::model::Resource;

/// Writes JSON lines into a directory.
///
/// Each line is one JSON object; lines are appended. `tags` are the global tags, on metrics together with
/// their own. Times are nanoseconds since the Unix epoch, ids are hexadecimal. Numbers stand as they are, also those that need all
/// of 64 bits; what JSON has no number for is the text `"NaN"`, `"Infinity"` or `"-Infinity"`.
///
/// | `spans.jsonl` | |
/// | --- | --- |
/// | `trace_id`, `span_id` | 32 and 16 hexadecimal digits |
/// | `parent_span_id` | 16 digits, or `null` for the root of a trace |
/// | `name`, `target` | what was done, and the module that says so |
/// | `kind` | `internal`, `server`, `client`, `producer`, `consumer` |
/// | `level` | `error`, `warn`, `info`, `debug`, `trace` |
/// | `start_unix_nano`, `duration_nano` | when it began, and how long it was open |
/// | `status`, `status_message` | `unset`, `ok` or `error`; the message only where there is one |
/// | `fields` | name and value of each field: text, number or boolean |
/// | `links` | pairs of trace id and span id; only where there are some |
/// | `trace_state` | W3C `tracestate`; only where there is one |
/// | `dropped_fields` | how many fields did not fit; only where there are some |
/// | `code_file`, `code_line` | where the span stands in the source; only for spans of `tracing` |
///
/// | `events.jsonl` | |
/// | --- | --- |
/// | `time_unix_nano`, `level`, `target` | when, how severe, and the module that says so |
/// | `name` | only where the program gave it one |
/// | `message` | the text for people |
/// | `trace_id`, `span_id` | of the span it fell in, or `null` |
/// | `sampled` | whether that trace is exported |
/// | `fields`, `dropped_fields`, `code_file`, `code_line` | as for spans |
///
/// | `metrics.jsonl` | |
/// | --- | --- |
/// | `name`, `unit`, `description` | the unit in UCUM (`s`, `By`); no description where nobody gave one |
/// | `kind` | `counter`, `up_down_counter`, `gauge`, `histogram` |
/// | `time_unix_nano` | when it was read; of a gauge, when it was set |
/// | `start_time_unix_nano`, `temporality` | since when it counts; `cumulative` or `delta`; not for gauges |
/// | `value` | for all but histograms |
/// | `count`, `sum`, `min`, `max`, `p50`, `p90`, `p99`, `p999` | for histograms; quantiles to 4.5% |
/// | `zero_count`, `buckets` | values of 0; pairs of upper bound (`null` above all bounds) and count, ascending |
/// | `exemplars` | measurements with their spans: `value`, `time_unix_nano`, `trace_id`, `span_id`; only where there are some |
///
/// `resource.json` holds the attributes of the resource of the program that wrote last: the global tags, and what was found
/// out about where it runs ([`Detect`](crate::Detect)).
///
/// `File::create_otlp` (`?format=otlp`, feature `otlp`) writes OTLP's file format instead: each line of `traces.otlp.jsonl`,
/// `logs.otlp.jsonl` and `metrics.otlp.jsonl` is one request in OTLP's JSON (`ExportTraceServiceRequest` and its twins), which in
/// protobuf would have about 1 MiB at most. Files of both formats may stand in one directory.
///
/// A file that reaches its size (64 MiB, `rotate_bytes`) becomes `spans.1.jsonl`, the one before that
/// `spans.2.jsonl`, and so on; the last 4 (`keep`) stay, older ones are deleted. The size is looked at before each
/// batch, which is never split.
#[derive(Debug)]
pub struct File {
    directory: PathBuf,
    format: Format,
    /// None after a failure.
    lines: [Option<Lines>; 3],
    rotate_bytes: u64,
    keep: usize,
    buffer: Vec<u8>,
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Format {
    /// An item.
    Json {
        /// What `resource.json` holds.
        resource: Option<Resource>,
    },
    /// A request of OTLP.
    #[cfg(feature = "otlp")]
    Otlp(Box<Writer>),
}

#[derive(Debug)]
struct Lines {
    file: fs::File,
    bytes: u64,
}

impl File {
    /// Makes the directory where it is missing, and opens the three files in it.
    pub fn create(directory: impl Into<PathBuf>) -> Result<Self, EndpointError> {
        Self::make(directory.into(), Format::JSON)
    }

    /// The same for lines in OTLP's file format.
    #[cfg(feature = "otlp")]
    pub fn create_otlp(directory: impl Into<PathBuf>) -> Result<Self, EndpointError> {
        Self::make(directory.into(), Format::Otlp(Box::default()))
    }

    fn make(directory: PathBuf, format: Format) -> Result<Self, EndpointError> {
        let shown = directory.display().to_string();
        Self::open(directory, format).map_err(|e| {
            EndpointError::new(&format!("file:{shown}"), Self::refusal(None, &e), Some(e.into()))
        })
    }

    /// Why it can't be made. The directory is named where its URL does not name it.
    pub(super) fn refusal(named: Option<&Path>, error: &io::Error) -> String {
        let named = named.map(|directory| format!(" `{}`", directory.display())).unwrap_or_default();
        format!("the directory{named} can't be written to ({error})")
    }

    pub(super) fn open(directory: impl Into<PathBuf>, format: Format) -> io::Result<Self> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        let open = |signal| Lines::open(&path(&directory, format.stem(signal), 0));
        let [spans, events, metrics] = Signal::EACH.map(open);
        Ok(Self {
            lines: [Some(spans?), Some(events?), Some(metrics?)],
            directory,
            format,
            rotate_bytes: 64 << 20,
            keep: 4,
            buffer: Vec::new(),
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

    /// Says whose items these are, where the lines don't and unless that is said already.
    fn describe(&mut self, of: &Resource) -> io::Result<()> {
        #[cfg_attr(not(feature = "otlp"), allow(irrefutable_let_patterns, reason = "it is the only format"))]
        if let Format::Json { resource } = &mut self.format
            && resource.as_ref() != Some(of)
        {
            fs::create_dir_all(&self.directory)?;
            let mut json = Vec::new();
            json::put(&mut json, &Map(|| of.attributes()))?;
            fs::write(self.directory.join("resource.json"), json)?;
            *resource = Some(of.clone());
        }
        Ok(())
    }

    /// Writes what is in the buffer, whole lines, and puts the file aside if it is full.
    fn write(&mut self, signal: Signal) -> io::Result<()> {
        let stem = self.format.stem(signal);
        let path = path(&self.directory, stem, 0);
        let place = &mut self.lines[signal as usize];
        let mut lines = if let Some(lines) = place.take() {
            lines
        } else {
            fs::create_dir_all(&self.directory)?;
            Lines::open(&path)?
        };
        if lines.bytes > 0 && lines.bytes + self.buffer.len() as u64 > self.rotate_bytes {
            // The file is closed first: from here on a failed step leaves what a later attempt takes up.
            drop(lines);
            put_aside(&self.directory, stem, self.keep)?;
            lines = Lines::open(&path)?;
        }
        // A file that failed is opened anew, and a torn line ended, by the next attempt.
        lines.file.write_all(&self.buffer)?;
        lines.bytes += self.buffer.len() as u64;
        *place = Some(lines);
        Ok(())
    }
}

impl Exporter for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        self.buffer.clear();
        self.format.put(&mut self.buffer, batch)?;
        self.describe(batch.resource())?;
        self.write(batch.signal())?;
        Ok(Delivery::all())
    }
}

impl Format {
    pub(super) const JSON: Self = Self::Json { resource: None };

    /// That of OTLP, where the feature is there.
    #[cfg_attr(
        feature = "otlp",
        expect(clippy::unnecessary_wraps, reason = "without the feature there is none")
    )]
    pub(super) fn otlp() -> Option<Self> {
        #[cfg(feature = "otlp")]
        return Some(Self::Otlp(Box::default()));
        #[cfg(not(feature = "otlp"))]
        None
    }

    /// How the names of the files of a signal begin.
    fn stem(&self, signal: Signal) -> &'static str {
        match self {
            Self::Json { .. } => signal.name(),
            #[cfg(feature = "otlp")]
            Self::Otlp(_) => ["traces.otlp", "logs.otlp", "metrics.otlp"][signal as usize],
        }
    }

    /// Adds the lines of a batch.
    fn put(&self, out: &mut Vec<u8>, batch: &Batch) -> Result<(), ExportError> {
        match self {
            Self::Json { .. } => put_items(out, batch),
            #[cfg(feature = "otlp")]
            Self::Otlp(writer) => put_requests(out, batch, writer),
        }
    }
}

fn put_items(out: &mut Vec<u8>, batch: &Batch) -> Result<(), ExportError> {
    for item in batch.items() {
        json::put(out, &Tagged(item, batch.resource()))
            .map_err(|e| ExportError::never("an item can't be written as JSON").caused_by(e))?;
        out.push(b'\n');
    }
    Ok(())
}

/// A reader holds a line in memory, so a large batch becomes several.
#[cfg(feature = "otlp")]
fn put_requests(out: &mut Vec<u8>, batch: &Batch, writer: &Writer) -> Result<(), ExportError> {
    const MAX_BYTES: usize = 1 << 20;
    let (mut rest, mut request) = (batch.clone(), Vec::new());
    while !rest.is_empty() {
        request.clear();
        let items = writer.write(&rest, MAX_BYTES, &mut request);
        rest.take_first(items);
        add_json(out, batch.signal(), &request)?;
        out.push(b'\n');
    }
    Ok(())
}

impl Lines {
    /// Opens for appending. A line that a crash tore is ended, so that it spoils no other.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 && last_byte(path)? != b'\n' {
            file.write_all(b"\n")?;
            bytes += 1;
        }
        Ok(Self { file, bytes })
    }
}

fn last_byte(path: &Path) -> io::Result<u8> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn path(directory: &Path, stem: &str, age: usize) -> PathBuf {
    let age = if age == 0 { String::new() } else { format!(".{age}") };
    directory.join(format!("{stem}{age}.jsonl"))
}

/// Moves every file one on, from the oldest, and the full one last: after a failure in between, the next attempt
/// finds gaps, and moves nothing into the way of what was moved.
fn put_aside(directory: &Path, stem: &str, keep: usize) -> io::Result<()> {
    let gap = (1..=keep).find(|age| !path(directory, stem, *age).exists()).unwrap_or(keep);
    if gap == 0 {
        return unless_gone(fs::remove_file(path(directory, stem, 0)));
    }
    for age in (0..gap).rev() {
        unless_gone(fs::rename(path(directory, stem, age), path(directory, stem, age + 1)))?;
    }
    Ok(())
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests;
