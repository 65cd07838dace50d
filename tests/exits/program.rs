//! Records, and ends by a road on a runtime: `exiting ROAD RUNTIME`. All else comes from the environment. What a test sees of
//! that is an exit status of [`STATUS`] where the road has one to choose.
#![allow(unsafe_code)] // Only C forks, has signals, and ends without a word.

use std::cell::RefCell;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, abort, exit};
use std::thread;
use std::time::Duration;

use telemetry_layer::Guard;
use telemetry_layer::model::Event;
use telemetry_layer::prelude::*;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

const STATUS: i32 = 7;

/// A program or a child that hangs is ended by a signal after so many seconds.
const PATIENCE: u32 = 60;

/// The endpoint of the collector that a child starts.
const OF_CHILD: &str = "EXITING_CHILD";

thread_local! {
    static KEPT: RefCell<Option<Guard>> = const { RefCell::new(None) };
}

fn main() {
    // SAFETY: it takes a number.
    unsafe { libc::alarm(PATIENCE) };
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("a road and a runtime");
    let (road, runtime) = (next(), next());
    let runtime = match &*runtime {
        "sync" => {
            if road == "signal" {
                exit_on_a_signal();
            }
            let telemetry = begin();
            record(1..=100);
            match &*road {
                "signal" => {
                    println!("ready");
                    wait_for_the_end();
                }
                "exit_on_a_thread" => exit_on_a_thread(),
                "thread_local" => thread::spawn(|| KEPT.set(Some(telemetry))).join().expect("it ends"),
                _ => leave(&road, telemetry),
            }
            return;
        }
        "current_thread" => Builder::new_current_thread().enable_all().build(),
        "one_worker" => Builder::new_multi_thread().worker_threads(1).enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(4).enable_all().build(),
    };
    runtime.expect("a runtime").block_on(async {
        let telemetry = begin();
        tokio::spawn(async { record(1..=100) }).await.expect("it records");
        match &*road {
            "signal" => {
                let mut signals = signal(SignalKind::terminate()).expect("a handler");
                println!("ready");
                signals.recv().await;
                exit(STATUS);
            }
            "exit" => tokio::spawn(async { exit(STATUS) }).await.expect("it does not come back"),
            "exit_on_a_thread" => tokio::task::spawn_blocking(exit_on_a_thread).await.expect("nor this"),
            "thread_local" => {
                let ends = tokio::task::spawn_blocking(|| KEPT.set(Some(telemetry)));
                ends.await.expect("it ends");
            }
            _ => leave(&road, telemetry),
        }
    });
}

fn begin() -> Guard {
    telemetry_layer::init().expect("a collector")
}

fn record(ids: impl IntoIterator<Item = u64>) {
    ids.into_iter().for_each(|id| info!(id));
}

/// What is the same on all runtimes.
fn leave(road: &str, telemetry: Guard) {
    if let "abort" | "_exit" | "exec" = road {
        assert!(telemetry.flush(Duration::from_secs(20)).is_complete(), "it is on disk");
        record(101..=200);
    }
    match road {
        "return" => drop(telemetry),
        "forget" => std::mem::forget(telemetry),
        "exit" => exit(STATUS),
        "exit_while_it_shuts_down" => {
            let shuts_down = thread::spawn(move || telemetry.shutdown(Duration::from_hours(1)));
            // Nothing waits for that: mostly it has begun.
            (0..1_000).for_each(|_| thread::yield_now());
            drop(shuts_down);
            exit(STATUS);
        }
        "panic" => panic!("on purpose"),
        "fork" => {
            fork_and_wait();
            exit(STATUS);
        }
        "abort" => abort(),
        // SAFETY: it takes a number.
        "_exit" => unsafe { libc::_exit(STATUS) },
        "exec" => panic!("{}", Command::new("sh").arg("-c").arg(format!("exit {STATUS}")).exec()),
        _ => panic!("{road} is no road"),
    }
}

fn exit_on_a_thread() -> ! {
    thread::spawn(|| exit(STATUS));
    wait_for_the_end()
}

fn wait_for_the_end() -> ! {
    loop {
        thread::park();
    }
}

/// The program's own way to handle a signal: a thread that waits for it. No other thread is told, as those to come inherit that.
fn exit_on_a_signal() {
    // SAFETY: the set is ours, and was emptied before it is used.
    let terminate = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()), 0);
        set
    };
    thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: both are ours.
        unsafe { libc::sigwait(&raw const terminate, &raw mut signal) };
        exit(STATUS);
    });
}

/// The child exits as its parent will, with a collector of its own and without one.
fn fork_and_wait() {
    let of_child = std::env::var(OF_CHILD).expect("an endpoint");
    for has_its_own in [false, true] {
        // SAFETY: the child calls nothing that another thread may have kept it from, which is what is tested.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: it takes a number.
            unsafe { libc::alarm(PATIENCE) };
            if has_its_own {
                let telemetry = Collector::builder().endpoint(&of_child).install().expect("a collector");
                let event = |id: u64| Event::new(tracing::Level::INFO, "of the child", 1_000).field("id", id);
                (201..=300).for_each(|id| telemetry.collect_event(&event(id)));
                std::mem::forget(telemetry);
            }
            exit(STATUS);
        }
        let mut status = 0;
        // SAFETY: the status is ours.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == STATUS, "{status:#x}");
    }
}
