//! `export_endpoints`: a URL becomes an exporter.

use std::error::Error as StdError;
use std::time::Duration;

use super::error::EndpointError;
use super::filter::Filter;
use super::route::{HostTag, Route, Terms};
use super::signal::Signal;
use crate::model::Temporality;

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

    /// Takes an option.
    fn option(&mut self, key: &str) -> Option<&'a str> {
        let at = self.options.iter().position(|(k, _)| *k == key)?;
        Some(self.options.remove(at).1)
    }

    /// Takes an option that is a whole number above 0.
    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.option(key) else { return Ok(None) };
        match text.parse() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err(format!("`{key}={text}`: a whole number above 0 is needed")),
        }
    }

    /// Takes an option that is a time in milliseconds.
    fn millis(&mut self, key: &str) -> Result<Option<Duration>, String> {
        Ok(self.number(key)?.map(Duration::from_millis))
    }

    /// Takes an option whose parts, between commas, are each one of a few words.
    fn words<T>(
        &mut self,
        key: &str,
        needed: &str,
        word: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Vec<T>>, String> {
        let Some(text) = self.option(key) else { return Ok(None) };
        let words = text.split(',').map(|part| word(part.trim()));
        words.collect::<Option<Vec<T>>>().map(Some).ok_or_else(|| format!("`{key}={text}`: {needed}"))
    }

    /// Takes the options that every endpoint has, and does to a route what they say.
    fn terms(&mut self) -> Result<Terms, String> {
        let mut terms = Terms::default();
        let mut filter = Filter::new();
        const LEVELS: &str = "of error, warn, info, debug, trace is needed";
        if let Some(levels) = self.words("min_level", &format!("one {LEVELS}"), |text| text.parse().ok())? {
            filter = levels.into_iter().fold(filter, Filter::min_level);
        }
        if let Some(levels) = self.words("levels", &format!("a list {LEVELS}"), |text| text.parse().ok())? {
            filter = filter.levels(levels);
        }
        let signal = |text: &str| Signal::EACH.into_iter().find(|signal| signal.name() == text);
        if let Some(signals) = self.words("signals", "a list of spans, events, metrics is needed", signal)? {
            filter = filter.signals(signals);
        }
        let pattern = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        if let Some(names) = self.words("names", "a list of patterns is needed", pattern)? {
            filter = filter.names(names);
        }
        let tag = |text: &str| text.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
        if let Some(tags) = self.words("tags", "a list of `key:pattern` is needed", tag)? {
            filter = tags.into_iter().fold(filter, |filter, (key, value)| filter.tag(key, value));
        }
        terms.filter = filter;
        if let Some(text) = self.option("rate") {
            let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
            terms.rate = Some(rate.ok_or_else(|| format!("`rate={text}`: a number above 0 is needed"))?);
        }
        terms.in_flight = self.number("in_flight")?.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        terms.timeout = self.millis("timeout_ms")?.unwrap_or(terms.timeout);
        terms.give_up_after = self.millis("give_up_after_ms")?.unwrap_or(terms.give_up_after);
        terms.linger = self.millis("linger_ms")?.unwrap_or(terms.linger);
        terms.flush_interval = self.millis("flush_interval_ms")?;
        terms.back_pressure = self.millis("back_pressure_ms")?;
        terms.host_tag = match self.option("host_tag") {
            None | Some("off") => HostTag::Off,
            Some("auto") => HostTag::Auto,
            Some("") => return Err("`host_tag=`: `auto`, `off` or a name is needed".to_owned()),
            Some(name) => HostTag::Named(name.to_owned().into()),
        };
        terms.temporality = match self.option("temporality") {
            None => None,
            Some("cumulative") => Some(Temporality::Cumulative),
            Some("delta") => Some(Temporality::Delta),
            Some(text) => return Err(format!("`temporality={text}`: `cumulative` or `delta` is needed")),
        };
        Ok(terms)
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
///
/// | URL | exporter |
/// | --- | --- |
/// | `console:`, `console:stderr` | [`Console`](super::Console) |
/// | `file:DIR?rotate_bytes=67108864&keep=4` | [`File`](super::File) |
/// | `discard:` | [`Discard`](super::Discard) |
///
/// Every endpoint takes these options too:
///
/// | option | what, and where it is said in code |
/// | --- | --- |
/// | `min_level=warn` | this level and more severe: [`Filter::min_level`] |
/// | `levels=info,warn` | these levels: [`Filter::levels`] |
/// | `signals=spans,metrics` | these signals: [`Filter::signals`] |
/// | `names=shop.*,http.*` | names like these: [`Filter::names`] |
/// | `tags=env:prod*` | with these tags: [`Filter::tag`] |
/// | `rate=100` | items a second: [`Route::rate_limit`] |
/// | `in_flight=4`, `timeout_ms=10000` | requests over a network: [`Route::in_flight`], [`Route::timeout`] |
/// | `give_up_after_ms=300000` | [`Route::give_up_after`] |
/// | `linger_ms=50` | [`Route::linger`] |
/// | `flush_interval_ms=60000` | metrics that often: [`Route::flush_interval`] |
/// | `back_pressure_ms=1000` | [`Route::back_pressure`] |
/// | `host_tag=auto`, `host_tag=NAME`, `host_tag=off` | [`Route::host_tag`] |
/// | `temporality=delta` | [`Route::temporality`] |
pub fn from_url(url: &str) -> Result<Route, EndpointError> {
    let url = url.trim();
    let made = Endpoint::parse(url).and_then(|mut endpoint| Ok((endpoint.terms()?, endpoint)));
    let made = made.map_err(|reason| (reason, None));
    made.and_then(|(terms, endpoint)| Ok(Route { terms, ..make(endpoint)? }))
        .map_err(|(reason, source)| EndpointError::new(url, reason, source))
}

/// The URLs of a list with commas between them. Options may be lists too: behind a `?`, what does not begin with a known
/// scheme belongs to the URL before.
pub(crate) fn split_urls(list: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    let is_known = |part: &str| {
        let scheme = part.split([':', '+']).next().unwrap_or_default();
        part.len() > scheme.len() && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
    };
    for part in list.split(',') {
        match urls.last_mut().filter(|last| last.contains('?') && !is_known(part.trim())) {
            Some(last) => {
                last.push(',');
                last.push_str(part.trim());
            }
            None => urls.push(part.trim().to_owned()),
        }
    }
    urls.retain(|url| !url.is_empty());
    urls.iter_mut().for_each(|url| url.truncate(url.trim_end_matches(',').len()));
    urls
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
    fn lists_of_urls_have_options_that_are_lists() {
        let list = "console:?levels=info,warn&tags=env:prod,region:eu , file:x,, discard:?names=a,b,";
        let want = ["console:?levels=info,warn&tags=env:prod,region:eu", "file:x", "discard:?names=a,b"];
        assert_eq!(split_urls(list), want);
        assert_eq!(split_urls("console:, kafka://x"), ["console:", "kafka://x"]);
    }

    #[test]
    fn options_of_every_endpoint_are_terms_of_its_route() {
        let url = "discard:?min_level=info&levels=info,warn&signals=metrics&names=a.*,b&tags=env:prod&rate=2.5\
                   &in_flight=3&timeout_ms=100&give_up_after_ms=200&linger_ms=7&flush_interval_ms=300\
                   &back_pressure_ms=400&host_tag=auto&temporality=delta";
        let terms = from_url(url).unwrap().terms;
        assert!(!terms.filter.takes_signal(Signal::Spans) && terms.filter.has_levels());
        let millis = |n| Some(Duration::from_millis(n));
        assert_eq!((terms.rate, terms.in_flight, Some(terms.timeout)), (Some(2.5), Some(3), millis(100)));
        assert_eq!((Some(terms.give_up_after), Some(terms.linger)), (millis(200), millis(7)));
        assert_eq!((terms.flush_interval, terms.back_pressure), (millis(300), millis(400)));
        assert_eq!((terms.host_tag, terms.temporality), (HostTag::Auto, Some(Temporality::Delta)));
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
            ("discard:?min_level=loud", "one of error, warn"),
            ("discard:?levels=info,loud", "a list of error, warn"),
            ("discard:?signals=logs", "a list of spans, events, metrics"),
            ("discard:?tags=env", "`key:pattern`"),
            ("discard:?rate=-1", "`rate=-1`: a number above 0"),
            ("discard:?timeout_ms=1s", "`timeout_ms=1s`: a whole number"),
            ("discard:?host_tag=", "`auto`, `off` or a name"),
            ("discard:?temporality=both", "`cumulative` or `delta`"),
        ] {
            let said = refusal(url);
            assert!(said.contains(named) && said.contains(url), "{said}");
        }
    }
}
