//! What opens the receiver's door. It never prints.

use std::fmt;
use std::path::PathBuf;

use crate::exporters::tls::read;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A password or a token.
#[derive(Clone)]
pub(crate) enum Secret {
    /// Itself.
    Text(String),
    /// The file that it stands in. It is read for each request, so a renewed one counts at once.
    File(PathBuf),
}

/// The `Authorization` header (RFC 7617, RFC 6750).
#[derive(Clone)]
pub(crate) enum Auth {
    /// A user with a password.
    Basic {
        /// Who.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
}

impl Secret {
    pub(crate) fn read(&self) -> Result<String, String> {
        let path = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(path) => path,
        };
        let text = String::from_utf8(read(path)?).map_err(|_| format!("{} is no text", path.display()))?;
        // An editor leaves a line's end.
        Ok(text.trim_end().to_owned())
    }
}

impl Auth {
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Basic { password: secret, .. } | Self::Bearer(secret) => secret,
        }
    }

    /// What the header says behind its scheme, where that is the secret.
    pub(super) fn credentials(&self, secret: &str) -> String {
        match self {
            Self::Basic { user, .. } => BASE64_STANDARD.encode(format!("{user}:{secret}")),
            Self::Bearer(_) => secret.to_owned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic ***",
            Self::Bearer(_) => "Bearer ***",
        })
    }
}
