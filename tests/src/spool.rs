//! What a program has on disk for what it can't send.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use telemetry_layer::spool::inspect;
use tempfile::TempDir;

use crate::eventually;

/// Whether a program has a spool, and what goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spool {
    /// It has none.
    Off,
    /// What could not be delivered: what a spool does where nothing is said.
    OnFailure,
    /// All, before it is sent.
    Always,
}

impl Spool {
    /// All of them.
    pub const EACH: [Self; 3] = [Self::Off, Self::OnFailure, Self::Always];

    /// Whether there is one.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    /// The options of a URL for one in that directory.
    pub fn options(self, directory: &Path) -> String {
        let mode = match self {
            Self::Off => return String::new(),
            Self::OnFailure => "",
            Self::Always => "&spool_mode=always",
        };
        format!("spool={}{mode}", directory.display())
    }
}

/// The directory of a spool, for one program and for those that come after it.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    folder: Arc<TempDir>,
    /// Its files have at most so many bytes.
    most: u64,
}

impl Directory {
    /// One that is new, and has so many bytes: in memory, where the system has a place for that. A disk that others keep busy would be
    /// one more fault, which is tested elsewhere.
    pub(crate) fn new(most: u64) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self { folder: Arc::new(folder.expect("a folder")), most }
    }

    /// The URL with it.
    pub(crate) fn url(&self, url: &str, spool: Spool) -> String {
        format!("{url}&{}&spool_bytes={}", spool.options(self.folder.path()), self.most)
    }

    /// Bytes in its files, which are within their bound.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub(crate) fn bytes(&self) -> u64 {
        let all = std::fs::read_dir(self.folder.path()).expect("it can be listed").flatten();
        // Some are gone by the time that they are looked at.
        let of = all.filter(|entry| entry.file_name() != "owner").filter_map(|entry| entry.metadata().ok());
        let bytes = of.map(|found| found.len()).sum();
        // While it is looked, a segment may go for one that is seen too.
        assert!(bytes <= self.most + self.most / 16, "{bytes} bytes of {}", self.most);
        bytes
    }

    /// How many items of each signal are in it, all of which can be read, and nothing else is there. Whoever had it has ended, or does.
    ///
    /// # Panics
    ///
    /// If not.
    pub(crate) fn holds(&self) -> [u64; 3] {
        let is_free = || !inspect(self.folder.path()).and_then(|all| all.is_owned()).expect("it has a lock");
        eventually("nobody has it", || is_free().then_some(()));
        self.bytes();
        let (mut found, mut wrong) = ([0; 3], String::new());
        let inspection = inspect(self.folder.path()).expect("it can be listed");
        assert_eq!(inspection.others(), 0, "files that are none of a spool's");
        for segment in inspection {
            found[segment.signal as usize] += segment.waiting.iter().map(|of| of.items).sum::<u64>();
            let is_well = segment.faults.is_empty()
                && segment.unfinished + segment.unknown == 0
                && segment.done.is_some();
            if !is_well {
                let _ = writeln!(wrong, "{segment:?}");
            }
        }
        assert_eq!(wrong, "");
        found
    }
}
