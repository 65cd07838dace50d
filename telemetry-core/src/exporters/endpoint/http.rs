//! Endpoints over HTTP: what stands behind the colon and the options of the client become its settings.

use super::Endpoint;
use super::escape::unescape;
use crate::exporters::http::{Auth, Compression, Identity, Secret, Settings};
use crate::exporters::words::one_of;

impl Endpoint<'_> {
    /// Takes the options that every endpoint over HTTP has. `port` is where plain HTTP goes that names none.
    pub(super) fn settings(&mut self, port: u16) -> Result<Settings, String> {
        let mut settings = Settings::new(&self.url(port)?)?;
        for header in self.options.each("header") {
            let (name, value) = header.split_once(':').ok_or("`header=Name:value` is needed")?;
            // It is read once, when the program starts.
            settings.header(&unescape(name.trim())?, &secret(value.trim())?.read()?)?;
        }
        settings.auth = self.options.read("token", secret)?.map(Auth::Bearer);
        let path = |text: &str| unescape(text).map(Into::into);
        settings.ca = self.options.read("ca", path)?;
        settings.identity = match (self.options.read("cert", path)?, self.options.read("key", path)?) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            _ => return Err("`cert` and `key` belong together".to_owned()),
        };
        let compression = self.options.read("compression", |text| one_of(text, COMPRESSIONS))?;
        settings.compression = compression.unwrap_or_default();
        Ok(settings)
    }

    fn url(&self, port: u16) -> Result<String, String> {
        let transport = match self.scheme.split_once('+') {
            Some((_, transport)) => transport,
            None if self.scheme == "https" => "https",
            None => "http",
        };
        if !matches!(transport, "http" | "https") {
            return Err(format!("`{transport}` is no transport of it; `http` and `https` are"));
        }
        let place = self.rest.strip_prefix("//").unwrap_or(self.rest);
        if place.is_empty() {
            return Ok(format!("{transport}://localhost:{port}"));
        }
        if !self.rest.starts_with("//") {
            return Err("`//` and a host are needed behind the colon".to_owned());
        }
        // The authority is all up to the path, and its port stands behind the last colon that is in no brackets.
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        if has_port || transport == "https" {
            return Ok(format!("{transport}://{place}"));
        }
        Ok(format!("{transport}://{authority}:{port}{path}"))
    }
}

const COMPRESSIONS: &[(&str, Compression)] = &[
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    #[cfg(feature = "zstd")]
    ("zstd", Compression::Zstd),
];

/// `$NAME` stands in the environment and `@FILE` in a file; all else is itself.
fn secret(text: &str) -> Result<Secret, String> {
    if let Some(name) = text.strip_prefix('$') {
        let value = std::env::var(name).map_err(|_| format!("the variable `{name}` is not set"))?;
        return Ok(Secret::Text(value));
    }
    Ok(match text.strip_prefix('@') {
        Some(file) => Secret::File(unescape(file)?.into()),
        None => Secret::Text(unescape(text)?),
    })
}
