//! `prometheus:`: what stands behind the colon and the options become a page and where it is served.

use super::escape::unescape;
use super::options::{self, Options};
use super::scheme::{Scheme, row};
use super::{Endpoint, Made, plain};
use crate::exporters::Prometheus;
use crate::exporters::prometheus::Translation;
use crate::exporters::server::Place;
use crate::exporters::words::one_of;

pub(super) const SCHEME: Scheme = Scheme {
    names: &["prometheus"],
    urls: &[(
        "`prometheus://HOST:9464/metrics`",
        "a page of all metrics for Prometheus and whoever else scrapes (feature `prometheus`); `prometheus:` is `prometheus://localhost:9464/metrics`",
    )],
    examples: &["prometheus://localhost:9464/metrics"],
    own: &[
        row(
            "translation",
            "`underscore_escaping_with_suffixes`",
            "no_translation",
            "`underscore_escaping_with_suffixes`, `underscore_escaping_without_suffixes`, `no_utf8_escaping_with_suffixes`, `no_translation`: `Prometheus::translation`",
        ),
        row("scope_labels", "`true`", "false", "`Prometheus::without_scope_labels`"),
        row("target_info", "`true`", "false", "`Prometheus::without_target_info`"),
        row("created", "`true`", "false", "`Prometheus::without_created`"),
        row("max_bytes", "`67108864`", "1048576", "`Prometheus::max_bytes`"),
        row("resource_labels", "none", "service.*", "`Prometheus::resource_labels`"),
    ],
    shared: &[&options::ANY],
    text: "\
`prometheus` listens at that address: only this machine reaches `localhost`, and `0.0.0.0` is every address. With port 0 the
system picks one, which is said on standard error and by [`Collector::served_at`](crate::Collector::served_at). Two endpoints
may differ in their paths alone. It is asked for metrics, and nothing is sent. What `tag` and `host_tag` add is on `target_info`,
and on each series that `resource_labels` puts it on.
",
};

pub(super) fn make(mut endpoint: Endpoint<'_>) -> Made {
    let (page, place) = endpoint.page().map_err(plain)?;
    endpoint.end()?;
    Ok(page.listen_at(place))
}

const TRANSLATIONS: &[(&str, Translation)] = &[
    ("underscore_escaping_with_suffixes", Translation::UnderscoreEscapingWithSuffixes),
    ("underscore_escaping_without_suffixes", Translation::UnderscoreEscapingWithoutSuffixes),
    ("no_utf8_escaping_with_suffixes", Translation::NoUtf8EscapingWithSuffixes),
    ("no_translation", Translation::NoTranslation),
];

impl Endpoint<'_> {
    /// Takes the options of a page; what it shows, and where.
    fn page(&mut self) -> Result<(Prometheus, Place), String> {
        let page = shown(&mut self.options)?;
        let place = match self.rest {
            "" | "//" => "localhost",
            rest => rest.strip_prefix("//").ok_or("`//` and a host are needed behind the colon")?,
        };
        Ok((page, Prometheus::place(place)?))
    }
}

fn shown(options: &mut Options<'_>) -> Result<Prometheus, String> {
    let mut page = Prometheus::new();
    if let Some(translation) = options.read("translation", |text| one_of(text, TRANSLATIONS))? {
        page = page.translation(translation);
    }
    if options.flag("scope_labels")? == Some(false) {
        page = page.without_scope_labels();
    }
    if options.flag("target_info")? == Some(false) {
        page = page.without_target_info();
    }
    if options.flag("created")? == Some(false) {
        page = page.without_created();
    }
    if let Some(bytes) = options.count("max_bytes")? {
        page = page.max_bytes(bytes);
    }
    if let Some(keys) = options.list("resource_labels", unescape)? {
        page = page.resource_labels(keys);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::super::{from_url, split_urls};
    use crate::exporters::{HostTag, Target};
    use crate::model::Text;

    fn place(url: &str) -> String {
        let Target::Pulled(pulled) = from_url(url).unwrap().target else { panic!("{url}") };
        pulled.place.unwrap().to_string()
    }

    #[test]
    fn a_url_says_where_the_page_is() {
        for (url, want) in [
            ("prometheus:", "http://localhost:9464/metrics"),
            ("Prometheus://", "http://localhost:9464/metrics"),
            ("prometheus://127.0.0.1:9464", "http://127.0.0.1:9464/metrics"),
            ("prometheus://[::]:0/shop?translation=NO_TRANSLATION", "http://[::]:0/shop"),
            (
                "prometheus:?scope_labels=false&target_info=False&created=true&max_bytes=1000&resource_labels=a,b%2Cc",
                "http://localhost:9464/metrics",
            ),
        ] {
            assert_eq!(place(url), want);
        }
        let terms =
            from_url("prometheus:?names=a,b&min_level=info&tags=env:p*&tag=a:b&host_tag=auto").unwrap().terms;
        let tags: Vec<(Text, Text)> = vec![("a".into(), "b".into())];
        assert_eq!((terms.tags, terms.host_tag, terms.filter.has_levels()), (tags, HostTag::Auto, true));
    }

    #[test]
    fn it_stands_in_lists() {
        let urls = split_urls("prometheus://h?names=a,b,console:,Prometheus:");
        assert_eq!(urls, ["prometheus://h?names=a,b", "console:", "Prometheus:"]);
    }

    #[test]
    fn what_makes_no_sense_for_it_is_refused_by_name() {
        const KNOWN: &str = "its options are min_level, levels, names, tags, tag, host_tag, translation, scope_labels, \
                             target_info, created, max_bytes, resource_labels";
        for option in [
            "signals=metrics",
            "rate=7",
            "in_flight=1",
            "max_items=1",
            "timeout_ms=1",
            "give_up_after_ms=1",
            "linger_ms=1",
            "flush_interval_ms=1",
            "back_pressure_ms=1",
            "temporality=delta",
            "compression=gzip",
        ] {
            let key = option.split('=').next().unwrap();
            let said = from_url(&format!("prometheus:?{option}")).map(drop).unwrap_err().to_string();
            assert!(said.ends_with(&format!("`prometheus:` has no option `{key}`; {KNOWN}")), "{said}");
        }
        for (url, want) in [
            ("prometheus:9464", "`//` and a host are needed"),
            ("prometheus://:9464", "a host is missing"),
            ("prometheus://me:s3cret@h", "can't have a user"),
            ("prometheus://h:x", "`x` is no port"),
            ("prometheus+grpc://h", "`prometheus+grpc` is no known scheme"),
            ("prometheus:?translation=none", "one of underscore_escaping_with_suffixes,"),
            ("prometheus:?scope_labels=1", "one of true, false"),
            ("prometheus:?resource_labels=", "is empty"),
        ] {
            let said = from_url(url).map(drop).unwrap_err().to_string();
            assert!(said.contains(want) && !said.contains("s3cret"), "{said}");
        }
    }
}
