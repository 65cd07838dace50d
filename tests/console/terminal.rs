//! A pseudo-terminal, on which a program believes that a person reads it.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use telemetry_tests::process::Process;

/// A program whose standard error is a terminal, and what it has shown so far.
pub(crate) struct Terminal {
    program: Process,
    screen: File,
    pub(crate) shown: String,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let name = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let streams = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(terminal);
        let program = Process::start(streams);
        // The end of it that the command holds.
        drop(command);
        Self { program, screen: screen.into(), shown: String::new() }
    }

    fn program(&mut self) -> &mut Child {
        &mut self.program.0
    }

    /// Where it reads what somebody types.
    pub(crate) fn input(&mut self) -> &mut ChildStdin {
        self.program().stdin.as_mut().unwrap()
    }

    /// Reads until that is there.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let mut some = [0; 4096];
            let read = self.screen.read(&mut some).unwrap_or(0);
            assert!(read > 0, "it ended before {text:?}: {}", self.shown);
            self.shown += &String::from_utf8_lossy(&some[..read]);
        }
    }

    /// It may go on; all that it has shown when it has ended.
    #[track_caller]
    pub(crate) fn ends(mut self) -> String {
        drop(self.program().stdin.take());
        let mut some = [0; 4096];
        // Nobody has the other end any more, which is an error on a terminal.
        while let Ok(read) = self.screen.read(&mut some)
            && read > 0
        {
            self.shown += &String::from_utf8_lossy(&some[..read]);
        }
        assert!(self.program().wait().unwrap().success(), "{}", self.shown);
        self.shown
    }
}
