//! `influxdb:`: what stands behind the colon and the options become an exporter.

use super::super::escape::unescape;
use super::super::scheme::{Scheme, row};
use super::super::{Transport, plain};
use super::super::{http, options, tls};
use super::{Endpoint, Made};
use crate::exporters::http::Compression;
use crate::exporters::influxdb::{Database, Histograms, InfluxDb, Precision, Writer};
use crate::exporters::words::one_of;
use crate::exporters::{Route, Signal, Terms};

const TRANSPORTS: &[Transport] = &[("http", "http", 8086), ("https", "https", 8086)];

const CONSISTENCIES: &[(&str, &str)] =
    &[("any", "any"), ("one", "one"), ("quorum", "quorum"), ("all", "all")];

const HISTOGRAMS: &[(&str, Histograms)] =
    &[("quantiles", Histograms::Quantiles), ("buckets", Histograms::Buckets)];

const YES_OR_NO: &[(&str, bool)] = &[("true", true), ("false", false)];

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["influxdb"],
    urls: &[(
        "`influxdb://HOST:8086?db=NAME`, `influxdb+https://HOST?bucket=NAME&org=NAME&token=TOKEN`",
        "line protocol for InfluxDB 1.x, or for 2.x, 3.x and what speaks like them (feature `influxdb`)",
    )],
    examples: &["influxdb://localhost:8086?db=metrics", "influxdb://localhost:8086?bucket=metrics"],
    own: &[
        row("db", "none; `db` or `bucket` is needed", "metrics", "the database of InfluxDB 1.x"),
        row("rp", "that of the database", "a_week", "the retention policy, with `db`"),
        row("consistency", "that of the server", "one", "`any`, `one`, `quorum` or `all`, with `db`"),
        row("bucket", "none; `db` or `bucket` is needed", "metrics", "the bucket of InfluxDB 2.x and 3.x"),
        row("org", "none", "shop&bucket=metrics", "the organization, with `bucket`"),
        row("precision", "`ns`", "ms", "of timestamps: `ns`, `us`, `ms` or `s`"),
        row(
            "histograms",
            "`quantiles`",
            "buckets",
            "a histogram has fields for its quantiles, or for its buckets",
        ),
        row("spans", "`false`", "true", "spans are lines of the measurement `spans`"),
        row("events", "`false`", "true", "events are lines of the measurement `events`"),
    ],
    shared: &[&options::ANY, &options::PUSHED, &http::CLIENT, &tls::TABLE],
    text: "",
};

pub(super) fn make(mut endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    let exporter = exporter(&mut endpoint, terms);
    let exporter = exporter.map_err(plain)?;
    endpoint.end()?;
    Ok(Route::over(exporter().map_err(plain)?))
}

fn exporter(
    endpoint: &mut Endpoint<'_>,
    terms: &Terms,
) -> Result<impl FnOnce() -> Result<InfluxDb, String> + use<>, String> {
    let settings = endpoint.settings(TRANSPORTS)?;
    #[cfg(feature = "zstd")]
    if settings.compression == Compression::Zstd {
        return Err("`compression=zstd`: InfluxDB takes `none` and `gzip`".to_owned());
    }
    let database = database(endpoint)?;
    let options = &mut endpoint.options;
    let precision = options.read("precision", |text| one_of(text, Precision::EACH))?.unwrap_or_default();
    let histograms = options.read("histograms", |text| one_of(text, HISTOGRAMS))?.unwrap_or_default();
    let mut yes = |key| Ok::<_, String>(options.read(key, |text| one_of(text, YES_OR_NO))?.unwrap_or(false));
    let (events, spans) = (yes("events")?, yes("spans")?);
    if (events || spans) && precision != Precision::Nanos {
        return Err("spans and events need `precision=ns`: of two with the same time one is lost".to_owned());
    }
    let mut wanted = [false; 3];
    for (signal, is_wanted) in [(Signal::Spans, spans), (Signal::Events, events), (Signal::Metrics, true)] {
        wanted[signal as usize] = is_wanted && terms.filter.takes_signal(signal);
    }
    if !wanted.contains(&true) {
        return Err("nothing would be sent: spans need `spans=true`, and events `events=true`".to_owned());
    }
    Ok(move || InfluxDb::new(settings, database, Writer { precision, histograms }, wanted))
}

fn database(endpoint: &mut Endpoint<'_>) -> Result<Database, String> {
    let mut name = |key| endpoint.options.read(key, named);
    let (db, rp, bucket, org) = (name("db")?, name("rp")?, name("bucket")?, name("org")?);
    let consistency = endpoint.options.read("consistency", |text| one_of(text, CONSISTENCIES))?;
    match (db, bucket) {
        (Some(_), Some(_)) => {
            Err("`db` is for InfluxDB 1.x and `bucket` for 2.x and 3.x: one of them".to_owned())
        }
        (None, None) => Err("`db=NAME` (InfluxDB 1.x) or `bucket=NAME` (2.x, 3.x) is needed".to_owned()),
        (Some(_), None) if org.is_some() => Err("`org` belongs to `bucket`".to_owned()),
        (None, Some(_)) if rp.is_some() => Err("`rp` belongs to `db`".to_owned()),
        (None, Some(_)) if consistency.is_some() => Err("`consistency` belongs to `db`".to_owned()),
        (Some(name), None) => Ok(Database::Named { name, rp, consistency }),
        (None, Some(bucket)) => Ok(Database::Bucket { bucket, org }),
    }
}

fn named(text: &str) -> Result<String, String> {
    let name = unescape(text)?;
    if name.is_empty() { Err("it is empty".to_owned()) } else { Ok(name) }
}
