//! `graphite:`: what stands behind the colon and the options become an exporter.

use super::super::scheme::{Scheme, row};
use super::super::{options, socket, tls};
use super::{Endpoint, Made};
use crate::exporters::endpoint::{plain, unescape};
use crate::exporters::graphite::{Graphite, is_prefix};
use crate::exporters::socket::Transport;
use crate::exporters::{Route, Terms};

const TRANSPORTS: &[(&str, Transport)] =
    &[("tcp", Transport::Tcp), ("tls", Transport::Tls), ("udp", Transport::Udp), ("unix", Transport::Unix)];

const PORT: u16 = 2003;

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["graphite"],
    urls: &[(
        "`graphite://HOST:2003`, `graphite+tls://HOST`, `graphite+udp://HOST`, `graphite+unix:///run/x.sock`",
        "lines of Graphite's plaintext protocol, with tags (feature `graphite`); `graphite:` is `graphite://localhost:2003`",
    )],
    examples: &["graphite://localhost:2003", "graphite+udp://localhost:2003", "graphite+tls://localhost:2003"],
    own: &[row("prefix", "none", "shop.eu", "stands before each name, with a dot between them")],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS, &socket::PACKETS, &tls::TABLE],
    text: "\
`graphite` sends a line for each data point: `NAME;key=value;.. NUMBER SECONDS`. A histogram is eight of them: `NAME.count`, `.sum`, `.min`,
`.max`, `.p50`, `.p90`, `.p95` and `.p99`. Counters and up-down counters are sums since the start, histograms are of the time since the last
export (`temporality`). White space, `;` and control characters are `_` there. Nothing acknowledges anything on that wire: \"delivered\" means
that the kernel took it on a connection that was open.

Graphite keeps one point of a series in each step of its retention, the last one; a step is a minute where nobody has told it otherwise.
So set `flush_interval_ms` to that step. Counts that must not miss anything are sums since the start (`temporality=cumulative`): they lose
nothing however often they are sent, while quantiles are of all since the start then.
",
};

pub(super) fn make(mut endpoint: Endpoint<'_>, _: &Terms) -> Made {
    let settings = endpoint.socket(TRANSPORTS, PORT).map_err(plain)?;
    let prefix = endpoint.options.read("prefix", prefix).map_err(plain)?.unwrap_or_default();
    endpoint.end()?;
    Ok(Route::over(Graphite::new(settings, &prefix).map_err(plain)?))
}

/// It may have its dot already.
fn prefix(text: &str) -> Result<String, String> {
    let text = unescape(text)?;
    if is_prefix(&text) {
        return Ok(text.trim_end_matches('.').to_owned());
    }
    Err("names with dots between them are needed, without white space, `;` and a `~` at their beginning"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(url: &str) -> Result<(), String> {
        let made = make(Endpoint::parse(url).unwrap(), &Terms::default());
        made.map(drop).map_err(|(reason, _)| reason)
    }

    #[test]
    fn urls_make_exporters() {
        for url in [
            "graphite:",
            "graphite://db:1?prefix=shop.eu",
            "graphite+tls://db?prefix=shop.",
            "graphite+udp://[::1]?packet_bytes=512",
            "graphite://db?prefix=gr%C3%B6%C3%9Fe",
        ] {
            made(url).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let needed =
            "names with dots between them are needed, without white space, `;` and a `~` at their beginning";
        for prefix in ["", ".", "a..b", ".a", "a%20b", "a%3Bb", "~a", "a%0A"] {
            assert_eq!(
                made(&format!("graphite:?prefix={prefix}")).unwrap_err(),
                format!("`prefix={prefix}`: {needed}")
            );
        }
        assert!(made("graphite+http:").unwrap_err().contains("its transports are tcp, tls, udp, unix"));
        assert!(
            made("graphite:?db=x")
                .unwrap_err()
                .contains("`graphite:` has no option `db`; its options are prefix")
        );
    }
}
