//! Programs that tests start on ports of their own and end by their ids.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
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

/// Starts what is told its ports, and waits until it takes connections at all of them.
///
/// Ports that are free now may be taken a moment later: then others are tried.
///
/// # Panics
///
/// If it does not start.
pub fn on_free_ports<const N: usize>(command: impl Fn([u16; N]) -> Command) -> (Process, [u16; N]) {
    for _ in 0..5 {
        let free = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let ports = free.each_ref().map(|free| free.local_addr().expect("its address").port());
        drop(free);
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
