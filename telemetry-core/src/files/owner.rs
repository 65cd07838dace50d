//! Who owns a directory: a lock on a file in it says so, to all processes and to other exporters of this one. The system frees it
//! when the process ends, however it ends.

use std::fs::{self, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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

fn name_locks() {
    static NAMED: AtomicBool = AtomicBool::new(false);
    on_fork(&NAMED, &[|| Box::new(locked())]);
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
        name_locks();
        self.release();
        make_directory(self.path.parent().unwrap_or(Path::new("/")))?;
        // Under it, so that no child has the file without knowing of it.
        let mut locked = locked();
        let (file, found) =
            open_regular(&self.path, fs::OpenOptions::new().create(true).write(true).truncate(false))?;
        match lock(&file) {
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

/// Who only [looks](is_owned) has gone a moment later: he is waited for, and kept from nothing.
fn lock(file: &fs::File) -> Result<(), TryLockError> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let begin = Instant::now();
    loop {
        let locked = file.try_lock();
        let is_looked_at = matches!(locked, Err(TryLockError::WouldBlock)) && file.try_lock_shared().is_ok();
        if !is_looked_at {
            return locked;
        }
        file.unlock().map_err(TryLockError::Error)?;
        if begin.elapsed() > PATIENCE {
            return locked;
        }
        std::thread::yield_now();
    }
}

/// Whether somebody owns the directory, by a lock on that file. It is seen by a lock that others may have too, for a moment; nothing
/// is written.
#[cfg(any(feature = "net", test))]
pub(crate) fn is_owned(path: &Path) -> io::Result<bool> {
    name_locks();
    // As long as it is held no child is made, which would keep it.
    let _locked = locked();
    let (file, _) = match open_regular(path, fs::OpenOptions::new().read(true)) {
        Ok(opened) => opened,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_keeps_no_owner_from_it_and_another_owner_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("owner");
        fs::write(&path, "").unwrap();
        let (looks, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // As another process, which has no part in the locks of this one.
                let file = fs::File::open(&path).unwrap();
                while !is_over.load(Relaxed) {
                    if file.try_lock_shared().is_ok() {
                        looks.fetch_add(1, Relaxed);
                        std::thread::yield_now();
                        file.unlock().unwrap();
                    }
                    std::thread::yield_now();
                }
            });
            let mut owner = Owner::new(path.clone());
            let mut owned = 0;
            while owned < 100 || looks.load(Relaxed) < 100 {
                if let Err(e) = owner.hold() {
                    is_over.store(true, Relaxed);
                    panic!("{e}");
                }
                owned += 1;
                owner.release();
            }
            is_over.store(true, Relaxed);
        });
        let (mut owner, mut other) = (Owner::new(path.clone()), Owner::new(path.clone()));
        assert!(!is_owned(&path).unwrap());
        owner.hold().unwrap();
        assert_eq!(other.hold().unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        owner.release();
        other.hold().unwrap();
        assert!(is_owned(&path).unwrap());
    }
}
