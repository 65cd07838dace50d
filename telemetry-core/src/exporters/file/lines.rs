//! One file of lines: what is added to it is added whole or not at all, and under the name that it is to have.
//!
//! Somebody else may remove, rename or replace the file at any moment; nobody else writes to it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::exporters::{Batch, Delivery, ExportError};
use crate::files::{Identity, is_nowhere, open_regular};

/// A file that lines are appended to.
#[derive(Debug)]
pub(in crate::exporters) struct Lines {
    path: PathBuf,
    opened: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: fs::File,
    identity: Identity,
    /// A part of a batch stands behind that place, and could not be taken off.
    torn_at: Option<u64>,
}

impl Lines {
    pub(in crate::exporters) fn new(path: PathBuf) -> Self {
        Self { path, opened: None }
    }

    pub(in crate::exporters) fn close(&mut self) {
        self.opened = None;
    }

    /// Sees to it that the file of that name is the one that is open, and says how long it is. A line that a crash tore is ended, so
    /// that it spoils no other.
    pub(in crate::exporters) fn open(&mut self) -> io::Result<u64> {
        if let Some(bytes) = self.bytes_of_opened()? {
            return Ok(bytes);
        }
        self.close();
        let (mut file, found) = open_regular(&self.path, fs::OpenOptions::new().create(true).append(true))?;
        let mut bytes = found.len();
        if bytes > 0 && last_byte(&self.path)? != b'\n' {
            file.write_all(b"\n")?;
            bytes += 1;
        }
        self.opened = Some(Opened { file, identity: Identity::of(&found), torn_at: None });
        Ok(bytes)
    }

    /// How long the file is that is open; none where none is, or that of this name is another one.
    pub(in crate::exporters) fn bytes_of_opened(&mut self) -> io::Result<Option<u64>> {
        let Some(opened) = &mut self.opened else { return Ok(None) };
        let found = fs::metadata(&self.path).ok().filter(|found| Identity::of(found) == opened.identity);
        match (opened.torn_at, found) {
            (None, found) => Ok(found.map(|found| found.len())),
            (Some(at), found) => {
                let cut = opened.file.set_len(at);
                if found.is_none() {
                    return Ok(None);
                }
                cut?;
                opened.torn_at = None;
                Ok(Some(at))
            }
        }
    }

    /// Adds whole lines to an open file of so many bytes. After an error none of them is there. False where the file was removed
    /// meanwhile: nobody will ever read what it holds.
    pub(in crate::exporters) fn append(&mut self, lines: &[u8], bytes: u64) -> io::Result<bool> {
        let Some(opened) = &mut self.opened else { return Ok(false) };
        match opened.file.write_all(lines).and_then(|()| opened.file.metadata()) {
            Ok(found) => Ok(!is_nowhere(&found)),
            Err(e) => {
                opened.torn_at = Some(bytes).filter(|bytes| opened.file.set_len(*bytes).is_err());
                Err(e)
            }
        }
    }
}

/// So much of a batch becomes text at once. The memory for it, which stays, is about three times as much.
const PART: usize = 256 << 10;

/// Exports a batch in parts; after a failure, those before it count as taken.
pub(in crate::exporters) fn in_parts(
    batch: &Batch,
    mut export: impl FnMut(&Batch) -> Result<(), ExportError>,
) -> Result<Delivery, ExportError> {
    let mut taken = 0;
    for part in batch.in_parts(PART) {
        export(&part).map_err(|e| e.taken(taken))?;
        taken += part.len();
    }
    Ok(Delivery::all())
}

/// A file that is taken away so many times while a part is written is left for later.
const TRIES: usize = 4;

/// Writes until what was written is in a file that is still there; false where somebody removes files or their directory again and
/// again. `write` says whether it is.
pub(in crate::exporters) fn until_it_stays(mut write: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    for _ in 0..TRIES {
        match write() {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

fn last_byte(path: &Path) -> io::Result<u8> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

pub(super) fn path(directory: &Path, stem: &str, age: usize) -> PathBuf {
    let age = if age == 0 { String::new() } else { format!(".{age}") };
    directory.join(format!("{stem}{age}.jsonl"))
}

/// Moves every file one on, from the oldest, and the full one, whose age is 0, last: after a failure in between, the next attempt
/// finds gaps, and moves nothing into the way of what was moved.
pub(in crate::exporters) fn put_aside(path: impl Fn(usize) -> PathBuf, keep: usize) -> io::Result<()> {
    let gap = (1..=keep).find(|age| !path(*age).exists()).unwrap_or(keep);
    if gap == 0 {
        return unless_gone(fs::remove_file(path(0)));
    }
    for age in (0..gap).rev() {
        unless_gone(fs::rename(path(age), path(age + 1)))?;
    }
    Ok(())
}

fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
