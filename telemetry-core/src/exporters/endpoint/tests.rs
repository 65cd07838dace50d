use std::path::PathBuf;
use std::time::Duration;

use super::file::directory;
use super::*;
#[cfg(feature = "http")]
use crate::exporters::http::Auth;
use crate::exporters::{Driver, HostTag, Signal, Target};
use crate::model::Temporality;

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
        let Target::Pushed(Driver::Blocking(exporter)) = from_url(&url).unwrap().target else {
            panic!("{url}")
        };
        assert_eq!(exporter.name(), name, "{url}");
    }
}

#[test]
fn otlps_file_format_needs_its_feature() {
    let dir = tempfile::tempdir().unwrap();
    let made = from_url(&format!("file:{}?format=OTLP", dir.path().display()));
    if cfg!(feature = "otlp") {
        made.map(drop).unwrap();
        assert!(dir.path().join("traces.otlp.jsonl").exists());
    } else {
        let said = made.unwrap_err().to_string();
        assert!(said.contains("`cargo add telemetry-layer --features otlp`"), "{said}");
    }
}

#[test]
fn lists_of_urls_have_options_that_are_lists() {
    let list = "console:?levels=info,warn&tags=env:prod,region:eu , file:x,, discard:?names=a, shop::b,";
    let want = ["console:?levels=info,warn&tags=env:prod,region:eu", "file:x", "discard:?names=a, shop::b"];
    assert_eq!(split_urls(list), want);
    assert_eq!(split_urls("console:, kafka://x"), ["console:", "kafka://x"]);
    let tags = "discard:?tag=env:prod,region:eu,file:x";
    assert_eq!(split_urls(tags), ["discard:?tag=env:prod,region:eu", "file:x"]);
}

#[test]
fn a_mistyped_url_is_no_value_of_the_option_before_it() {
    for list in
        ["console:?levels=info,warn,flie:x", "console:?tags=env:prod&rate=3,flie:x", "console:, flie:x"]
    {
        let urls = split_urls(list);
        let said = urls.iter().find_map(|url| from_url(url).err()).expect(list).to_string();
        assert!(said.contains("`flie` is no known scheme"), "{said}");
    }
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
    assert_eq!((Some(terms.give_up_after), terms.linger), (millis(200), millis(7)));
    assert_eq!((terms.flush_interval, terms.back_pressure), (millis(300), millis(400)));
    assert_eq!((terms.host_tag, terms.temporality), (HostTag::Auto, Some(Temporality::Delta)));
}

#[test]
fn words_may_be_in_upper_case() {
    let url = "DISCARD:?min_level=INFO&levels=Info,WARN&signals=Metrics&host_tag=OFF&temporality=Delta";
    let terms = from_url(url).unwrap().terms;
    assert!(!terms.filter.takes_signal(Signal::Spans) && terms.filter.has_levels());
    assert_eq!((terms.host_tag, terms.temporality), (HostTag::Off, Some(Temporality::Delta)));
    assert_eq!(from_url("discard:?host_tag=Auto").unwrap().terms.host_tag, HostTag::Auto);
    assert_eq!(from_url("discard:?host_tag=Box").unwrap().terms.host_tag, HostTag::Named("Box".into()));
    assert!(from_url("console:StdErr").is_ok());
}

#[test]
fn tags_can_be_added_in_a_list_and_more_than_once() {
    let terms = from_url("discard:?tag=env:prod, region:eu&tags=env:p*&tag=note:a%2Cb:c").unwrap().terms;
    let tags: Vec<(&str, &str)> = terms.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(tags, [("env", "prod"), ("note", "a,b:c"), ("region", "eu")]);
    assert!(!terms.filter.is_open());
}

#[test]
fn directories_have_escapes_and_a_home() {
    let in_home = |rest| directory(rest, Some("/home/me".into()));
    for (rest, path) in [
        ("logs", "logs"),
        ("///var/log", "/var/log"),
        ("a%20b%2Cc%3f%C3%A9%25", "a b,c?é%"),
        ("~/logs%20x", "/home/me/logs x"),
        ("~//logs", "/home/me/logs"),
        ("~", "/home/me"),
        ("%7E/x", "~/x"),
        ("a/~/b", "a/~/b"),
    ] {
        let path = PathBuf::from(path);
        assert_eq!(in_home(rest), Ok(path), "{rest}");
    }
    for home in [None, Some("".into())] {
        assert!(directory("~/x", home).unwrap_err().contains("`HOME` is not set"));
    }
    for bad in ["50%", "50%2", "50%+1", "50%é"] {
        assert!(in_home(bad).unwrap_err().contains("two hexadecimal digits"), "{bad}");
    }
    assert!(in_home("%FF").unwrap_err().contains("not UTF-8"));
}

#[test]
fn a_directory_with_a_comma_can_stand_in_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let urls = split_urls(&format!("discard:, file:{}/a%2Cb", dir.path().display()));
    assert!(urls.iter().all(|url| from_url(url).is_ok()));
    assert!(dir.path().join("a,b/spans.jsonl").exists());
}

#[test]
fn what_is_wrong_with_a_url_is_named_and_the_url_said_once() {
    for (url, named) in [
        ("Console", "a colon is missing"),
        ("stdout", "a scheme is missing; known are"),
        ("kafka://x", "`kafka` is no known scheme; known are"),
        ("influx://x", "`influx` is no known scheme (did you mean `influxdb`?); known are"),
        ("oltp+https://x", "`oltp+https` is no known scheme (did you mean `otlp`?); known are"),
        ("discard:?tiemout_sm=1", "has no option `tiemout_sm` (did you mean `timeout_ms`?); its"),
        ("console:stdlog", "`stdlog` is neither"),
        ("discard:all", "nothing may stand behind"),
        ("file:", "directory is missing"),
        ("file://host/dir", "stands a host"),
        ("file:/tmp?keep=none", "`keep=none`: a whole number above 0"),
        ("file:/tmp?keep", "`keep` in its query"),
        ("file:/tmp?format=xml", "`format=xml`: one of json, otlp"),
        ("file:/dev/null/x", "the directory can't be written to"),
        ("file:/dev/null/%78", "the directory `/dev/null/x` can't be written to"),
        ("file:a%2", "two hexadecimal digits"),
        ("discard:?min_level=loud", "`min_level=loud`: one of error, warn, info, debug, trace is needed"),
        ("discard:?min_level=warn,info", "`min_level=warn,info`: one level is needed; `levels` takes a list"),
        (
            "discard:?levels=info, loud",
            "`loud` in `levels`: one of error, warn, info, debug, trace is needed",
        ),
        ("discard:?levels=,", "`levels` is empty"),
        ("discard:?signals=logs", "`logs` in `signals`: one of spans, events, metrics is needed"),
        ("discard:?tags=env", "`env` in `tags`: `key:pattern` is needed"),
        ("discard:?tag=env:x,prod", "`prod` in `tag`: `key:value` is needed"),
        ("discard:?tag=a b:c", "`a b` is no tag key"),
        ("discard:?tag=a:b&tag=a:c", "the tag `a` is given twice"),
        ("discard:?rate=-1", "`rate=-1`: a number above 0"),
        ("discard:?rate=1&rate=2", "`rate` is given twice"),
        ("discard:?levels=info&levels=warn", "`levels` is given twice"),
        ("discard:?timeout_ms=1s", "`timeout_ms=1s`: a whole number"),
        ("discard:?host_tag=", "`host_tag=`: `auto`, `off` or a name"),
        ("discard:?host_tag=False", "`host_tag=False`: `auto`, `off` or a name"),
        ("discard:?host_tag=none", "`auto`, `off` or a name"),
        ("console:?view=trees", "`view=trees`: one of lines, tree is needed"),
        ("discard:?spool_mode=always", "`spool_mode` needs a directory: `spool=DIR`"),
        ("discard:?temporality=both", "`temporality=both`: one of cumulative, delta is needed"),
    ] {
        let said = refusal(url);
        assert!(said.contains(named) && said.matches(url).count() == 1, "{said}");
    }
    assert!(refusal("").contains("a scheme is missing"));
}

#[test]
fn an_unknown_option_is_told_what_there_is() {
    const COMMON: &str = "min_level, levels, names, tags, tag, host_tag, signals, rate, in_flight, max_items, \
                          timeout_ms, give_up_after_ms, linger_ms, flush_interval_ms, back_pressure_ms, temporality, \
                          spool, spool_mode, spool_bytes, spool_age_ms";
    for (url, known) in [
        ("discard:?a=b", format!("`discard:` has no option `a`; its options are {COMMON}")),
        (
            "Console:?level=info",
            format!(
                "`console:` has no option `level` (did you mean `levels`?); its options are {COMMON}, view"
            ),
        ),
        (
            "file:x?a=b",
            format!("`file:` has no option `a`; its options are {COMMON}, rotate_bytes, keep, format"),
        ),
    ] {
        let said = refusal(url);
        assert!(said.ends_with(&known), "{said}");
    }
}

#[test]
fn a_refused_url_prints_no_secret() {
    for url in [
        "kafka://me:s3cret@host",
        "me:s3cret@host",
        "s3cret@host:80",
        "s3cret@host",
        "kafka://me:s3cret",
        "console://me:s3cret",
        "console:me:s3cret@host",
        "discard:?token=s3cret",
        "discard:?api_key=a&s3cret",
    ] {
        let error = from_url(url).map(drop).expect_err(url);
        for said in [error.to_string(), format!("{error:?}"), error.url().to_owned()] {
            assert!(said.contains("***") && !said.contains("s3cret"), "{said}");
        }
    }
    assert_eq!(
        refusal("kafka://me:pw@host"),
        "the export endpoint `kafka://***@host` can't be used: `kafka` is no known scheme; known are `chrome-trace:FILE`, `console:`, \
         `console:stderr`, `discard:`, `file:DIR`, `graphite://HOST`, `http://HOST`, `https://HOST`, `influxdb://HOST`, \
         `librato://HOST`, `opentsdb://HOST`, `otlp://HOST`, `prometheus://HOST`, `statsd://HOST`"
    );
}

proptest::proptest! {
    #[test]
    fn whatever_is_escaped_comes_back(text in ".*") {
        let escaped: Vec<String> = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(unescape(&escaped.concat()), Ok(text));
    }

    #[test]
    fn no_text_breaks_the_reading_of_urls(text in "[a-z:?&=,%é ]*") {
        assert!(split_urls(&text).iter().all(|url| !url.trim().is_empty()));
        let _ = unescape(&text);
        let _ = Endpoint::parse(&text).and_then(|mut endpoint| endpoint.options.terms());
    }
}

#[cfg(feature = "http")]
#[test]
fn json_is_posted_to_the_url_itself() {
    for (given, want) in [
        ("http://h", "http://h/"),
        ("HTTP://h:8080/in/spans", "http://h:8080/in/spans"),
        ("http://me:pw@[::1]/x?compression=gzip&token=t", "http://[::1]/x"),
        ("https://h/x", "https://h/x"),
        ("https://h:444", "https://h:444/"),
    ] {
        let mut endpoint = Endpoint::parse(given).unwrap();
        let transport = if endpoint.scheme == "http" { HTTP } else { HTTPS };
        assert_eq!(endpoint.settings(&[transport]).map(|settings| settings.url()).as_deref(), Ok(want));
        let Target::Pushed(Driver::Network(protocol)) = from_url(given).unwrap().target else {
            panic!("{given}")
        };
        assert_eq!((protocol.name(), protocol.limits().in_flight), ("http", 2));
    }
    for (wrong, named) in [
        ("http:", "`//` and a host are needed"),
        ("https://", "`//` and a host are needed"),
        ("http:h/x", "`//` and a host are needed"),
        ("http:///x", "its URL is wrong"),
        ("http+https://h", "`http+https` is no known scheme (did you mean `http`?)"),
        ("https://h?exact=true", "`https:` has no option `exact`"),
        ("http://h?api-version=1", "no option `api-version`"),
    ] {
        let said = refusal(wrong);
        assert!(said.contains(named), "{said}");
    }
    assert_eq!(split_urls("http://a/x,https://b?header=a:b"), ["http://a/x", "https://b?header=a:b"]);
}

#[cfg(not(feature = "http"))]
#[test]
fn posting_json_needs_its_feature() {
    assert!(refusal("https://h").contains("--features http-exporter`"));
}

#[cfg(feature = "otlp")]
#[test]
fn otlp_goes_over_http() {
    let url = |url: &str| {
        let mut endpoint = Endpoint::parse(url).unwrap();
        endpoint.options.terms().unwrap();
        let settings = endpoint.settings(otlp::TRANSPORTS);
        settings.and_then(|settings| endpoint.options.end("otlp").map(|()| settings.url()))
    };
    for (given, want) in [
        ("otlp:", "http://localhost:4318/"),
        ("otlp://", "http://localhost:4318/"),
        ("otlp://h", "http://h:4318/"),
        ("otlp://h:1/x", "http://h:1/x"),
        ("otlp://[::1]", "http://[::1]:4318/"),
        ("otlp://[::1]:7", "http://[::1]:7/"),
        ("OTLP+HTTPS://h/x?compression=GZIP", "https://h/x"),
        ("otlp+https://h:4318", "https://h:4318/"),
        ("otlp+https:", "https://localhost:4318/"),
        ("otlp+grpc:", "http://localhost:4317/"),
        ("otlp+grpc://h", "http://h:4317/"),
        ("otlp+GRPCS://h", "https://h/"),
        ("otlp+grpcs://h:4317/", "https://h:4317/"),
        ("otlp://h?header=a:b&header=c:d,e&token=t&min_level=warn", "http://h:4318/"),
    ] {
        assert_eq!(url(given).as_deref(), Ok(want), "{given}");
    }
    for (wrong, named) in [
        ("otlp:h:4318", "`//` and a host are needed"),
        ("otlp+udp://h", "`udp` is no transport of it; its transports are http, https, grpc, grpcs"),
        #[cfg(feature = "otlp-grpc")]
        ("otlp+grpc://h/v1/traces", "over gRPC its URL has no path"),
        #[cfg(feature = "otlp-grpc")]
        ("otlp+grpc://h?exact=true", "no option `exact`"),
        #[cfg(not(feature = "otlp-grpc"))]
        ("otlp+grpc://h", "it needs the feature `otlp-grpc`"),
        ("otlp://h:x", "its URL is wrong"),
        ("otlp://h?compression=br", "one of none, gzip"),
        ("otlp://h?protocol=http", "`protocol=http`: one of http/protobuf, http/json"),
        ("otlp://h?protocol=gRPC", "`protocol=gRPC`: an endpoint over gRPC is `otlp+grpc:`"),
        ("otlp://h?header=a", "`header=Name:value` is needed"),
        ("otlp://h?header=a b:c", "`a b` is no header"),
        ("otlp://h?cert=/c", "`cert` and `key` belong together"),
        ("otlp://h?token=$NO_SUCH_VARIABLE", "`NO_SUCH_VARIABLE` is not set"),
        ("otlp://h?token=@/no/such/token", "/no/such/token can't be read"),
        ("otlp://h?ca=/no/such/file", "/no/such/file can't be read"),
        ("otlp://h?a=b", "no option `a`"),
        ("console+http:", "`console+http` is no known scheme"),
    ] {
        let said = refusal(wrong);
        assert!(said.contains(named), "{said}");
    }
}

#[cfg(feature = "otlp")]
#[test]
fn a_secret_that_begins_like_the_name_of_one_is_not_printed() {
    for url in [
        "otlp://me:@s3cret@h",
        "otlp://me:$s3cret@h",
        "otlp://:@@s3cret%20@h",
        "otlp://h?token=@s3cret",
        "otlp://h?token=$s3cret",
        "otlp://h?header=x-key:@s3cret",
        "otlp://h?header=x-key:$s3cret",
    ] {
        let said = refusal(url);
        assert!(said.contains("no such") && said.contains("of the secret"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[cfg(feature = "http")]
#[test]
fn a_user_may_stand_before_the_host() {
    let auth = |url: &str| {
        let settings = Endpoint::parse(url).unwrap().settings(&[HTTP]).unwrap();
        let secret = match &settings.auth {
            None => "none".to_owned(),
            Some(Auth::Bearer(token)) => format!("token {}", token.read().unwrap()),
            Some(Auth::Basic { user, password }) => format!("{user} {}", password.read().unwrap()),
        };
        (settings.url(), secret)
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "from a file\n").unwrap();
    let path = file.path().display();
    for (url, who) in [
        ("http://h/x", "none".to_owned()),
        ("http://me@h/x", "me ".to_owned()),
        ("http://me:s%20t:%40@h/x", "me s t:@".to_owned()),
        ("http://me:%40home@h/x", "me @home".to_owned()),
        ("http://m%3Ae:%24HOME@h/x", "m:e $HOME".to_owned()),
        ("http://me:$HOME@h/x", format!("me {}", std::env::var("HOME").unwrap())),
        (
            &format!("http://me:@{}@h/x", escape(&path.to_string()).replace('/', "%2F")),
            "me from a file".to_owned(),
        ),
        ("http://me:pw@h/x?token=t", "token t".to_owned()),
    ] {
        assert_eq!(auth(url), ("http://h/x".to_owned(), who), "{url}");
    }
}
