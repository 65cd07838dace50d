//! A file system that forgets: what was not synced goes when it crashes, from any moment on, also names, also by half.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::pipeline::spool::disk::Disk;

/// All that has a clone of it sees the same files.
#[derive(Clone, Debug, Default)]
pub(super) struct Sim(Arc<Mutex<State>>);

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<Content>,
    /// As a process sees them.
    names: BTreeMap<String, usize>,
    /// As they are on the disk, and what has become of them since.
    synced: BTreeMap<String, usize>,
    changes: Vec<Change>,
    calls: usize,
    fault: Option<(usize, Fault)>,
    is_dead: bool,
    /// There is room for so many bytes.
    room: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    writes: Vec<Write>,
}

#[derive(Clone, Debug)]
enum Write {
    Append(Vec<u8>),
    Cut(usize),
    Over(usize, u8),
}

#[derive(Clone, Debug)]
enum Change {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

/// What happens at a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The machine ends; no later call does anything.
    Crash,
    /// The disk is full for so many calls: of what is to be written that part is.
    Full(usize, Torn),
}

/// What is there of a write that was not done to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Torn {
    Nothing,
    Half,
    /// As many bytes as there should be, and others.
    Zeros,
    Garbage,
}

impl Torn {
    pub(super) const ALL: [Self; 4] = [Self::Nothing, Self::Half, Self::Zeros, Self::Garbage];

    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Half => bytes[..bytes.len() / 2].to_vec(),
            Self::Zeros => vec![0; bytes.len()],
            Self::Garbage => bytes.iter().map(|byte| byte ^ 0x5a).collect(),
        }
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Create(name, file) => drop(names.insert(name.clone(), *file)),
        Change::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Change::Remove(name) => drop(names.remove(name)),
    }
}

fn write(bytes: &mut Vec<u8>, write: &Write) {
    match write {
        Write::Append(more) => bytes.extend(more),
        Write::Cut(to) => bytes.truncate(*to),
        Write::Over(at, byte) => bytes.get_mut(*at).into_iter().for_each(|there| *there = *byte),
    }
}

impl Sim {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The call of that number fails.
    pub(super) fn failing(at: usize, fault: Fault) -> Self {
        let sim = Self::default();
        sim.state().fault = Some((at, fault));
        sim
    }

    /// All files together must never have more bytes.
    pub(super) fn with_room(bytes: u64) -> Self {
        let sim = Self::default();
        sim.state().room = Some(bytes);
        sim
    }

    pub(super) fn calls(&self) -> usize {
        self.state().calls
    }

    /// How many names and writes may be lost.
    pub(super) fn unsynced(&self) -> (usize, usize) {
        let state = self.state();
        (state.changes.len(), state.files.iter().map(|file| file.writes.len()).max().unwrap_or(0))
    }

    /// What the next process finds when only the first of the changes of names and of the writes to each file have come to the
    /// disk, and the next one of these by half.
    pub(super) fn crashed(&self, names: usize, writes: usize, torn: Torn) -> Self {
        let state = self.state();
        let mut found = State { names: state.synced.clone(), ..State::default() };
        state.changes.iter().take(names).for_each(|change| apply(&mut found.names, change));
        for file in &state.files {
            let mut bytes = file.synced.clone();
            file.writes.iter().take(writes).for_each(|one| write(&mut bytes, one));
            if let Some(Write::Append(next)) = file.writes.get(writes) {
                bytes.extend(torn.of(next));
            }
            found.files.push(Content { synced: bytes.clone(), bytes, writes: Vec::new() });
        }
        found.synced = found.names.clone();
        Self(Arc::new(Mutex::new(found)))
    }

    /// What the next process finds when only the process ends.
    pub(super) fn killed(&self) -> Self {
        self.crashed(usize::MAX, usize::MAX, Torn::Nothing)
    }

    /// Names and contents.
    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].bytes.clone())).collect()
    }

    pub(super) fn flip(&self, name: &str, at: usize, bit: u8) {
        let mut state = self.state();
        let file = state.names[name];
        state.files[file].bytes[at] ^= bit;
    }

    pub(super) fn shorten(&self, name: &str, len: usize) {
        let mut state = self.state();
        let file = state.names[name];
        state.files[file].bytes.truncate(len);
    }

    fn call(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        match state.fault {
            Some((at, Fault::Crash)) if call >= at => {
                state.is_dead = true;
                Err(io::Error::other("the machine has ended"))
            }
            Some((at, Fault::Full(calls, _))) if (at..at + calls).contains(&call) => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(state),
        }
    }

    /// The same for one that may be torn by the fault.
    fn torn(&self) -> Option<Torn> {
        let state = self.state();
        match state.fault {
            Some((at, Fault::Full(calls, torn))) if (at..at + calls).contains(&(state.calls - 1)) => {
                Some(torn)
            }
            _ => None,
        }
    }
}

fn found(state: &State, name: &str) -> io::Result<usize> {
    state.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl Disk for Sim {
    type File = usize;

    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        drop(self.call()?);
        Ok(self.files().into_iter().map(|(name, bytes)| (name, bytes.len() as u64)).collect())
    }

    fn read(&mut self, name: &str, from: u64, bytes: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let state = self.call()?;
        let content = &state.files[found(&state, name)?].bytes;
        into.extend(content.iter().skip(from as usize).take(bytes as usize));
        Ok(())
    }

    fn create(&mut self, name: &str) -> io::Result<usize> {
        let mut state = self.call()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.push(Content::default());
        let file = state.files.len() - 1;
        let change = Change::Create(name.to_owned(), file);
        apply(&mut state.names, &change);
        state.changes.push(change);
        Ok(file)
    }

    fn append(&mut self, file: &mut usize, bytes: [&[u8]; 2]) -> io::Result<()> {
        let failed = self.call().map(drop);
        let bytes = match (&failed, self.torn()) {
            (Ok(()), _) => bytes.concat(),
            (Err(_), Some(torn)) => torn.of(&bytes.concat()),
            (Err(_), None) => Vec::new(),
        };
        let mut state = self.state();
        let one = Write::Append(bytes);
        write(&mut state.files[*file].bytes, &one);
        state.files[*file].writes.push(one);
        let used: usize = state.names.values().map(|file| state.files[*file].bytes.len()).sum();
        assert!(state.room.is_none_or(|room| used as u64 <= room), "{used} bytes are too many");
        failed
    }

    fn sync(&mut self, file: &mut usize) -> io::Result<()> {
        let mut state = self.call()?;
        let file = &mut state.files[*file];
        file.synced.clone_from(&file.bytes);
        file.writes.clear();
        Ok(())
    }

    fn overwrite(&mut self, name: &str, at: u64, byte: u8) -> io::Result<()> {
        let mut state = self.call()?;
        let file = found(&state, name)?;
        let one = Write::Over(at as usize, byte);
        write(&mut state.files[file].bytes, &one);
        state.files[file].writes.push(one);
        Ok(())
    }

    fn cut(&mut self, file: &mut usize, bytes: u64) -> io::Result<()> {
        let mut state = self.call()?;
        let one = Write::Cut(bytes as usize);
        write(&mut state.files[*file].bytes, &one);
        state.files[*file].writes.push(one);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.call()?;
        found(&state, from)?;
        let change = Change::Rename(from.to_owned(), to.to_owned());
        apply(&mut state.names, &change);
        state.changes.push(change);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.call()?;
        found(&state, name)?;
        let change = Change::Remove(name.to_owned());
        apply(&mut state.names, &change);
        state.changes.push(change);
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        let mut state = self.call()?;
        state.synced = state.names.clone();
        state.changes.clear();
        Ok(())
    }

    fn publish(&mut self, _: u64) {}
}
