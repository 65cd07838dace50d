//! Endpoints over HTTP: what stands behind the colon and the options of the client become its settings. `http:` and `https:` are
//! nothing but that.

use std::env::VarError;
use std::path::Path;

use super::escape::unescape;
use super::place::{with_port, without_user};
use super::scheme::{Scheme, Table, row};
use super::tls::absolute;
use super::transport::named;
use super::{Endpoint, Made, Transport, options, plain, tls};
use crate::exporters::Route;
use crate::exporters::http::{Auth, Compression, Secret, Settings};
use crate::exporters::json_batches::JsonBatches;
use crate::exporters::words::one_of;

pub(super) const SCHEME: Scheme = Scheme {
    names: &["http", "https"],
    urls: &[(
        "`http://HOST:80/PATH`, `https://HOST/PATH`",
        "batches as JSON, posted to any endpoint (feature `http-exporter`)",
    )],
    examples: &["http://localhost:8080/in"],
    own: &[],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS, &CLIENT, &BEARER, &tls::TABLE],
    text: "\
What `http` and `https` post is one JSON object a request, of about 1 MiB at most:

```json
{\"signal\": \"spans\", \"resource\": {\"service.name\": \"shop\", \"process.pid\": 7}, \"items\": [{\"name\": \"pay\"}]}
```

| name | what |
| --- | --- |
| `signal` | `spans`, `events` or `metrics` |
| `resource` | the attributes of the resource: the global tags, and what was found out about where the program runs |
| `items` | one at least, as [`File`](super::File) documents them: what it writes into a line is an item here |

Any 2xx says that all items were taken. What is tried again (408, 429 and 5xx but 501 and 505, after `Retry-After`; 413 in
smaller pieces) may arrive twice where an answer is lost. The check at the start is a `HEAD`: any answer is good. The URL can't
have a query of its own.
",
};

/// What every endpoint over HTTP and gRPC takes.
pub(super) const CLIENT: Table = Table {
    endpoints: "over HTTP and gRPC",
    rows: &[
        row("compression", "`none`", "gzip", "`none`, `gzip`; all but `influxdb` also `deflate` (zlib) and `zstd` (feature `zstd`), which few receivers read"),
        row("header", "none", "x-tenant:shop", "`Name:value`, a header of each request; more than once too"),
    ],
    text: "\
In place of a password, a token or a header's value, `$NAME` is the variable of that name and `@FILE` what stands in that file; a
file with a password or a token is read again for each request; a variable that is not set or empty and a file that is not there
are refused. A secret that begins with one of the two signs has `%24` or `%40` in its place; before a host a slash in a path is
written `%2F`. No secret is ever printed; the path of its file is.
",
};

/// What these endpoints take that have a choice how they say who they are.
pub(super) const BEARER: Table = Table {
    endpoints: "over HTTP and gRPC, all but `librato`",
    rows: &[row(
        "token",
        "none",
        "@/etc/telemetry/token",
        "`Authorization: Bearer TEXT`, of `influxdb` with `bucket` `Token TEXT`; a user and a password in the URL are basic authentication",
    )],
    text: "",
};

/// One of the two schemes.
pub(super) fn make(mut endpoint: Endpoint<'_>, transport: Transport) -> Made {
    if matches!(endpoint.rest, "" | "//") {
        return Err(plain("`//` and a host are needed behind the colon"));
    }
    let settings = endpoint.settings(&[transport]).map_err(plain)?;
    endpoint.end()?;
    Ok(Route::over(JsonBatches::new(settings).map_err(plain)?))
}

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
        if self.options.is_declared("token")
            && let Some(token) = self.options.read("token", token)?
        {
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
