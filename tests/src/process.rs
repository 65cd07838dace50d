//! Programs that tests start on ports of their own and end by their ids.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

use crate::SOON;

/// A program that ends with the test.
#[derive(Debug)]
pub struct Process(pub Child);

impl Process {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// Whether it takes connections there; not, if it ended before.
    fn listens(&mut self, port: u16) -> bool {
        let start = Instant::now();
        while start.elapsed() < SOON && matches!(self.0.try_wait(), Ok(None)) {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// A port that nobody has, and that nobody in this process is told again. It lies below those which the system gives to whoever
/// wants any, so that none of these comes between, and answers for the one that is started there.
fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const MANY: u32 = 22_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(127);
    let next = || begin.wrapping_add(NEXT.fetch_add(1, Relaxed)) % MANY + FIRST;
    let mut ports = (0..MANY).map(|_| next() as u16);
    let is_free = |port: &u16| {
        TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok()
    };
    ports.find(is_free).expect("a free port")
}

/// Starts what is told its ports, and waits until it takes connections at all of them.
///
/// Ports that are free now may be taken a moment later by another process: then others are tried.
///
/// # Panics
///
/// If it does not start.
pub fn on_free_ports<const N: usize>(command: impl Fn([u16; N]) -> Command) -> (Process, [u16; N]) {
    for _ in 0..5 {
        let ports = [(); N].map(|()| free_port());
        let mut process = Process::start(&mut command(ports));
        if ports.iter().all(|port| process.listens(*port)) {
            return (process, ports);
        }
    }
    panic!("{:?} does not start", command([0; N]));
}

/// Says that a test is left out, or fails where all servers have to be there.
///
/// # Panics
///
/// If `TELEMETRY_REQUIRE_SERVERS` is 1.
#[track_caller]
pub fn missing<T>(what: &str) -> Option<T> {
    let required = std::env::var("TELEMETRY_REQUIRE_SERVERS").is_ok_and(|is| is == "1");
    assert!(!required, "{what}: not installed, and TELEMETRY_REQUIRE_SERVERS is 1");
    // What the macros print of a test that passes, nobody sees.
    let _ = writeln!(std::io::stderr(), "left out, as it is not installed: {what}");
    None
}

/// Whether a program ends well; not, if it isn't there.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
