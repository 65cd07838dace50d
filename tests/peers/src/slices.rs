//! Processes that take turns: each holds one case, warmed, and measures a slice of some milliseconds whenever it is
//! told to by a line. Until then it waits, so that any number of them can share a core.

use crate::case::Entry;
use crate::timing::{Driver, Ns, pin};
use std::io::{BufRead, BufReader, Read, Write, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// Where the measured thread runs (those of a case on two threads have a core each) and where what works for it does.
const CORE: usize = 1;
const CORE_BESIDE: usize = 0;

const READY: &str = "ready";
const VERIFIED: &str = "verified";

/// The process: says when it is ready, answers each line with a slice, and verifies at the end of the input.
pub fn serve(e: &Entry) {
    pin(CORE_BESIDE); // The threads that a case starts keep to it.
    let mut driver = Driver::warm(e, || pin(CORE));
    println!("{READY}");
    for line in stdin().lines() {
        line.expect("a line from the process that started this one");
        let ns = driver.slice();
        println!("{} {}", ns.cpu, ns.wall);
    }
    println!("{VERIFIED} {}", driver.verify());
}

/// The other end of it.
pub struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    said: JoinHandle<String>,
}

impl Process {
    /// Returns once it is ready, or has ended: then its slices are none.
    pub fn start(e: &Entry) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["slices", e.op, e.who, &e.threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this program once more");
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        let mut errors = child.stderr.take().expect("piped");
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = errors.read_to_string(&mut said);
            said
        });
        let mut process = Self { child, to, from, said };
        process.line();
        process
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.from.read_line(&mut line).ok().filter(|n| *n > 0)?;
        Some(line.trim_end().into())
    }

    pub fn slice(&mut self) -> Option<Ns> {
        writeln!(self.to).ok()?;
        let line = self.line()?;
        let (cpu, wall) = line.split_once(' ')?;
        Some(Ns { cpu: cpu.parse().ok()?, wall: wall.parse().ok()? })
    }

    /// Lets it verify what it did; what went wrong.
    pub fn end(self) -> Result<(), String> {
        let Self { mut child, to, mut from, said } = self;
        drop(to);
        let mut rest = String::new();
        let _ = from.read_to_string(&mut rest);
        let ended = child.wait().expect("a process of ours");
        let said = said.join().expect("a thread that only reads");
        if ended.success() && rest.contains(VERIFIED) {
            return Ok(());
        }
        Err(said.lines().take(6).collect::<Vec<_>>().join(" | "))
    }
}
