//! `statsd:`: what stands behind the colon and the options become an exporter.

use super::super::scheme::{Scheme, row};
use super::super::{options, socket, tls};
use super::{Endpoint, Made};
use crate::exporters::endpoint::plain;
use crate::exporters::socket::{Connection, Transport};
use crate::exporters::statsd::{Dialect, Form, Statsd, TagsInName, Type};
use crate::exporters::words::{above_0, one_of};
use crate::exporters::{Route, Terms};

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["statsd"],
    urls: &[(
        "`statsd://HOST:8125`, `statsd+unix:///run/x.sock`, `statsd+tcp://HOST`",
        "packets or lines for StatsD, for Datadog's agent or with Graphite's tags (feature `statsd`); `statsd:` is `statsd://localhost:8125`",
    )],
    examples: &["statsd://localhost:8125", "statsd://localhost:8125?dialect=datadog", "statsd+tls://localhost:8125"],
    own: &[
        row("dialect", "`plain`", "datadog", "`plain`, `datadog` or `graphite`"),
        row("prefix", "none", "shop", "stands before each name, with a dot between them"),
        row("tags_in_name", "`all`", "own", "of `plain`, which tags are a part of the name: `all`, `own` (without the global ones) or `none`"),
        row("timers", "`ms`", "d", "the type of histograms of times: `ms`, `h` or `d`; the last two have the value as it was recorded"),
        row("histograms", "`ms`; `d` of `datadog`", "h", "the type of the others: `ms`, `h` or `d`. Etsy's server takes `h` and `d` for counters"),
        row("samples", "`50`; `buckets` of `datadog`", "9", "about so many lines for a histogram; `buckets` is one for each bucket"),
        row("timestamps", "`false`", "true&dialect=datadog", "of `datadog`, what is `c` and `g` has its time"),
    ],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS, &socket::PACKETS, &tls::TABLE],
    text: "\
`statsd` sends counters as what was counted since the last export (`c`), gauges and up-down counters as gauges (`g`), and histograms as
values with the rate at which they were taken, times in milliseconds (`timers`, `histograms`, `samples`). Tags are tags with the dialects
`datadog` and `graphite`; the plain one has none, and there they are parts of the name: `shop.orders.till.north` (`tags_in_name`).

Its transports are `udp`, `tcp`, `tls`, `unix` and `unixgram` (datagrams), and `unixstream`. Nothing acknowledges anything on that wire:
\"delivered\" means that the kernel took it.
",
};

/// The words of Datadog's clients for Unix sockets are `unixgram` and `unixstream`; `unix` is the usual one of the two.
const TRANSPORTS: &[(&str, Transport)] = &[
    ("udp", Transport::Udp),
    ("tcp", Transport::Tcp),
    ("tls", Transport::Tls),
    ("unix", Transport::UnixDatagram),
    ("unixgram", Transport::UnixDatagram),
    ("unixstream", Transport::Unix),
];
const PORT: u16 = 8125;

const DIALECTS: &[(&str, Dialect)] =
    &[("plain", Dialect::Plain), ("datadog", Dialect::Datadog), ("graphite", Dialect::Graphite)];
const TYPES: &[(&str, Type)] = &[("ms", Type::Ms), ("h", Type::H), ("d", Type::D)];
const TAGS_IN_NAME: &[(&str, TagsInName)] =
    &[("all", TagsInName::All), ("own", TagsInName::Own), ("none", TagsInName::None)];

pub(super) fn make(mut endpoint: Endpoint<'_>, _: &Terms) -> Made {
    let settings = endpoint.socket(TRANSPORTS, PORT).map_err(plain)?;
    let form = form(&mut endpoint).map_err(plain)?;
    endpoint.end()?;
    let is_framed = form.dialect == Dialect::Datadog && endpoint.scheme.ends_with("+unixstream");
    let connection = Connection::new(settings).map_err(plain)?;
    Ok(Route::over(Statsd::new(form, connection, is_framed)))
}

fn form(endpoint: &mut Endpoint<'_>) -> Result<Form, String> {
    let options = &mut endpoint.options;
    let dialect = options.read("dialect", |text| one_of(text, DIALECTS))?.unwrap_or_default();
    let mut form = Form::of(dialect);
    if let Some(prefixed) = options.read("prefix", |text| form.clone().prefixed(text))? {
        form = prefixed;
    }
    if let Some(which) = options.read("tags_in_name", |text| one_of(text, TAGS_IN_NAME))? {
        if dialect != Dialect::Plain {
            return Err("`tags_in_name` is for `dialect=plain`: the others have a place for tags".to_owned());
        }
        form.tags_in_name = which;
    }
    form.timers = options.read("timers", |text| one_of(text, TYPES))?.unwrap_or(form.timers);
    form.histograms = options.read("histograms", |text| one_of(text, TYPES))?.unwrap_or(form.histograms);
    form.samples = options.read("samples", samples)?.unwrap_or(form.samples);
    let has_times = options.flag("timestamps")?;
    form.has_times = has_times.unwrap_or(false);
    if form.has_times && dialect != Dialect::Datadog {
        return Err("`timestamps` is for `dialect=datadog`: the others have none".to_owned());
    }
    Ok(form)
}

fn samples(text: &str) -> Result<Option<u64>, String> {
    if text.eq_ignore_ascii_case("buckets") {
        return Ok(None);
    }
    let number = above_0(text).ok().filter(|samples| *samples <= MOST_SAMPLES);
    number.map(Some).ok_or_else(|| format!("a number from 1 to {MOST_SAMPLES} or `buckets` is needed"))
}

/// More say nothing that a bucket knows.
const MOST_SAMPLES: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(url: &str) -> Result<Form, String> {
        let mut endpoint = Endpoint::parse(url)?;
        endpoint.socket(TRANSPORTS, PORT)?;
        let form = form(&mut endpoint)?;
        endpoint.end().map_err(|(reason, _)| reason)?;
        Ok(form)
    }

    #[test]
    fn options_are_a_form() {
        let plain = form_of("statsd:").unwrap();
        assert_eq!((plain.dialect, plain.histograms, plain.samples), (Dialect::Plain, Type::Ms, Some(50)));
        let url =
            "statsd+unix:///run/dsd.socket?dialect=datadog&prefix=shop&timers=d&samples=9&timestamps=true";
        let datadog = form_of(url).unwrap();
        assert_eq!((datadog.timers, datadog.histograms, datadog.samples), (Type::D, Type::D, Some(9)));
        assert_eq!((&*datadog.prefix, datadog.has_times), ("shop.", true));
        let graphite = form_of("statsd+tcp://h:1?dialect=graphite&samples=buckets&prefix=a-b.c.").unwrap();
        assert_eq!((&*graphite.prefix, graphite.samples), ("a-b.c.", None));
        assert_eq!(form_of("statsd:?tags_in_name=own").unwrap().tags_in_name, TagsInName::Own);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, said) in [
            ("statsd:?dialect=etsy", "`dialect=etsy`: one of plain, datadog, graphite is needed"),
            ("statsd:?histograms=x", "`histograms=x`: one of ms, h, d is needed"),
            ("statsd:?samples=0", "`samples=0`: a number from 1 to 10000 or `buckets` is needed"),
            ("statsd:?samples=10001", "`samples=10001`: a number from 1 to 10000 or `buckets` is needed"),
            ("statsd:?prefix=a:b", "`prefix=a:b`: `:` can't be in a name"),
            ("statsd:?prefix=.", "`prefix=.`: names with dots between them are needed"),
            ("statsd:?prefix=a..b", "`prefix=a..b`: names with dots between them are needed"),
            ("statsd:?prefix=.a", "`prefix=.a`: names with dots between them are needed"),
            ("statsd:?prefix=a..", "`prefix=a..`: names with dots between them are needed"),
            ("statsd:?dialect=datadog&prefix=a-b", "`prefix=a-b`: `-` can't be in a name"),
            ("statsd:?dialect=datadog&prefix=1", "`prefix=1`: a letter is needed at its beginning"),
            ("statsd:?timestamps=true", "`timestamps` is for `dialect=datadog`: the others have none"),
            (
                "statsd:?dialect=graphite&tags_in_name=all",
                "`tags_in_name` is for `dialect=plain`: the others have a place for tags",
            ),
        ] {
            assert_eq!(form_of(url).unwrap_err(), said, "{url}");
        }
    }
}
