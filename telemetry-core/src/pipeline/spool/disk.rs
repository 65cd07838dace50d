//! All that a spool asks of a file system, in eleven calls; a real directory. It never looks into what it is given.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::files::open_regular;

/// A directory of files that are written once, from their beginning to their end.
pub(super) trait Disk: Send + 'static {
    /// One that is being written.
    type File: Send;

    /// Names and lengths of all files.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;

    /// Appends as many bytes from there, or fewer where it ends.
    fn read(&mut self, name: &str, from: u64, bytes: u64, into: &mut Vec<u8>) -> io::Result<()>;

    /// One of a name that nobody has.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// All of these at the end, one behind the other, or an error and any part of them.
    fn append(&mut self, file: &mut Self::File, bytes: [&[u8]; 2]) -> io::Result<()>;

    /// What stands in the file stays there from now on, but its name may not.
    fn sync(&mut self, file: &mut Self::File) -> io::Result<()>;

    /// Another byte stands there from now on, if it stays.
    fn overwrite(&mut self, name: &str, at: u64, byte: u8) -> io::Result<()>;

    /// Takes off what stands behind so many bytes.
    fn cut(&mut self, file: &mut Self::File, bytes: u64) -> io::Result<()>;

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// All names stay from now on.
    fn sync_names(&mut self) -> io::Result<()>;

    /// So many frames are committed, for whoever looks from outside: no state hangs on it.
    fn publish(&mut self, committed: u64);
}

/// A directory of the system.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Where it is told how much is committed.
    published: Option<File>,
}

/// The file with the lock, in which stands what is committed.
pub(super) const OWNER: &str = "owner";

impl Directory {
    /// It is there, and owned.
    pub(super) fn new(path: &Path) -> Self {
        let published =
            open_regular(&path.join(OWNER), OpenOptions::new().write(true)).ok().map(|(file, _)| file);
        Self { path: path.to_owned(), published }
    }

    /// To be looked at and nothing else.
    pub(super) fn to_look_at(path: &Path) -> Self {
        Self { path: path.to_owned(), published: None }
    }

    /// A file that is only read, and how long it is.
    pub(super) fn open(&self, name: &str) -> io::Result<(File, u64)> {
        let (file, found) = open_regular(&self.path.join(name), OpenOptions::new().read(true))?;
        Ok((file, found.len()))
    }

    /// How many frames are committed, as whoever owns it has [published](Disk::publish) it, or did last.
    pub(super) fn published(&self) -> Option<u64> {
        let mut text = String::new();
        self.open(OWNER).ok()?.0.take(100).read_to_string(&mut text).ok()?;
        text.trim_end().parse().ok()
    }
}

/// Appends as many bytes of a file from there, or fewer where it ends.
pub(super) fn read(mut file: &File, from: u64, bytes: u64, into: &mut Vec<u8>) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    file.take(bytes).read_to_end(into).map(drop)
}

/// Makes a directory that only this user can read, and those above it; a name that is new stays from now on.
pub(super) fn make(path: &Path) -> io::Result<()> {
    let mut how = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut how, 0o700);
    if path.is_dir() {
        return Ok(());
    }
    how.recursive(true).create(path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    // Elsewhere a directory can't be opened.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

impl Disk for Directory {
    type File = File;

    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // One that has gone meanwhile was none of ours.
            let Ok(found) = entry.metadata() else { continue };
            if let Ok(name) = entry.file_name().into_string()
                && found.is_file()
            {
                all.push((name, found.len()));
            }
        }
        Ok(all)
    }

    fn read(&mut self, name: &str, from: u64, bytes: u64, into: &mut Vec<u8>) -> io::Result<()> {
        read(&self.open(name)?.0, from, bytes, into)
    }

    fn create(&mut self, name: &str) -> io::Result<File> {
        let mut how = OpenOptions::new();
        how.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
        how.open(self.path.join(name))
    }

    fn append(&mut self, file: &mut File, bytes: [&[u8]; 2]) -> io::Result<()> {
        let mut bytes = bytes.map(IoSlice::new);
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut rest, n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn sync(&mut self, file: &mut File) -> io::Result<()> {
        file.sync_data()
    }

    fn overwrite(&mut self, name: &str, at: u64, byte: u8) -> io::Result<()> {
        let (mut file, _) = open_regular(&self.path.join(name), OpenOptions::new().write(true))?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&[byte])
    }

    fn cut(&mut self, file: &mut File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        sync_directory(&self.path)
    }

    fn publish(&mut self, committed: u64) {
        let Some(file) = &mut self.published else { return };
        // It is as long as before, so whoever reads it finds one of the numbers.
        let text = format!("{committed:020}\n");
        #[cfg(unix)]
        let _ = std::os::unix::fs::FileExt::write_all_at(file, text.as_bytes(), 0);
        #[cfg(not(unix))]
        let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(text.as_bytes()));
    }
}
