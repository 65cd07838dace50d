//! Starts the programs, which are ignored tests of this one, and reads what they print.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use telemetry_tests::eventually;

/// A program that says nothing but what the console prints on standard error.
pub(crate) fn program(name: &str, vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", &format!("programs::{name}"), "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_ours =
            ["TELEMETRY_", "OTEL_", "CLICOLOR", "NO_COLOR", "RUST_"].iter().any(|p| name.starts_with(p));
        if is_ours {
            command.env_remove(&*name);
        }
    }
    // Nothing comes because an interval is over.
    command.env("TELEMETRY_FLUSH_INTERVAL_MS", "86400000").env("TERM", "xterm").envs(vars.iter().copied());
    command
}

/// What it prints into pipes on both streams until its end.
pub(crate) fn printed(name: &str, vars: &[(&str, &str)]) -> [String; 2] {
    let output = program(name, vars).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    [out, err]
}

/// A line without its columns: its time, its kind, and the rest.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) time: &'a str,
    pub(crate) level: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> Line<'a> {
    #[track_caller]
    pub(crate) fn read(line: &'a str) -> Self {
        // Columns of characters: there are units that are no ASCII.
        let at = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        let part = |from: usize, to: usize| line[at(from)..at(to)].trim();
        assert!(line.chars().count() > 38, "{line:?}");
        Self { time: part(0, 24), level: part(25, 30), kind: part(31, 37), text: &line[at(38)..] }
    }

    pub(crate) fn is_late(&self) -> bool {
        self.text.ends_with(" late]") || self.text.ends_with(" [late]")
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.text.split_once(&format!(" {name}="))?;
        rest.split(' ').next()
    }
}

/// The lines of the console, without what telemetry says of itself.
#[track_caller]
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole: {text}");
    text.lines().filter(|line| !line.starts_with("telemetry: ")).map(Line::read).collect()
}

/// What stands in `name=value` of a report.
pub(crate) fn numbers(report: &str) -> BTreeMap<String, u64> {
    let pairs = report.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?))).collect()
}

/// Waits until that is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()));
}
