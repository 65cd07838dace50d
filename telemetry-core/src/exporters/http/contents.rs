//! What stands in the files that settings name.

use super::settings::Settings;
use crate::exporters::tls::Pem;

/// All of them.
pub(super) struct Contents {
    /// A password or a token, from wherever it comes.
    pub(super) secret: Option<String>,
    pub(super) pem: Pem,
}

impl Contents {
    pub(super) fn read(settings: &Settings) -> Result<Self, String> {
        let secret = settings.auth.as_ref().map(|auth| auth.secret().read()).transpose()?;
        Ok(Self { secret, pem: Pem::read(settings.ca.as_deref(), settings.identity.as_ref())? })
    }
}
