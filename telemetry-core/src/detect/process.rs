//! The process: the file that runs. Neither its arguments nor its owner, which may be nobody else's business.

use super::source::Pair;

pub(super) fn attributes() -> [Pair; 4] {
    let path = std::env::current_exe().ok();
    let name = path.as_ref().and_then(|path| path.file_name());
    [
        ("process.pid", Some(std::process::id().into())),
        ("process.executable.name", name.map(|name| (*name.to_string_lossy()).into())),
        ("process.executable.path", path.as_ref().map(|path| (*path.to_string_lossy()).into())),
        // Of a native program, its compiler.
        ("process.runtime.name", Some("rustc".into())),
    ]
}
