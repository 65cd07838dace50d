//! `export_endpoints`: a URL becomes an exporter.

use std::error::Error as StdError;

use super::Route;
use super::error::EndpointError;

/// The parts of an endpoint: `scheme:rest?key=value&key=value`.
#[derive(Debug)]
struct Endpoint<'a> {
    scheme: &'a str,
    rest: &'a str,
    options: Vec<(&'a str, &'a str)>,
}

impl<'a> Endpoint<'a> {
    fn parse(url: &'a str) -> Result<Self, String> {
        let missing = || {
            let is_scheme = SCHEMES.contains(&url.to_ascii_lowercase().as_str());
            if is_scheme {
                format!("a colon is missing: `{url}:`")
            } else {
                format!("a scheme is missing ({KNOWN})")
            }
        };
        let (scheme, rest) = url.split_once(':').ok_or_else(missing)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let option = |part: &'a str| {
            part.split_once('=').ok_or_else(|| format!("`{part}` in its query is no `key=value`"))
        };
        let options =
            query.split('&').filter(|part| !part.is_empty()).map(option).collect::<Result<_, _>>()?;
        Ok(Self { scheme, rest, options })
    }

    /// Takes an option that is a whole number above 0.
    #[cfg_attr(not(feature = "file"), expect(dead_code, reason = "no exporter here has such an option"))]
    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        let Some(at) = self.options.iter().position(|(k, _)| *k == key) else { return Ok(None) };
        let (_, text) = self.options.remove(at);
        match text.parse() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err(format!("`{key}={text}`: a whole number above 0 is needed")),
        }
    }

    fn no_more_options(&self) -> Result<(), String> {
        match self.options.first() {
            Some((key, _)) => Err(format!("`{}:` has no option `{key}`", self.scheme)),
            None => Ok(()),
        }
    }
}

const SCHEMES: [&str; 3] = ["console", "discard", "file"];
const KNOWN: &str = "known are `console:`, `console:stderr`, `discard:`, `file:DIR`";

/// What was made, or a reason with its cause.
type Made = Result<Route, (String, Option<Box<dyn StdError + Send + Sync>>)>;

/// Makes the exporter that a URL names. What it needs from the outside (a directory that can be written to)
/// is tried at once.
pub fn from_url(url: &str) -> Result<Route, EndpointError> {
    let url = url.trim();
    let endpoint = Endpoint::parse(url).map_err(|reason| (reason, None));
    endpoint.and_then(make).map_err(|(reason, source)| EndpointError::new(url, reason, source))
}

fn make(endpoint: Endpoint<'_>) -> Made {
    match endpoint.scheme.to_ascii_lowercase().as_str() {
        "discard" if !matches!(endpoint.rest, "" | "//") => {
            Err(("nothing may stand behind `discard:`".into(), None))
        }
        "discard" => {
            endpoint.no_more_options().map_err(|reason| (reason, None))?;
            Ok(super::Discard::new().into())
        }
        "console" => console(&endpoint),
        "file" => file(endpoint),
        other => Err((format!("`{other}` is no known scheme; {KNOWN}"), None)),
    }
}

#[cfg(feature = "console")]
fn console(endpoint: &Endpoint<'_>) -> Made {
    use super::{Console, Stream};
    endpoint.no_more_options().map_err(|reason| (reason, None))?;
    let stream = match endpoint.rest {
        "" | "//" | "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        other => return Err((format!("`{other}` is neither `stdout` nor `stderr`"), None)),
    };
    Ok(Console::new(stream).into())
}

#[cfg(not(feature = "console"))]
fn console(_: &Endpoint<'_>) -> Made {
    Err(("it needs the feature `console`".into(), None))
}

#[cfg(feature = "file")]
fn file(mut endpoint: Endpoint<'_>) -> Made {
    let plain = |reason| (reason, None);
    let directory = match endpoint.rest.strip_prefix("//") {
        Some(path) if !path.starts_with('/') => {
            return Err(plain("behind `file://` stands a host; write `file:DIR` or `file:///DIR`".into()));
        }
        Some(path) => path,
        None => endpoint.rest,
    };
    if directory.is_empty() {
        return Err(plain("a directory is missing: write `file:DIR`".into()));
    }
    let (bytes, keep) =
        (endpoint.number("rotate_bytes").map_err(plain)?, endpoint.number("keep").map_err(plain)?);
    endpoint.no_more_options().map_err(plain)?;
    let mut file =
        super::File::open(directory).map_err(|e| (super::File::refusal(directory, &e), Some(e.into())))?;
    if let Some(bytes) = bytes {
        file = file.rotate_bytes(bytes);
    }
    if let Some(keep) = keep {
        file = file.keep(usize::try_from(keep).unwrap_or(usize::MAX));
    }
    Ok(file.into())
}

#[cfg(not(feature = "file"))]
fn file(_: Endpoint<'_>) -> Made {
    Err(("it needs the feature `file`".into(), None))
}

#[cfg(all(test, feature = "console", feature = "file"))]
mod tests {
    use super::*;
    use crate::exporters::Target;

    fn refusal(url: &str) -> String {
        from_url(url).map(drop).expect_err(url).to_string()
    }

    #[test]
    fn schemes_pick_exporters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        for (url, name) in [
            ("discard:".to_owned(), "discard"),
            (" console: ".to_owned(), "console"),
            ("console:stderr".to_owned(), "console"),
            (format!("file:{path}"), "file"),
            (format!("file://{path}?rotate_bytes=1000&keep=2"), "file"),
        ] {
            let Target::Blocking(exporter) = from_url(&url).unwrap().target else { panic!("{url}") };
            assert_eq!(exporter.name(), name, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_named() {
        for (url, named) in [
            ("", "scheme is missing"),
            ("Console", "a colon is missing: `Console:`"),
            ("kafka://x", "`kafka` is no known scheme"),
            ("console:stdlog", "`stdlog` is neither"),
            ("discard:?a=b", "no option `a`"),
            ("discard:all", "nothing may stand behind"),
            ("file:", "directory is missing"),
            ("file://host/dir", "stands a host"),
            ("file:/tmp?keep=none", "`keep=none`"),
            ("file:/tmp?keep", "`keep` in its query"),
            ("file:/dev/null/x", "`/dev/null/x` can't be written to"),
        ] {
            let said = refusal(url);
            assert!(said.contains(named) && said.contains(url), "{said}");
        }
    }
}
