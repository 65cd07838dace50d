//! The options of every endpoint that TLS may stand before: files that are named become paths.

use std::path::{Path, PathBuf};

use super::Endpoint;
use super::escape::unescape;
use crate::exporters::tls::Identity;

impl Endpoint<'_> {
    /// Takes `ca`, `cert` and `key`: whom we trust besides, and who we are.
    pub(super) fn certificates(&mut self) -> Result<(Option<PathBuf>, Option<Identity>), String> {
        let ca = self.options.read("ca", file)?;
        let identity = match (self.options.read("cert", file)?, self.options.read("key", file)?) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            _ => return Err("`cert` and `key` belong together".to_owned()),
        };
        Ok((ca, identity))
    }
}

/// It is read again later, when the program may have another working directory.
fn file(text: &str) -> Result<PathBuf, String> {
    absolute(Path::new(&unescape(text)?))
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|e| format!("`{}` is no file ({e})", path.display()))
}
