//! Servers that are not ours: each on ports of its own and with a folder of its own, on this machine alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};
use telemetry_tests::{SOON, ask};

/// Asks until there is an answer. What is asked says what there is where it is not yet all.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(said) if start.elapsed() > SOON => panic!("{what}: {said}"),
            Err(_) => std::thread::yield_now(),
        }
    }
}

/// The body of an answer to a `GET`, whatever its status.
pub(crate) fn get(port: u16, path: &str) -> std::io::Result<String> {
    let head = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1");
    let (_, _, body) = ask(([127, 0, 0, 1], port).into(), &head, "")?;
    String::from_utf8(body).map_err(std::io::Error::other)
}

/// VictoriaMetrics, which takes OpenTSDB's, InfluxDB's and Graphite's lines. It keeps doubles, of which the last digits may go:
/// [`is_kept_as`].
pub(crate) struct VictoriaMetrics {
    pub(crate) ports: Ports,
    directory: tempfile::TempDir,
    process: Option<Process>,
}

/// Where it listens.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    /// Its own, on which it takes what InfluxDB takes, too.
    pub(crate) http: u16,
    pub(crate) opentsdb: u16,
    pub(crate) opentsdb_http: u16,
    /// TCP and UDP.
    pub(crate) graphite: u16,
}

/// A series as it was read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// Times in milliseconds, ascending, and values.
    pub(crate) points: Vec<(u64, f64)>,
}

#[derive(Deserialize)]
struct Exported {
    metric: BTreeMap<String, String>,
    values: Vec<f64>,
    timestamps: Vec<u64>,
}

impl VictoriaMetrics {
    /// None where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        if !succeeds(Command::new("victoria-metrics").arg("-version")) {
            return missing("victoria-metrics");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [http, opentsdb, opentsdb_http, graphite]) =
            on_free_ports(|[http, opentsdb, opentsdb_http, graphite]| {
                command(&directory, Ports { http, opentsdb, opentsdb_http, graphite })
            });
        let ports = Ports { http, opentsdb, opentsdb_http, graphite };
        Some(Self { ports, directory, process: Some(process) })
    }

    /// It goes away, and what it has taken is kept for when it comes back.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let id = process.0.id().to_string();
        assert!(succeeds(Command::new("kill").args(["-INT", &id])));
        process.0.wait().unwrap();
    }

    /// It comes back where it was.
    #[track_caller]
    pub(crate) fn come_back(&mut self) {
        self.process = Some(Process::start(&mut command(&self.directory, self.ports)));
        until("it comes back", || get(self.ports.http, "/health").map_err(|e| e.to_string()));
    }

    /// All series of which the names match, by name and tags.
    pub(crate) fn series(&self, names: &str) -> Vec<Series> {
        let _ = get(self.ports.http, "/internal/force_flush");
        let path = format!("/api/v1/export?match[]=%7B__name__%3D~%22{names}%22%7D");
        let lines = get(self.ports.http, &path).unwrap();
        let mut all: Vec<_> = lines.lines().map(series).collect();
        all.sort_by(|a, b| (&a.name, &a.tags).cmp(&(&b.name, &b.tags)));
        all
    }

    /// Waits until `is_all` says of all series that these are all.
    #[track_caller]
    pub(crate) fn series_until(&self, is_all: impl Fn(&[Series]) -> bool) -> Vec<Series> {
        until("all series", || {
            let all = self.series(".*");
            if is_all(&all) { Ok(all) } else { Err(format!("{all:#?}")) }
        })
    }

    /// Points that it took of that kind (`graphite`, `opentsdb`, `opentsdbhttp`, `influx`), and lines that it refused.
    pub(crate) fn taken_and_refused(&self, kind: &str) -> (u64, u64) {
        let page = get(self.ports.http, "/metrics").unwrap();
        let number = |name: &str| -> u64 {
            let line = format!("{name}{{type=\"{kind}\"}} ");
            let found = page.lines().find_map(|of| of.strip_prefix(&line));
            found.unwrap_or_else(|| panic!("no {line}in {page}")).parse().unwrap()
        };
        (number("vm_rows_inserted_total"), number("vm_rows_invalid_total"))
    }
}

fn command(directory: &tempfile::TempDir, ports: Ports) -> Command {
    let mut command = Command::new("victoria-metrics");
    command.arg(format!("-storageDataPath={}", directory.path().display()));
    for (flag, port) in [
        ("httpListenAddr", ports.http),
        ("opentsdbListenAddr", ports.opentsdb),
        ("opentsdbHTTPListenAddr", ports.opentsdb_http),
        ("graphiteListenAddr", ports.graphite),
    ] {
        command.arg(format!("-{flag}=127.0.0.1:{port}"));
    }
    // Points may be from any time; it speaks of what it refuses on the page of its own metrics.
    command.args(["-retentionPeriod=100y", "-memory.allowedBytes=256MB", "-loggerLevel=ERROR"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[track_caller]
fn series(line: &str) -> Series {
    let read: Exported = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let mut tags = read.metric;
    let name = tags.remove("__name__").unwrap_or_default();
    Series { name, tags, points: read.timestamps.into_iter().zip(read.values).collect() }
}

/// Whether VictoriaMetrics keeps a number as that one: with 12 digits at least, and as 0 where it is that small.
pub(crate) fn is_kept_as(number: f64, kept: f64) -> bool {
    (number - kept).abs() <= number.abs() * 1e-12 || (number.abs() < 1e-300 && kept == 0.0)
}

/// Graphite's carbon, which writes a file of doubles for each series, and has a point for each second.
pub(crate) struct Carbon {
    /// TCP and UDP.
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    process: Option<Process>,
}

/// Points of a series are kept for so long, of those that begin with `dated` for longer: no file may be larger than 4 GiB,
/// though nearly all of it is a hole.
const SCHEMAS: &str =
    "[dated]\npattern = ^([a-z]+\\.)?dated\nretentions = 1s:10y\n[all]\npattern = .*\nretentions = 1s:1d\n";
pub(crate) const CARBON_KEEPS: u64 = 24 * 60 * 60;

impl Carbon {
    /// None where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        if !succeeds(Command::new("carbon-cache").arg("--help")) {
            return missing("carbon-cache");
        }
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("storage-schemas.conf"), SCHEMAS).unwrap();
        let (process, [port, _]) = on_free_ports(|[lines, queries]| carbon(&directory, lines, queries));
        Some(Self { port, directory, process: Some(process) })
    }

    /// It goes away, and writes before what it has taken.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        assert!(succeeds(Command::new("kill").args(["-TERM", &process.0.id().to_string()])));
        process.0.wait().unwrap();
    }

    /// It comes back where it was.
    #[track_caller]
    pub(crate) fn come_back(&mut self) {
        let (process, _) = on_free_ports(|[queries]| carbon(&self.directory, self.port, queries));
        self.process = Some(process);
        until("it comes back", || TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| e.to_string()));
    }

    /// The value of a series (`name;tag=value`, tags sorted) in a second; none where it was not written, or not yet.
    pub(crate) fn value(&self, series: &str, second: u64) -> Option<f64> {
        let mut file = fs::File::open(self.file(series)).ok()?;
        value(&mut file, u32::try_from(second).unwrap())
    }

    /// What it says of lines that it does not take.
    pub(crate) fn refused(&self) -> Vec<String> {
        let all = fs::read_to_string(self.directory.path().join("log")).unwrap();
        let is_refusal = |line: &&str| line.contains("invalid line") || line.contains("Error ");
        all.lines().filter(is_refusal).map(str::to_owned).collect()
    }

    /// Source: carbon 1.1.7, `TaggedSeries.encode`.
    fn file(&self, series: &str) -> PathBuf {
        let below = self.directory.path().join("whisper");
        if !series.contains(';') {
            return below.join(format!("{}.wsp", series.replace('.', "/").trim_start_matches('/')));
        }
        let hash: Vec<_> = Sha256::digest(series).iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = hash.concat();
        below.join("_tagged").join(&hash[..3]).join(&hash[3..6]).join(format!("{hash}.wsp"))
    }
}

fn carbon(directory: &tempfile::TempDir, lines: u16, queries: u16) -> Command {
    let at = directory.path().display();
    let config = format!(
        "[cache]\nSTORAGE_DIR = {at}\nLOCAL_DATA_DIR = {at}/whisper\nCONF_DIR = {at}\nLOG_DIR = {at}\nPID_DIR = {at}\n\
         USER =\nENABLE_TAGS = False\nLOG_LISTENER_CONN_SUCCESS = False\nLOG_UPDATES = False\n\
         MAX_CREATES_PER_MINUTE = inf\nMAX_UPDATES_PER_SECOND = inf\nMAX_CACHE_SIZE = inf\n\
         WHISPER_FALLOCATE_CREATE = False\nWHISPER_SPARSE_CREATE = True\nPICKLE_RECEIVER_PORT = 0\n\
         LINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {lines}\n\
         ENABLE_UDP_LISTENER = True\nUDP_RECEIVER_INTERFACE = 127.0.0.1\nUDP_RECEIVER_PORT = {lines}\n\
         CACHE_QUERY_INTERFACE = 127.0.0.1\nCACHE_QUERY_PORT = {queries}\n"
    );
    let file = directory.path().join("carbon.conf");
    fs::write(&file, config).unwrap();
    let mut command = Command::new("carbon-cache");
    command.arg(format!("--config={}", file.display())).args(["--nodaemon", "start"]);
    // Of what ended, a file with its id may be left.
    let _ = fs::remove_file(directory.path().join("carbon-cache-a.pid"));
    let log = fs::File::options().create(true).append(true).open(directory.path().join("log")).unwrap();
    command.stdout(log).stderr(Stdio::null());
    command
}

/// Of the first archive of a file: each point is a second and a double, and stands where its second says.
///
/// Source: whisper 1.1.7, `metadataFormat`, `archiveInfoFormat`, `pointFormat`.
fn value(file: &mut fs::File, second: u32) -> Option<f64> {
    const HEADER: u64 = 16;
    let archive: [u8; 12] = read(file, HEADER)?;
    let number = |at: usize| u32::from_be_bytes(archive[at..at + 4].try_into().unwrap());
    let (offset, step, points) = (number(0), number(4), number(8));
    assert_eq!(step, 1);
    let point = |file: &mut fs::File, at: u32| -> Option<(u32, f64)> {
        let point: [u8; 12] = read(file, u64::from(offset) + 12 * u64::from(at))?;
        let (second, value) = point.split_at(4);
        Some((u32::from_be_bytes(second.try_into().unwrap()), f64::from_be_bytes(value.try_into().unwrap())))
    };
    let (base, _) = point(file, 0)?;
    let at = (i64::from(second) - i64::from(base)).rem_euclid(i64::from(points));
    let (found, value) = point(file, u32::try_from(at).unwrap())?;
    (found == second).then_some(value)
}

fn read<const N: usize>(file: &mut fs::File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
