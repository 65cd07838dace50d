//! How programs end while their backend hangs, by every road, on every runtime: what could not be sent is stored, and what could
//! not be stored is said. That a program ends at all is what is tested of its deadline: one that hangs is ended by a signal after a
//! minute.
#![allow(unsafe_code)] // Only C sends signals.

mod aborts;

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use telemetry_layer::Signal;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Setup, refusing};
use telemetry_tests::{SOON, each, eventually};

/// A synchronous `main`, and runtimes of tokio.
const RUNTIMES: [&str; 4] = ["sync", "current_thread", "one_worker", "multi_thread"];

/// What the program ends with, where it is asked.
const STATUS: Option<i32> = Some(7);

/// Where the program has the endpoint of the collector that its child starts.
const OF_CHILD: &str = "EXITING_CHILD";

/// A backend to which connections are made, and which never says a word until it is told to.
struct Backend {
    listener: TcpListener,
    address: SocketAddr,
}

impl Backend {
    fn start() -> Self {
        let address = refusing();
        // A process that another test is starting has what was open here, for a moment.
        let listener = eventually("a free port", || TcpListener::bind(address).ok());
        Self { listener, address }
    }

    fn url(&self, options: &str) -> String {
        Form::Otlp.url(self.address, &format!("signals=events&linger_ms=1{options}"))
    }

    /// From now on it answers. The next program has that spool, and sends what is in it: these events, each once.
    fn gets(self, url: &str, ids: impl IntoIterator<Item = u64>) {
        drop(self.listener);
        let receiver = Setup::new(Form::Otlp).start_at(self.address, |_| Form::Otlp.ok().into());
        let ids: Vec<_> = ids.into_iter().map(|id| (id, 1)).collect();
        let program = Program::start(url);
        let begin = Instant::now();
        while program.account(Signal::Events).delivered < ids.len() as u64 {
            assert!(begin.elapsed() < SOON, "{}", program.collector.ledger());
            program.hand_over();
        }
        assert!(program.collector.shutdown(SOON).is_complete());
        receiver.has(Signal::Events, ids);
    }
}

fn spool(directory: &Path) -> String {
    format!("&spool={}", directory.display())
}

/// The program, with what its environment says.
fn program(road: &str, runtime: &str, url: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_exiting"));
    program.args([road, runtime]).env_clear();
    program.env("TELEMETRY_EXPORT_ENDPOINTS", url).env("TELEMETRY_FLUSH_INTERVAL_MS", "3600000");
    program.env("TELEMETRY_SHUTDOWN_ON_EXIT", "true").env("TELEMETRY_SHUTDOWN_TIMEOUT_MS", "2000");
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

/// How it ended, and what it said.
fn ended(output: &Output) -> (Option<i32>, Option<i32>, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.status.signal(), said)
}

/// Runs it on each runtime, with a spool and without one.
fn on_each(road: &str, status: Option<i32>, end: impl Fn(Child) -> Output + Sync) {
    let cases = RUNTIMES.into_iter().flat_map(|runtime| [(runtime, true), (runtime, false)]);
    each(cases, |(runtime, has_spool)| {
        let (backend, directory) = (Backend::start(), tempfile::tempdir().unwrap());
        let url = backend.url(&if has_spool { spool(directory.path()) } else { String::new() });
        let (code, signal, said) = ended(&end(program(road, runtime, &url).spawn().unwrap()));
        assert_eq!((code, signal), (status, None), "{said}");
        if has_spool {
            assert!(!said.contains("lost"), "{said}");
            backend.gets(&url, 1..=100);
        } else {
            assert!(said.contains("exporter otlp: lost 100 events: not delivered by the deadline"), "{said}");
            assert!(said.contains("100 items were lost"), "{said}");
            assert_eq!(said.matches("items were lost").count(), 1, "{said}");
        }
    });
}

fn by(road: &str, status: Option<i32>) {
    on_each(road, status, |child| child.wait_with_output().unwrap());
}

#[test]
fn main_returns_and_drops_the_guard() {
    by("return", Some(0));
}

#[test]
fn main_returns_and_the_guard_is_never_dropped() {
    by("forget", Some(0));
}

#[test]
fn the_main_thread_or_a_task_exits() {
    by("exit", STATUS);
}

#[test]
fn another_thread_exits_while_main_has_the_guard() {
    by("exit_on_a_thread", STATUS);
}

#[test]
fn a_panic_unwinds_main_and_drops_the_guard() {
    by("panic", Some(101));
}

#[test]
fn the_thread_ends_that_has_the_guard_in_a_thread_local() {
    by("thread_local", Some(0));
}

#[test]
fn an_exit_leaves_a_shutdown_no_more_time_than_it_has_itself() {
    each(RUNTIMES, |runtime| {
        let (backend, directory) = (Backend::start(), tempfile::tempdir().unwrap());
        let url = backend.url(&spool(directory.path()));
        let output = program("exit_while_it_shuts_down", runtime, &url).output().unwrap();
        let (code, signal, said) = ended(&output);
        assert_eq!((code, signal), (STATUS, None), "{said}");
        assert!(!said.contains("lost"), "{said}");
        backend.gets(&url, 1..=100);
    });
}

#[test]
fn a_handler_of_signals_exits() {
    on_each("signal", STATUS, |mut child| {
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        // SAFETY: it takes numbers only, and the child was not waited for.
        unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
        child.wait_with_output().unwrap()
    });
}

#[test]
fn a_child_that_is_forked_off_ends_what_it_has_started_itself() {
    each(RUNTIMES, |runtime| {
        let (parents, childs) = (Backend::start(), Backend::start());
        let (directory, of_child) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [url, url_of_child] = [(&parents, &directory), (&childs, &of_child)]
            .map(|(backend, at)| backend.url(&spool(at.path())));
        let output = program("fork", runtime, &url).env(OF_CHILD, &url_of_child).output().unwrap();
        let (code, signal, said) = ended(&output);
        assert_eq!((code, signal), (STATUS, None), "{said}");
        assert!(!said.contains("lost"), "{said}");
        parents.gets(&url, 1..=100);
        childs.gets(&url_of_child, 201..=300);
    });
}

#[test]
fn what_was_committed_is_there_after_an_end_without_a_hook() {
    let ends = [("abort", (None, Some(libc::SIGABRT))), ("_exit", (STATUS, None)), ("exec", (STATUS, None))];
    let cases = ends.into_iter().flat_map(|end| RUNTIMES.map(|runtime| (end, runtime)));
    each(cases, |((road, end), runtime)| {
        let (backend, directory) = (Backend::start(), tempfile::tempdir().unwrap());
        let url = backend.url(&(spool(directory.path()) + "&spool_mode=always"));
        let (code, signal, said) = ended(&program(road, runtime, &url).output().unwrap());
        assert_eq!((code, signal), end, "{said}");
        backend.gets(&url, 1..=100);
    });
}

#[test]
fn without_the_choice_an_exit_waits_for_nobody() {
    let (backend, directory) = (Backend::start(), tempfile::tempdir().unwrap());
    let url = backend.url(&spool(directory.path()));
    let mut program = program("exit", "sync", &url);
    let (code, signal, said) = ended(&program.env_remove("TELEMETRY_SHUTDOWN_ON_EXIT").output().unwrap());
    assert_eq!((code, signal, &*said), (STATUS, None, ""));
    backend.gets(&url, []);
}
