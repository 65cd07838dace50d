//! Who owns a directory: a lock on a file in it says so, to all processes and to other exporters of this one. The system frees it
//! when the process ends, however it ends.

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::regular::{Identity, make_directory, open_regular};
use crate::sync::{ForkLock, on_fork};

/// The locked files that this process has, by their numbers. Here, so that a child finds them: the lock is held as long as anybody
/// has the file open.
static LOCKED: Mutex<Vec<(u64, fs::File)>> = Mutex::new(Vec::new());

fn locked() -> MutexGuard<'static, Vec<(u64, fs::File)>> {
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ForkLock for MutexGuard<'static, Vec<(u64, fs::File)>> {
    fn in_child(&mut self) {
        self.clear();
    }
}

/// One who owns a directory, or wants to.
#[derive(Debug)]
pub(crate) struct Owner {
    path: PathBuf,
    /// Its number among the locked files, and which file that is.
    held: Option<(u64, Identity)>,
}

impl Owner {
    /// By a lock on the file of that name.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, held: None }
    }

    /// Makes the directory where it is missing, and owns it; an error where somebody else does.
    pub(crate) fn hold(&mut self) -> io::Result<()> {
        if self.is_held() {
            return Ok(());
        }
        static NAMED: AtomicBool = AtomicBool::new(false);
        on_fork(&NAMED, &[|| Box::new(locked())]);
        self.release();
        make_directory(self.path.parent().unwrap_or(Path::new("/")))?;
        // Under it, so that no child has the file without knowing of it.
        let mut locked = locked();
        let (file, found) =
            open_regular(&self.path, fs::OpenOptions::new().create(true).write(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) => {
                let taken = "another exporter, of this process or of another one, writes to it";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, taken));
            }
        }
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        locked.push((number, file));
        drop(locked);
        self.held = Some((number, Identity::of(&found)));
        // Between opening and locking it may have been replaced.
        if self.is_held() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Not where the file was removed or replaced, nor in a child of the process that locked it.
    fn is_held(&self) -> bool {
        let Some((number, identity)) = self.held else { return false };
        let found = fs::metadata(&self.path).is_ok_and(|found| Identity::of(&found) == identity);
        found && locked().iter().any(|(known, _)| *known == number)
    }

    pub(crate) fn release(&mut self) {
        let Some((number, _)) = self.held.take() else { return };
        let mut locked = locked();
        if let Some(at) = locked.iter().position(|(known, _)| *known == number) {
            // Closing it would not do while a child has a copy that has not come to its own program yet.
            let _ = locked.swap_remove(at).1.unlock();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.release();
    }
}
