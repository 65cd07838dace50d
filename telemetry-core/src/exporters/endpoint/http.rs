//! Endpoints over HTTP: what stands behind the colon and the options of the client become its settings.

use std::env::VarError;
use std::path::Path;

use super::escape::unescape;
use super::place::{with_port, without_user};
use super::tls::absolute;
use super::transport::named;
use super::{Endpoint, Transport};
use crate::exporters::http::{Auth, Compression, Secret, Settings};
use crate::exporters::words::one_of;

impl Endpoint<'_> {
    /// Takes the options that every endpoint over HTTP has, for one of these transports: the first one, where none is named.
    pub(super) fn settings(&mut self, transports: &[Transport]) -> Result<Settings, String> {
        let (url, user) = self.url(transports)?;
        let mut settings = Settings::new(&url)?;
        settings.auth = user.map(basic).transpose()?;
        for header in self.options.each("header") {
            let (name, value) = header.split_once(':').ok_or("`header=Name:value` is needed")?;
            // It is read once, when the program starts.
            settings.header(&unescape(name.trim())?, &secret(value.trim())?.read()?)?;
        }
        let token = |text: &str| if text.is_empty() { Err("it is empty".to_owned()) } else { secret(text) };
        if let Some(token) = self.options.read("token", token)? {
            settings.auth = Some(Auth::Bearer(token));
        }
        (settings.ca, settings.identity) = self.certificates()?;
        let compression = self.options.read("compression", |text| one_of(text, COMPRESSIONS))?;
        settings.compression = compression.unwrap_or_default();
        Ok(settings)
    }

    /// The URL, and who stands before its host.
    fn url(&self, transports: &[Transport]) -> Result<(String, Option<&str>), String> {
        let (_, scheme, port) = named(&self.scheme, transports, |(name, ..)| name)?;
        let place = self.rest.strip_prefix("//").unwrap_or(self.rest);
        if place.is_empty() {
            return Ok((format!("{scheme}://localhost:{port}"), None));
        }
        if !self.rest.starts_with("//") {
            return Err("`//` and a host are needed behind the colon".to_owned());
        }
        let port = if *scheme == "https" { 443 } else { *port };
        let (user, place) = without_user(place);
        Ok((format!("{scheme}://{}", with_port(place, port)), user))
    }
}

const COMPRESSIONS: &[(&str, Compression)] = &[
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("deflate", Compression::Deflate),
    #[cfg(feature = "zstd")]
    ("zstd", Compression::Zstd),
];

/// A user with a password (RFC 3986, 3.2.1).
fn basic(user: &str) -> Result<Auth, String> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    Ok(Auth::Basic { user: unescape(user)?, password: secret(password)? })
}

/// `$NAME` stands in the environment and `@FILE` in a file; all else is itself. What may be a secret that only begins like one of
/// them is not named.
fn secret(text: &str) -> Result<Secret, String> {
    if let Some(name) = text.strip_prefix('$') {
        let is_constant = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        return match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(Secret::Text(value)),
            Ok(_) => Err(format!("the variable `{name}` is empty")),
            Err(VarError::NotPresent) if is_constant => Err(format!("the variable `{name}` is not set")),
            Err(VarError::NotPresent) => Err(
                "`$NAME` in place of a secret, and no such variable is set (`%24` is a `$` of the secret)"
                    .to_owned(),
            ),
            Err(VarError::NotUnicode(_)) => Err(format!("the variable `{name}` is not UTF-8")),
        };
    }
    let Some(name) = text.strip_prefix('@') else { return Ok(Secret::Text(unescape(text)?)) };
    let name = unescape(name)?;
    let path = Path::new(&name);
    if !path.is_absolute() && !path.exists() {
        return Err(
            "`@FILE` in place of a secret, and there is no such file (`%40` is an `@` of the secret)"
                .to_owned(),
        );
    }
    Ok(Secret::File(absolute(path)?))
}
