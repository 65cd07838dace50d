//! The home directory in place of `~`.

use std::ffi::OsString;
use std::path::PathBuf;

use super::escape::unescape;

/// A path without escapes; one that begins with `~/` is in the home directory, `home`.
pub(super) fn at_home(path: &str, home: Option<OsString>) -> Result<PathBuf, String> {
    let below = if path == "~" { Some("") } else { path.strip_prefix("~/") };
    let Some(below) = below else { return Ok(unescape(path)?.into()) };
    let home =
        home.filter(|home| !home.is_empty()).ok_or("`~` is the home directory, and `HOME` is not set")?;
    // What begins with a slash would take the place of the home directory.
    Ok(PathBuf::from(home).join(unescape(below)?.trim_start_matches('/')))
}
