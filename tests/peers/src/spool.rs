//! Group 8: what waits on disk. What it costs to store it, beside a thread that does nothing but write and sync the same bytes; and
//! how long it takes to send it again, beside the same bodies that are sent straight to the same receiver.
//!
//! Each measurement is a process of its own, with a directory of its own on the disk of `TMPDIR`.

mod commit;
mod frames;
mod replay;

pub use commit::{Committed, KINDS, one as commit_one};
pub use replay::{Replayed, one as replay_one};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Nothing takes so long.
const LONG: Duration = Duration::from_secs(60);

/// A directory that is gone in the end.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("peers-spool-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a temporary directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the loads record.
pub fn span4(n: u64) {
    let _g = tracing::info_span!("work", user = n, size = 7i64, path = "/api/items", cached = true).entered();
}
