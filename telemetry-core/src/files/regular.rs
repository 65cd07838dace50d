//! Regular files, and nothing else, told from one another.
//!
//! Pipes, devices and directories are refused before they are opened: to open a pipe is to wait for who reads it.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Tells a file from another one that has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    pub(crate) fn of(found: &fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(found.dev(), found.ino())
    }

    /// Elsewhere it is only seen whether there is one of that name.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &fs::Metadata) -> Self {
        Self(0, 0)
    }
}

/// Whether the file, which is open, has no name any more.
pub(crate) fn is_nowhere(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(found) == 0;
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

pub(crate) fn open_regular(path: &Path, how: &fs::OpenOptions) -> io::Result<(fs::File, fs::Metadata)> {
    check_regular(path)?;
    let file = how.open(path)?;
    let found = file.metadata()?;
    check(path, &found)?;
    Ok((file, found))
}

/// What has that name, if anything has.
pub(crate) fn check_regular(path: &Path) -> io::Result<()> {
    fs::metadata(path).map_or(Ok(()), |found| check(path, &found))
}

fn check(path: &Path, found: &fs::Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let (name, kind) = (path.file_name().unwrap_or_default().display(), kind(found.file_type()));
    Err(io::Error::other(format!("`{name}` is {kind}, and no regular file")))
}

fn kind(of: fs::FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if of.is_fifo() {
            return "a pipe";
        } else if of.is_socket() {
            return "a socket";
        } else if of.is_char_device() || of.is_block_device() {
            return "a device";
        }
    }
    if of.is_dir() { "a directory" } else { "a file" }
}

/// Makes a directory where it is missing, and those above it.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            let what = kind(found.file_type());
            Err(io::Error::other(format!("`{}` is {what}, and no directory", path.display())))
        }
        _ => fs::create_dir_all(path),
    }
}

/// Replaces what stands in a file: who reads it finds all of it, or what was there before.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    check_regular(path)?;
    let new = path.with_added_extension("new");
    let (mut file, _) = open_regular(&new, fs::OpenOptions::new().create(true).write(true).truncate(true))?;
    let written = file.write_all(content).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
