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
        row("org", "none", "shop&bucket=metrics", "the organization, with `bucket`: 2.x wants one, 3.x does not ask"),
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
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS, &http::CLIENT, &http::BEARER, &tls::TABLE],
    text: "\
`influxdb` sends data points alone where nothing is said; spans and events are lines by choice (`spans`, `events`). Each point is a line:
the metric is the measurement, and all tags are tags. A counter, an up-down counter and a gauge have the float `value`; of a whole number
beyond 2^53, which floats have not all of, also the integer `value_int`. A histogram has the integer `count` and the floats `sum`, `min`,
`max`, `p50`, `p90`, `p95` and `p99`; with `histograms=buckets`, in place of the quantiles, an integer for each bucket, whose name is its
upper bound (`+Inf` is the last), of all values that are not above it. Counters and up-down counters are sums since the start, histograms
are of the time since the last export (`temporality`).

A server keeps one line of a measurement, its tags and a time: with a coarse `precision` the last point of a series in that time takes the
place of those before it. Spans and events of one nanosecond are a nanosecond apart where they are in one request; of two requests, such
as of two processes with the same tags, the later one takes the place of the other.
",
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
    if !matches!(settings.compression, Compression::None | Compression::Gzip) {
        return Err("`compression`: InfluxDB takes `none` and `gzip`".to_owned());
    }
    let database = database(endpoint)?;
    let options = &mut endpoint.options;
    let precision = options.read("precision", |text| one_of(text, Precision::EACH))?.unwrap_or_default();
    let histograms = options.read("histograms", |text| one_of(text, HISTOGRAMS))?.unwrap_or_default();
    let (events, spans) = (options.flag("events")?.unwrap_or(false), options.flag("spans")?.unwrap_or(false));
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

#[cfg(test)]
mod tests {
    use super::super::super::{from_url, split_urls};
    use crate::exporters::{Driver, Signal, Target};
    use crate::model::{Kind, Temporality};

    #[test]
    fn a_url_makes_an_exporter_of_what_it_chooses() {
        for (url, signals) in [
            ("influxdb:?db=shop", [false, false, true]),
            (
                "InfluxDB://me:pw@h?db=shop&rp=a&consistency=ONE&precision=S&histograms=Buckets",
                [false, false, true],
            ),
            ("influxdb+https://h/base?bucket=shop&org=o&token=t&events=true", [false, true, true]),
            (
                "influxdb+http://[::1]:1?bucket=a%26b&spans=TRUE&events=false&precision=ns",
                [true, false, true],
            ),
            ("influxdb://h?db=shop&spans=true&events=true&signals=spans", [true, false, false]),
        ] {
            let Target::Pushed(Driver::Network(exporter)) = from_url(url).unwrap().target else {
                panic!("{url}")
            };
            assert_eq!(
                (exporter.name(), Signal::EACH.map(|signal| exporter.wants(signal))),
                ("influxdb", signals)
            );
            let [counter, level, histogram] = Kind::SUMMED.map(|kind| exporter.temporality(kind));
            assert_eq!([counter, level], [Temporality::Cumulative; 2]);
            assert_eq!(histogram, Temporality::Delta);
        }
        let list = "influxdb://h?db=a,console:,influxdb+https://h?bucket=b&names=x,y";
        assert_eq!(
            split_urls(list),
            ["influxdb://h?db=a", "console:", "influxdb+https://h?bucket=b&names=x,y"]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, want) in [
            ("influxdb://h", "`db=NAME` (InfluxDB 1.x) or `bucket=NAME` (2.x, 3.x) is needed"),
            ("influxdb://h?org=o&token=s3cret", "`db=NAME` (InfluxDB 1.x) or"),
            ("influxdb://h?db=a&bucket=b", "one of them"),
            ("influxdb://h?db=", "`db=`: it is empty"),
            ("influxdb://h?db=a%2", "two hexadecimal digits"),
            ("influxdb://h?db=a&org=o", "`org` belongs to `bucket`"),
            ("influxdb://h?bucket=a&rp=o", "`rp` belongs to `db`"),
            ("influxdb://h?bucket=a&consistency=one", "`consistency` belongs to `db`"),
            ("influxdb://h?db=a&consistency=two", "one of any, one, quorum, all is needed"),
            ("influxdb://h?db=a&precision=m", "one of ns, us, ms, s is needed"),
            ("influxdb://h?db=a&histograms=all", "one of quantiles, buckets is needed"),
            ("influxdb://h?db=a&events=yes", "one of true, false is needed"),
            ("influxdb://h?db=a&spans=true&precision=ms", "spans and events need `precision=ns`"),
            ("influxdb://h?db=a&signals=spans", "nothing would be sent"),
            ("influxdb://h?db=a&batch=7", "`influxdb:` has no option `batch`; its options are"),
            ("influxdb+udp://h?db=a", "`udp` is no transport of it; its transports are http, https"),
            ("influxdb:h?db=a", "`//` and a host are needed"),
        ] {
            let said = from_url(url).map(drop).unwrap_err().to_string();
            assert!(said.contains(want) && !said.contains("s3cret"), "{said}");
        }
        for compression in [
            "deflate",
            #[cfg(feature = "zstd")]
            "zstd",
        ] {
            let url = format!("influxdb://h?db=a&compression={compression}");
            let said = from_url(&url).map(drop).unwrap_err().to_string();
            assert!(said.ends_with("`compression`: InfluxDB takes `none` and `gzip`"), "{said}");
        }
    }
}
