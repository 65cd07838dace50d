//! Small files of the system: a path comes in, the text goes out. Never more than 64 KiB, and nothing that could block.

use std::fs::File;
use std::io::Read as _;

use crate::model::Value;

/// An attribute, and what its source says of it, if anything.
pub(super) type Pair = (&'static str, Option<Value>);

const MOST: u64 = 64 << 10;

/// The beginning of a regular file, if there is one.
pub(super) fn read(path: &str) -> Option<String> {
    // Opening a FIFO would wait for whoever writes to it.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Its text without the space around it, if there is any.
pub(super) fn trimmed(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_much_of_a_file_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        std::fs::write(&path, vec![b'x'; 100 << 10]).unwrap();
        assert_eq!(read(path.to_str().unwrap()).unwrap().len(), 64 << 10);
        assert_eq!(read(folder.path().to_str().unwrap()), None);
        assert_eq!(read("/dev/zero"), None);
        assert_eq!(read("/no/such/file"), None);
    }
}
