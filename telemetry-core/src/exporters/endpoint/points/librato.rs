//! `librato:`: what stands behind the colon and the options become an exporter.

use super::super::escape::unescape;
use super::super::scheme::{Scheme, row};
use super::super::{HTTP, HTTPS, http, options, plain, tls};
use super::{Endpoint, Made};
use crate::exporters::http::{Auth, Secret};
use crate::exporters::librato::{Librato, Writer};
use crate::exporters::{Route, Terms};

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["librato"],
    urls: &[(
        "`librato://USER:TOKEN@metrics-api.librato.com`, `librato+http://..`",
        "gauges for Librato's API of metrics with sources, or for what speaks it (feature `librato`)",
    )],
    examples: &["librato://ops%40example.com:TOKEN@metrics-api.librato.com"],
    own: &[
        row("source_tag", "`source`", "host&host_tag=auto", "the tag whose value is the source; `service.name` is it where there is no such tag"),
        row("name_tags", "none", "queue,route", "the values of these tags are put behind the metric's name, so that they tell measurements apart"),
        row("quantiles", "`true`", "false", "whether histograms have gauges for their quantiles beside them"),
    ],
    shared: &[&options::ANY, &options::PUSHED, &http::CLIENT, &tls::TABLE],
    text: "\
`librato` posts to `/v1/metrics` at that host. User and token stand before it; the `@` of a user who is an address is written `%40`.
Counters are what was counted since the last request, by source and name, at the time when they were read; gauges keep the time when
they were set; histograms are gauges of several samples, with gauges for their quantiles (`NAME.p99`). A measurement has a
name, a source and a second, and no other tags: sums that differ in other tags alone are added up, histograms are merged, and of gauges
`count`, `sum`, `min` and `max` are sent. Names and sources have at most 255 characters of `A-Za-z0-9.:-_`, others become `_`; a request
has at most 300 measurements. Librato's endpoint stores doubles: whole numbers above 2^53 are rounded there.

Librato keeps one measurement of a metric and a source in a second: what a later request says of the same second takes the place of what
was there. So flushes less than a second apart lose counts there, as do several processes with one source; what has one name goes into
one request, unless it is too much for one, and `max_items` is no option of `librato`.
",
};

pub(super) fn make(mut endpoint: Endpoint<'_>, _: &Terms) -> Made {
    let librato = librato(&mut endpoint).map_err(plain)?;
    endpoint.end()?;
    Ok(Route::over(librato))
}

fn librato(endpoint: &mut Endpoint<'_>) -> Result<Librato, String> {
    if matches!(endpoint.rest, "" | "//") {
        return Err("a user, a token and a host are needed: `librato://USER:TOKEN@metrics-api.librato.com`"
            .to_owned());
    }
    let settings = endpoint.settings(&[HTTPS, HTTP])?;
    match &settings.auth {
        None => {
            return Err(
                "a user and a token are needed before the host: `librato://USER:TOKEN@HOST`".to_owned()
            );
        }
        Some(Auth::Basic { password: Secret::Text(token), .. }) if token.is_empty() => {
            return Err("the token is missing behind the user: `librato://USER:TOKEN@HOST`".to_owned());
        }
        Some(_) => {}
    }
    let mut writer = Writer::default();
    if let Some(key) = endpoint.options.read("source_tag", unescape)? {
        writer = writer.source_tag(key);
    }
    if let Some(keys) = endpoint.options.list("name_tags", |key| Ok(key.to_owned()))? {
        writer = writer.name_tags(keys);
    }
    if endpoint.options.flag("quantiles")? == Some(false) {
        writer = writer.without_quantiles();
    }
    Librato::new(settings, writer)
}
