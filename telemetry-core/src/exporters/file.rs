//! `file:DIR`: JSON lines in `spans.jsonl`, `events.jsonl` and `metrics.jsonl`, or OTLP's in files of their own.

pub(super) mod lines;

use std::io;
use std::path::{Path, PathBuf};

use lines::{Lines, in_parts, path, put_aside, until_it_stays};

use super::json::{self, Map, Tagged};
#[cfg(feature = "otlp")]
use super::otlp::{Writer, add_json};
use super::{Batch, Delivery, EndpointError, ExportError, Exporter, Signal};
use crate::files::{Owner, check_regular, write_whole};
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
/// `spans.2.jsonl`, and so on; the last 4 (`keep`) stay, older ones are deleted. The size is looked at before what is written at
/// once: some hundred items, which are never split.
///
/// **One owner.** A directory has one exporter of each format, in all processes: it locks `telemetry.lock` (or
/// `telemetry.otlp.lock`) as long as it is there, and another one is refused at its start. The system frees the lock when the process
/// ends, however it ends; a child that is forked off has no part in it. A file system without locks is written to without.
///
/// **Files that go.** Before and after each write it is looked whether the file still is the one of that name (device and inode). One that
/// was removed or renamed, or whose directory was, is made anew, and what went into a file that was removed meanwhile is written
/// again. One that was renamed meanwhile (as by logrotate, without `copytruncate`) has the items, which count as delivered: read it some
/// seconds later (`delaycompress`). A relative path is that of the directory in which the program started the exporter.
///
/// **Disks that are full.** What is written at once is written whole or not at all: after a failure the file is cut back to where it was,
/// and the rest of the batch is tried again. What is no regular file (a pipe, a device, a directory, or a link to one) is refused.
#[derive(Debug)]
pub struct File {
    /// Absolute.
    directory: PathBuf,
    owner: Owner,
    format: Format,
    lines: [Lines; 3],
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

const RESOURCE: &str = "resource.json";

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

    pub(super) fn open(directory: impl AsRef<Path>, format: Format) -> io::Result<Self> {
        // The program may change its working directory.
        let directory = std::path::absolute(directory)?;
        let lines = Signal::EACH.map(|signal| Lines::new(path(&directory, format.stem(signal), 0)));
        let owner = Owner::new(directory.join(format.lock()));
        let mut file =
            Self { directory, owner, format, lines, rotate_bytes: 64 << 20, keep: 4, buffer: Vec::new() };
        file.owner.hold()?;
        for lines in &mut file.lines {
            lines.open()?;
        }
        if matches!(file.format, Format::Json { .. }) {
            check_regular(&file.directory.join(RESOURCE))?;
        }
        Ok(file)
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
        if let Format::Json { resource } = &mut self.format {
            let path = self.directory.join(RESOURCE);
            if resource.as_ref() != Some(of) || !path.exists() {
                let mut json = Vec::new();
                json::put(&mut json, &Map(|| of.attributes()))?;
                write_whole(&path, &json)?;
                *resource = Some(of.clone());
            }
        }
        Ok(())
    }

    fn export_part(&mut self, part: &Batch) -> Result<(), ExportError> {
        self.buffer.clear();
        self.format.put(&mut self.buffer, part)?;
        let is_written = until_it_stays(|| self.write(part))?;
        is_written.then_some(()).ok_or_else(|| {
            let directory = self.directory.display();
            ExportError::retry(format!("files in `{directory}` are removed again and again"))
        })
    }

    /// Writes what is in the buffer, whole lines, and puts the file aside first if it is full. False where all of it went into a
    /// file that was removed meanwhile.
    fn write(&mut self, batch: &Batch) -> io::Result<bool> {
        self.owner.hold()?;
        self.describe(batch.resource())?;
        let signal = batch.signal();
        let lines = &mut self.lines[signal as usize];
        let mut bytes = lines.open()?;
        if bytes > 0 && bytes + self.buffer.len() as u64 > self.rotate_bytes {
            // The file is closed first: from here on a failed step leaves what a later attempt takes up.
            lines.close();
            put_aside(|age| path(&self.directory, self.format.stem(signal), age), self.keep)?;
            bytes = lines.open()?;
        }
        lines.append(&self.buffer, bytes)
    }
}

impl Exporter for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        in_parts(batch, |part| self.export_part(part))
    }

    fn shutdown(&mut self) {
        self.lines.iter_mut().for_each(Lines::close);
        self.owner.release();
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

    /// The file whose lock says who writes in this format.
    fn lock(&self) -> &'static str {
        match self {
            Self::Json { .. } => "telemetry.lock",
            #[cfg(feature = "otlp")]
            Self::Otlp(_) => "telemetry.otlp.lock",
        }
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

#[cfg(test)]
mod tests;
