//! What a run was measured on, and what else that machine did meanwhile.

use std::fs::read_to_string;
use std::time::{Duration, Instant};

/// The load average of a machine that is otherwise idle is below this.
const QUIET_LOAD: f64 = 0.5;
/// As is what others use of a core while this runs.
const QUIET_CORES: f64 = 0.15;

/// The machine when a run starts.
pub struct Machine {
    load: String,
    busy: Busy,
}

/// CPU time since the machine started.
#[derive(Clone, Copy)]
struct Busy {
    at: Instant,
    all: Duration,
    stolen: Duration,
    ours: Duration,
}

impl Busy {
    fn now() -> Self {
        let stat = read_to_string("/proc/stat").unwrap_or_default();
        let ticks: Vec<u64> = stat.lines().next().unwrap_or("").split_whitespace().flat_map(str::parse).collect();
        // SAFETY: asks for a number.
        let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
        let time = |fields: &[usize]| {
            let ticks: u64 = fields.iter().filter_map(|i| ticks.get(*i)).sum();
            Duration::from_secs_f64(ticks as f64 / a_second)
        };
        // user, nice, system, idle, iowait, irq, softirq, steal
        let (all, stolen) = (time(&[0, 1, 2, 5, 6]), time(&[7]));
        Self { at: Instant::now(), all, stolen, ours: used(libc::RUSAGE_SELF) + used(libc::RUSAGE_CHILDREN) }
    }
}

/// CPU time of this process, or of the children that it has waited for.
fn used(who: libc::c_int) -> Duration {
    // SAFETY: all zeros is a valid `rusage`, and the call only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(who, &mut usage), 0);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn load() -> String {
    let all = read_to_string("/proc/loadavg").unwrap_or_default();
    all.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn first(load: &str) -> f64 {
    load.split(' ').next().and_then(|x| x.parse().ok()).unwrap_or(0.0)
}

impl Machine {
    pub fn before() -> Self {
        Self { load: load(), busy: Busy::now() }
    }

    /// Cores that others have used since, and that the host has kept back.
    fn others(&self) -> (f64, f64) {
        let (now, then) = (Busy::now(), &self.busy);
        let during = (now.at - then.at).as_secs_f64();
        let ours = (now.ours - then.ours).as_secs_f64();
        let others = (now.all.saturating_sub(then.all).as_secs_f64() - ours).max(0.0) / during;
        (others, now.stolen.saturating_sub(then.stolen).as_secs_f64() / during)
    }

    /// Whether other work took much of it since.
    pub fn is_busy(&self) -> bool {
        let (others, stolen) = self.others();
        others > QUIET_CORES || stolen > QUIET_CORES
    }

    /// Prints what it is and what else it did since.
    pub fn print(&self) {
        let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpu.lines().find(|l| l.split(':').next().is_some_and(|key| key.trim() == name))?;
            Some(line.split_once(':')?.1.trim().to_string())
        };
        let field = |name| field(name).unwrap_or("unknown".into());
        let clock = read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
        let clock = clock.map_or("unknown".into(), |clock| clock.trim().to_string());
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let ((others, stolen), during) = (self.others(), self.busy.at.elapsed().as_secs_f64());
        println!(
            "Processor: {} (family {}, model {}), {cores} cores; clock source: {clock}; {during:.0} s",
            field("model name"),
            field("cpu family"),
            field("model"),
        );
        println!(
            "Load average: {} before, {} after (this run included); meanwhile others used {others:.2} cores, and the \
             host kept {stolen:.2} back",
            self.load,
            load(),
        );
        if first(&self.load) > QUIET_LOAD || self.is_busy() {
            println!("WARNING: the machine was busy with other work: the intervals are wider for it");
        }
    }
}
