//! The exporter `opentsdb`: data points for OpenTSDB and for whoever takes what it takes, such as VictoriaMetrics, InfluxDB 1.x and
//! Apptuit. Counters, gauges and histograms come in; out come lines of `put` over one connection that is kept (telnet), or JSON over
//! HTTP. Spans and events are never sent, and nothing is ever read back but what the server says of what it refused.
//!
//! | URL | what |
//! | --- | --- |
//! | `opentsdb://HOST:4242`, `opentsdb+tls://HOST:4242` | lines over TCP; `opentsdb:` is `opentsdb://localhost:4242` |
//! | `opentsdb+unix:///run/tsd.sock` | lines over a Unix socket |
//! | `opentsdb+http://HOST:4242`, `opentsdb+https://HOST` | `POST /api/put?details`, below the path of the URL |
//!
//! | option | what |
//! | --- | --- |
//! | `precision=ms` | times in seconds (`s`, where nothing is said) or in milliseconds |
//! | `characters=unicode` | what names, keys and values of tags may hold; each other character becomes `_`. `ascii`, where nothing is said: `A-Z a-z 0-9 - _ . /`; `unicode`: the letters of all scripts too, as OpenTSDB takes them; `any`, over HTTP only: values as they are, as Apptuit and VictoriaMetrics take them |
//! | `histograms=buckets` | `summary`, where nothing is said: `NAME.count`, `.sum`, `.min`, `.max`, `.p50`, `.p90`, `.p95` and `.p99`; `buckets`: `NAME.count`, `.sum` and `NAME.bucket`, the values up to the bound in the tag `le` |
//! | `max_tags=8` | so many tags a point, as OpenTSDB takes 8 where nobody has told it otherwise (`tsd.storage.max_tags`): its own, then `host`, then other global ones; a point with more of its own is refused. No limit where nothing is said |
//! | `max_bytes=8000` | of a request, before it is compressed: 1 MiB over telnet and 512 KiB over HTTP where nothing is said |
//! | `max_line=1024` | over telnet: a point with a longer line is refused, as OpenTSDB closes the connection then. 1024 where nothing is said |
//! | `answer_ms=100` | over telnet: so long after each request the server's error lines are waited for; `0` is not at all |
//! | `sync=true` | over HTTP: OpenTSDB answers when the points are stored, not when they are understood |
//! | `compression=deflate` | over HTTP: `none`, `gzip`, `deflate` (zlib, RFC 1950: Apptuit's), `zstd` |
//! | `token=TEXT` | over HTTP: `Authorization: Bearer TEXT`; where it is not said, `TELEMETRY_TOKEN` |
//!
//! Whole numbers are written as such, others in as few digits as name them and no other; NaN and infinities are refused and counted,
//! as are points without a name, without a tag, and from before 1970-01-01 00:00:01. Whole numbers above `i64::MAX` are written as
//! floats. Tags with empty values are left out. Each point has a tag `host` unless `host_tag=off` says otherwise; its own wins.
//!
//! Counters and up-down counters are sums since the start, histograms are of the time since the last export (`temporality=`).
//!
//! Over telnet nobody acknowledges anything: "delivered" means that the kernel took it on a connection that was open. Each line that
//! the server writes back counts as one point that it refused, of the request that is out when it comes. Over HTTP what it says of
//! each point is counted by item, and a histogram, of which several points are made, counts once.
//!
//! Source: OpenTSDB 2.4, "Writing Data", "put" (telnet) and "/api/put"; Apptuit's client 2.4.2.

mod answer;
mod encode;
mod exporter;
mod form;
mod points;

pub use encode::put_batch;
pub(crate) use exporter::OpenTsdb;
pub use form::{Characters, Form, Histograms, Style};
