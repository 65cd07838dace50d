//! One load, in a fresh process: two threads record, at a rate or as fast as they can.
//!
//! At a rate, a thread records what is due and sleeps for a millisecond. What that sleep costs is as much as thousands of
//! spans and differs from run to run, so it is left out: CPU time is that of the process, less what these threads spent
//! outside of their bursts.

use super::receiver::Receiver;
use super::{Load, Outcome};
use crate::memory;
use crate::timing::{process_cpu, thread_cpu};
use std::sync::Barrier;
use std::time::{Duration, Instant};

const THREADS: u64 = 2;
/// Connections are made and memory is touched before anything counts.
const WARM: Duration = Duration::from_millis(200);
const TIME: Duration = Duration::from_secs(3);
const NAP: Duration = Duration::from_millis(1);
/// Spans between two looks at the clock where no rate is wanted.
const BURST: u64 = 512;

/// What a thread has done.
#[derive(Default)]
struct Done {
    spans: u64,
    /// CPU time inside of bursts, and of all of it.
    bursts: Duration,
    all: Duration,
}

/// Records for so long; spans a second, or 0.
fn record(time: Duration, rate: u64, span: fn(u64)) -> Done {
    let (start, from, mut done) = (Instant::now(), thread_cpu(), Done::default());
    loop {
        let elapsed = start.elapsed();
        if elapsed >= time {
            break;
        }
        let due = if rate == 0 { done.spans + BURST } else { (elapsed.as_secs_f64() * rate as f64) as u64 };
        let before = thread_cpu();
        while done.spans < due {
            span(done.spans);
            done.spans += 1;
        }
        done.bursts += thread_cpu() - before;
        if rate != 0 {
            std::thread::sleep(NAP);
        }
    }
    done.all = thread_cpu() - from;
    done
}

/// Runs it; `options` are added to the URL of our endpoint.
pub fn one(load: Load, options: &str) -> Outcome {
    let mut receiver = Receiver::start(load.delay_ms);
    let installed = load.who.install(receiver.port, options);
    let (span, rate) = (installed.span, load.rate / THREADS);
    let (warm, measured) = (Barrier::new(THREADS as usize + 1), Barrier::new(THREADS as usize + 1));
    let (all, before, cpu, lost, start) = std::thread::scope(|s| {
        let run = || {
            record(WARM, rate, span);
            warm.wait();
            measured.wait();
            record(TIME, rate, span)
        };
        let threads = [(); THREADS as usize].map(|()| s.spawn(run));
        warm.wait();
        installed.flush();
        let (before, lost) = (receiver.seen(), installed.lost());
        let (cpu, start) = (process_cpu(), Instant::now());
        measured.wait();
        (threads.map(|thread| thread.join().expect("it only records")), before, cpu, lost, start)
    });
    let recorded = Instant::now();
    installed.shutdown();
    let (shutdown, cpu) = (recorded.elapsed(), process_cpu() - cpu);
    let after = receiver.seen();
    receiver.end();
    let sum = |of: fn(&Done) -> Duration| all.iter().map(of).sum::<Duration>();
    let (bursts, pacing) = (sum(|done| done.bursts), sum(|done| done.all - done.bursts));
    Outcome {
        created: all.iter().map(|done| done.spans).sum(),
        received: after.spans - before.spans,
        secs: (recorded - start).as_secs_f64(),
        shutdown_secs: shutdown.as_secs_f64(),
        cpu_ns: (cpu - pacing).as_nanos() as u64,
        recording_ns: bursts.as_nanos() as u64,
        requests: after.requests - before.requests,
        bytes: after.bytes - before.bytes,
        receiver_cpu_ns: after.cpu_ns - before.cpu_ns,
        attributes: after.attributes,
        peak_bytes: memory::of_status("VmHWM:"),
        said_lost: installed.lost().zip(lost).map(|(now, then)| now - then),
    }
}
