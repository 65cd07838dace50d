//! The options of every endpoint that TLS may stand before: files that are named become paths.

use std::path::{Path, PathBuf};

use super::Endpoint;
use super::escape::unescape;
use super::scheme::{Table, row};
use crate::exporters::tls::Identity;

pub(super) const TABLE: Table = Table {
    endpoints: "over HTTP, gRPC and TLS",
    rows: &[
        row(
            "ca",
            "none",
            "/etc/telemetry/ca.pem",
            "a file of certificates that are trusted beside those of the system (PEM)",
        ),
        row(
            "cert",
            "none",
            "/etc/telemetry/cert.pem&key=/etc/telemetry/key.pem",
            "the file of the client's own certificate (PEM); with `key`",
        ),
        row(
            "key",
            "none",
            "/etc/telemetry/key.pem&cert=/etc/telemetry/cert.pem",
            "the file of its key (PEM); with `cert`",
        ),
    ],
    text: "",
};

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
