//! `opentsdb:`: what stands behind the colon and the options become an exporter.

use std::time::Duration;

use super::super::scheme::{Scheme, row};
use super::super::{HTTPS, TOKEN, Transport, http, options, plain, tls, without_user};
use super::{Endpoint, Made};
use crate::exporters::http::{Auth, Client, Secret};
use crate::exporters::opentsdb::{Characters, Form, Histograms, OpenTsdb, Style};
use crate::exporters::socket::{self, Connection};
use crate::exporters::words::one_of;
use crate::exporters::{HostTag, Route, Terms};

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["opentsdb"],
    urls: &[
        (
            "`opentsdb://HOST:4242`, `opentsdb+tls://HOST:4242`, `opentsdb+unix:///run/tsd.sock`",
            "lines of `put` for OpenTSDB and what takes the same (feature `opentsdb`); `opentsdb:` is `opentsdb://localhost:4242`",
        ),
        ("`opentsdb+http://HOST:4242`, `opentsdb+https://HOST`", "`POST /api/put?details`, below the path of the URL: Apptuit's too"),
    ],
    examples: &["opentsdb://localhost:4242", "opentsdb+tls://localhost:4242", "opentsdb+http://localhost:4242"],
    own: &[
        row("precision", "`s`", "ms", "of timestamps: `s` or `ms`"),
        row(
            "characters",
            "`ascii`",
            "unicode",
            "what names, keys and values of tags may hold; each other character becomes `_`. `ascii`: `A-Z a-z 0-9 - _ . /`; `unicode`: the letters of all scripts up to U+FFFF too, as OpenTSDB takes them over HTTP (its telnet reads ASCII, others read UTF-8); `any`, over HTTP: values as they are, as Apptuit and VictoriaMetrics take them",
        ),
        row(
            "histograms",
            "`summary`",
            "buckets",
            "`summary`: `NAME.count`, `.sum`, `.min`, `.max`, `.p50`, `.p90`, `.p95` and `.p99`; `buckets`: `NAME.count`, `.sum` and `NAME.bucket`, the values up to the bound in the tag `le`",
        ),
        row(
            "max_tags",
            "no limit",
            "8",
            "so many tags a point (`tsd.storage.max_tags`): its own, then `host`, then other global ones; a point with more of its own is refused, and the tag `le` of buckets counts",
        ),
        row("max_bytes", "1 MiB; 512 KiB over HTTP", "8000", "of a request, before it is compressed"),
        row("max_line", "`1024`", "4096", "not over HTTP: a point with a longer line is refused, as OpenTSDB closes the connection then"),
        row("answer_ms", "`100`", "0", "not over HTTP: so long after each request the server's error lines are waited for: less than `timeout_ms`"),
        row("sync", "`false`", "true", "over HTTP: OpenTSDB answers when the points are stored, not when they are understood"),
    ],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS, &http::CLIENT, &http::BEARER, &tls::TABLE],
    text: "\
`opentsdb` adds a tag `host` where `host_tag` says nothing else. Where its URL has no user, no `token` and no header `authorization`, the
token is `TELEMETRY_TOKEN`: over HTTPS, and over HTTP to this machine alone, as anybody on the way could read it elsewhere. Over telnet
nobody acknowledges anything: \"delivered\" means that the kernel took it, less the error lines that came back. Each of these counts as
one item that was refused, even where several of them are about the lines of one histogram. OpenTSDB keeps one value
of a series for each time: where flushes may be less than a second apart, `precision=ms` keeps both.
",
};

const PORT: u16 = 4242;
const SOCKETS: &[(&str, socket::Transport)] =
    &[("tcp", socket::Transport::Tcp), ("tls", socket::Transport::Tls), ("unix", socket::Transport::Unix)];
const HTTP: &[Transport] = &[("http", "http", PORT), HTTPS];

const PRECISIONS: &[(&str, bool)] = &[("s", false), ("ms", true)];
const HISTOGRAMS: &[(&str, Histograms)] =
    &[("summary", Histograms::Summary), ("buckets", Histograms::Buckets)];
const CHARACTERS: &[(&str, Characters)] =
    &[("ascii", Characters::Ascii), ("unicode", Characters::Unicode), ("any", Characters::Any)];

/// A host that takes nothing without a token.
const APPTUIT: &str = "apptuit.ai";

pub(super) fn make(mut endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    let made = exporter(&mut endpoint, terms).map_err(plain)?;
    endpoint.end()?;
    // A point needs a tag, and those of many machines would be one.
    Ok(Route::over(made).host_tag(HostTag::Auto))
}

fn exporter(endpoint: &mut Endpoint<'_>, terms: &Terms) -> Result<OpenTsdb, String> {
    let transport = endpoint.scheme.split_once('+').map_or("tcp", |(_, transport)| transport);
    let exporter = if HTTP.iter().any(|(name, ..)| *name == transport) {
        over_http(endpoint)?
    } else if SOCKETS.iter().any(|(name, _)| *name == transport) {
        over_telnet(endpoint, terms.timeout)?
    } else {
        let known = SOCKETS.iter().map(|(name, _)| *name).chain(HTTP.iter().map(|(name, ..)| *name));
        let known: Vec<_> = known.collect();
        return Err(format!("`{transport}` is no transport of it; its transports are {}", known.join(", ")));
    };
    Ok(match endpoint.options.count("max_bytes")? {
        Some(most) => exporter.max_bytes(most),
        None => exporter,
    })
}

fn over_telnet(endpoint: &mut Endpoint<'_>, timeout: Duration) -> Result<OpenTsdb, String> {
    let connection = Connection::new(endpoint.socket(SOCKETS, PORT)?)?;
    let max_line = endpoint.options.count("max_line")?.unwrap_or(Form::MAX_LINE);
    let style = style(endpoint, Form::Lines { max_line }, &CHARACTERS[..2])?;
    let millis = |text: &str| text.parse().map_err(|_| "a whole number is needed".to_owned());
    let answer_time = Duration::from_millis(endpoint.options.read("answer_ms", millis)?.unwrap_or(100));
    if answer_time >= timeout {
        return Err(format!(
            "`answer_ms` ({}) is not below `timeout_ms` ({}): no request would end in time",
            answer_time.as_millis(),
            timeout.as_millis()
        ));
    }
    Ok(OpenTsdb::over_telnet(connection, answer_time, style))
}

fn over_http(endpoint: &mut Endpoint<'_>) -> Result<OpenTsdb, String> {
    let mut settings = endpoint.settings(HTTP)?;
    if settings.auth.is_none() && !settings.has_credentials() {
        let reads_env = endpoint.reads_env && settings.keeps_secrets();
        let named = if reads_env { std::env::var_os(TOKEN) } else { None };
        let named = named.map(|token| token.into_string().map_err(|_| format!("`{TOKEN}` is not UTF-8")));
        let token = token(named.transpose()?, endpoint.rest)?;
        settings.auth = token.map(|token| Auth::Bearer(Secret::Text(token)));
    }
    let is_sync = endpoint.options.flag("sync")?.unwrap_or(false);
    settings.query("details", None);
    if is_sync {
        settings.query("sync", None);
    }
    settings.retry_server_errors = true;
    let style = style(endpoint, Form::Json, CHARACTERS)?;
    Ok(OpenTsdb::over_http(Client::new(settings)?, style))
}

fn style(
    endpoint: &mut Endpoint<'_>,
    form: Form,
    characters: &[(&str, Characters)],
) -> Result<Style, String> {
    let options = &mut endpoint.options;
    let style = Style::new(form);
    let style = Style {
        is_millis: options.read("precision", |text| one_of(text, PRECISIONS))?.unwrap_or(style.is_millis),
        characters: options.read("characters", |text| one_of(text, characters))?.unwrap_or(style.characters),
        histograms: options.read("histograms", |text| one_of(text, HISTOGRAMS))?.unwrap_or(style.histograms),
        max_tags: options.count("max_tags")?.unwrap_or(style.max_tags),
        ..style
    };
    if style.max_tags < 2 && style.histograms == Histograms::Buckets {
        return Err(
            "`histograms=buckets` needs a `max_tags` above 1: each bucket has `le` beside another tag"
                .to_owned(),
        );
    }
    Ok(style)
}

/// The token that the environment has, for what stands behind the colon and has none of its own.
fn token(named: Option<String>, rest: &str) -> Result<Option<String>, String> {
    let token = named.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    let (_, place) = without_user(rest.trim_start_matches('/'));
    let host = place.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let needs_one =
        host.strip_suffix(APPTUIT).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    if needs_one && token.is_none() {
        return Err(format!("it needs a token: `token=` in its URL, or the variable `{TOKEN}` (over HTTPS)"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::super::super::from_url;
    use super::*;
    use crate::exporters::{Driver, Target};

    fn refusal(url: &str) -> String {
        from_url(url).map(drop).expect_err(url).to_string()
    }

    #[test]
    fn urls_name_an_exporter_with_a_host_tag() {
        for url in [
            "opentsdb:",
            "opentsdb://db",
            "OpenTSDB+TLS://db:4243",
            #[cfg(unix)]
            "opentsdb+unix:///run/tsd.sock",
            "opentsdb://db?precision=ms&characters=unicode&histograms=buckets&max_tags=8&max_line=4096&answer_ms=0",
            "opentsdb+http:",
            "opentsdb+http://db?precision=s&characters=any&sync=true&compression=deflate&max_bytes=8000&token=secret",
            "opentsdb+https://user:secret@db/tsd",
            "opentsdb+https://api.apptuit.ai?token=secret",
            "opentsdb+https://api.apptuit.ai?header=authorization:Bearer secret",
            "opentsdb:?max_line=18446744073709551615&max_tags=2&histograms=buckets&answer_ms=499&timeout_ms=500",
        ] {
            let route = from_url(url).unwrap();
            assert_eq!(route.terms.host_tag, HostTag::Auto, "{url}");
            let Target::Pushed(Driver::Network(protocol)) = route.target else { panic!("{url}") };
            assert_eq!(protocol.name(), "opentsdb");
        }
        for (option, want) in [
            ("host_tag=off", HostTag::Off),
            ("host_tag=till", HostTag::Named("till".into())),
            ("host_tag=auto", HostTag::Auto),
        ] {
            assert_eq!(from_url(&format!("opentsdb:?{option}")).unwrap().terms.host_tag, want);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, said) in [
            (
                "opentsdb+udp://db",
                "`udp` is no transport of it; its transports are tcp, tls, unix, http, https",
            ),
            ("opentsdb:?precision=us", "`precision=us`: one of s, ms is needed"),
            ("opentsdb:?characters=any", "`characters=any`: one of ascii, unicode is needed"),
            ("opentsdb:?histograms=no", "`histograms=no`: one of summary, buckets is needed"),
            ("opentsdb:?max_tags=0", "`max_tags=0`: a whole number above 0 is needed"),
            ("opentsdb:?answer_ms=-1", "`answer_ms=-1`: a whole number is needed"),
            (
                "opentsdb:?answer_ms=500&timeout_ms=500",
                "`answer_ms` (500) is not below `timeout_ms` (500): no request would end in time",
            ),
            ("opentsdb:?answer_ms=10000", "is not below `timeout_ms` (10000)"),
            ("opentsdb:?histograms=buckets&max_tags=1", "`histograms=buckets` needs a `max_tags` above 1"),
            ("opentsdb:?sync=true", "has no option `sync`"),
            ("opentsdb:?token=secret", "has no option `token`"),
            ("opentsdb+http:?max_line=1", "has no option `max_line`"),
            ("opentsdb+http:?sync=yes", "`sync=yes`: one of true, false is needed"),
            ("opentsdb+http:?compression=br", "one of none, gzip, deflate"),
        ] {
            let refusal = refusal(url);
            assert!(refusal.contains(said) && !refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn a_token_comes_from_the_environment_where_the_url_has_none() {
        let of = |named: &str, rest: &str| token(Some(named.to_owned()), rest);
        assert_eq!(of(" abc ", "//db"), Ok(Some("abc".to_owned())));
        assert_eq!(of(" ", "//db"), Ok(None));
        assert_eq!(token(None, ""), Ok(None));
        assert_eq!(token(None, "//notapptuit.ai"), Ok(None));
        assert_eq!(of("abc", "//api.apptuit.ai"), Ok(Some("abc".to_owned())));
        for rest in ["//api.apptuit.ai", "//Apptuit.AI:443/tenant", "//api.apptuit.ai/"] {
            let said = token(None, rest).unwrap_err();
            assert_eq!(
                said,
                "it needs a token: `token=` in its URL, or the variable `TELEMETRY_TOKEN` (over HTTPS)"
            );
        }
    }
}
