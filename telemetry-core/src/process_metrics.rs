//! What the process takes of its machine: `/proc` comes in, and metrics named by OpenTelemetry's semantic conventions go out, read
//! whenever somebody asks for a snapshot. Linux only; nothing of other processes is ever looked at.
//!
//! Source: OpenTelemetry semantic conventions, "OS process metrics" (in development); proc(5).

use std::fs;

use crate::diagnostics::warn;
use crate::metrics::{CellKind, Site, Table};
use crate::model::Number;

use CellKind::{Counter, Gauge, UpDownCounter};

type Tags = &'static [(&'static str, &'static str)];

/// A metric: kind, name, unit, tags, description, and what is read.
type Metric = (CellKind, &'static str, &'static str, Tags, &'static str, Field);

/// A number of the process.
#[derive(Clone, Copy)]
enum Field {
    /// Of `/proc/self/stat`, counted as proc(5) does.
    Stat(usize),
    /// The same, which is a time.
    Ticks(usize),
    /// Of `/proc/self/status`, by its name.
    Status(&'static str),
    /// The same, which is in KiB.
    Kib(&'static str),
    Files,
    Uptime,
}

/// The kernel counts the time of processes in these (`USER_HZ`), on all machines that Rust runs on.
const TICKS_A_SECOND: f64 = 100.0;

const METRICS: &[Metric] = &[
    (Counter, CPU_TIME, "s", &[(CPU_MODE, "user")], ON_CPU, Field::Ticks(UTIME)),
    (Counter, CPU_TIME, "s", &[(CPU_MODE, "system")], ON_CPU, Field::Ticks(STIME)),
    (UpDownCounter, "process.memory.usage", "By", &[], "Physical memory in use.", Field::Kib("VmRSS:")),
    (UpDownCounter, "process.memory.virtual", "By", &[], "Committed virtual memory.", Field::Kib("VmSize:")),
    (
        UpDownCounter,
        "process.thread.count",
        "{thread}",
        &[],
        "Threads of the process.",
        Field::Status("Threads:"),
    ),
    (UpDownCounter, FILES, "{file_descriptor}", &[], "Open file descriptors.", Field::Files),
    (Counter, FAULTS, "{fault}", &[(FAULT, "minor")], PAGE_FAULTS, Field::Stat(MINFLT)),
    (Counter, FAULTS, "{fault}", &[(FAULT, "major")], PAGE_FAULTS, Field::Stat(MAJFLT)),
    (Gauge, "process.uptime", "s", &[], "Time since the process began.", Field::Uptime),
];

const MINFLT: usize = 10;
const MAJFLT: usize = 12;
const UTIME: usize = 14;
const STIME: usize = 15;
const STARTTIME: usize = 22;

const CPU_TIME: &str = "process.cpu.time";
const CPU_MODE: &str = "cpu.mode";
const ON_CPU: &str = "Time that threads of the process ran on a CPU.";
const FILES: &str = "process.unix.file_descriptor.count";
const FAULTS: &str = "process.paging.faults";
const FAULT: &str = "system.paging.fault.type";
const PAGE_FAULTS: &str = "Page faults of the process.";

/// From now on snapshots have them.
pub(crate) fn observe(table: &Table) {
    if cfg!(not(target_os = "linux")) {
        return warn(format_args!("`process_metrics` has no effect here: there is no `/proc`"));
    }
    for (kind, name, unit, tags, description, field) in METRICS {
        let site = Site::new(*kind, name, tags).unit(unit).description(description);
        // What is not finite is refused, counted and said: that is where `/proc` says nothing of it.
        table.observe(&site, move || number(field.read().unwrap_or(f64::NAN), unit));
    }
}

/// A whole one of all but times.
fn number(value: f64, unit: &str) -> Number {
    if unit == "s" || !value.is_finite() { Number::Float(value) } else { Number::from(value as u64) }
}

impl Field {
    /// What it is now; none where `/proc` does not say.
    fn read(self) -> Option<f64> {
        let stat = |field| stat_of(&fs::read_to_string("/proc/self/stat").ok()?, field);
        let status = |key| status_of(&fs::read_to_string("/proc/self/status").ok()?, key);
        match self {
            Self::Stat(field) => stat(field),
            Self::Ticks(field) => Some(stat(field)? / TICKS_A_SECOND),
            Self::Status(key) => status(key),
            Self::Kib(key) => Some(status(key)? * 1024.0),
            // Without the one by which they are listed.
            Self::Files => Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64),
            Self::Uptime => {
                let machine = fs::read_to_string("/proc/uptime").ok()?;
                let machine: f64 = machine.split_ascii_whitespace().next()?.parse().ok()?;
                Some((machine - stat(STARTTIME)? / TICKS_A_SECOND).max(0.0))
            }
        }
    }
}

/// The second one is a name in brackets, which may hold anything.
fn stat_of(stat: &str, field: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(field - 3)?.parse().ok()
}

fn status_of(status: &str, key: &str) -> Option<f64> {
    // The first line is a name, in which there is no other line.
    let line = status.lines().skip(1).find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_other_fields() {
        let stat = "7 (a) R 1 (b) 9) S 1 2 3 4 5 6 70 8 90 10 140 150 16 17 18 19 20 21 220 23";
        for (field, want) in
            [(MINFLT, 70.0), (MAJFLT, 90.0), (UTIME, 140.0), (STIME, 150.0), (STARTTIME, 220.0)]
        {
            assert_eq!(stat_of(stat, field), Some(want));
        }
        let status = "Name:\tThreads:\nUmask:\t0022\nVmRSS:\t    5240 kB\nThreads:\t7\n";
        assert_eq!((status_of(status, "Threads:"), status_of(status, "VmRSS:")), (Some(7.0), Some(5240.0)));
        assert_eq!((stat_of("", UTIME), stat_of("7 (a", UTIME), status_of("", "VmRSS:")), (None, None, None));
        assert_eq!(status_of("Name:\tx\nVmRSS:\tmany\n", "VmRSS:"), None);
    }

    #[test]
    fn times_are_floats_and_counts_are_whole() {
        assert_eq!((number(3.0, "By"), number(3.0, "s")), (Number::from(3_u64), Number::Float(3.0)));
    }
}
