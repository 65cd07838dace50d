//! What stands in the files that settings name. It is compared as a whole: times of files are too coarse.

use super::secret::read;
use super::settings::Settings;

/// All of them.
pub(super) struct Contents {
    /// A password or a token, from wherever it comes.
    pub(super) secret: Option<String>,
    pub(super) pem: Pem,
}

/// What TLS is configured with.
#[derive(PartialEq, Eq)]
pub(super) struct Pem {
    pub(super) ca: Option<Vec<u8>>,
    /// A certificate and its key.
    pub(super) identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Contents {
    pub(super) fn read(settings: &Settings) -> Result<Self, String> {
        let secret = settings.auth.as_ref().map(|auth| auth.secret().read()).transpose()?;
        let ca = settings.ca.as_deref().map(read).transpose()?;
        let pair = settings
            .identity
            .as_ref()
            .map(|files| Ok::<_, String>((read(&files.certificate)?, read(&files.key)?)));
        Ok(Self { secret, pem: Pem { ca, identity: pair.transpose()? } })
    }
}
