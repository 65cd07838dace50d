//! The documentation of endpoints, made from what is declared of them, and what it promises.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use proptest::prelude::*;

use super::declared::SCHEMES;
use super::scheme::{Row, Scheme, Table};
use super::{from_url, list};
use crate::exporters::{Driver, Target};

/// The page, in Markdown.
fn page() -> String {
    let mut page = "| URL | exporter |\n| --- | --- |\n".to_owned();
    for (url, what) in SCHEMES.iter().flat_map(|scheme| scheme.urls) {
        writeln!(page, "| {url} | {what} |").unwrap();
    }
    let tables = tables();
    for scheme in SCHEMES.iter().filter(|scheme| !scheme.text.is_empty()) {
        write!(page, "\n## {}\n\n{}", names(scheme), scheme.text).unwrap();
    }
    page.push_str(
        "\n## Options\n\nAll of them, with an example of each, and what there is where nothing is said:\n\n",
    );
    page.push_str("| option | endpoints | default | what it does |\n| --- | --- | --- | --- |\n");
    for table in &tables {
        table.rows.iter().for_each(|row| put(&mut page, row, table.endpoints));
    }
    for scheme in SCHEMES {
        scheme.own.iter().for_each(|row| put(&mut page, row, &names(scheme)));
    }
    for text in tables.iter().rev().map(|table| table.text).filter(|text| !text.is_empty()) {
        write!(page, "\n{text}").unwrap();
    }
    page
}

fn names(scheme: &Scheme) -> String {
    let names: Vec<_> = scheme.names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn put(page: &mut String, row: &Row, endpoints: &str) {
    let Row { key, default, example, what, .. } = row;
    writeln!(page, "| `{key}={example}` | {endpoints} | {default} | {what} |").unwrap();
}

/// Those that schemes share, each once.
fn tables() -> Vec<&'static Table> {
    let mut tables: Vec<&Table> = Vec::new();
    for table in SCHEMES.iter().flat_map(|scheme| scheme.shared) {
        if tables.iter().all(|known| known.endpoints != table.endpoints) {
            tables.push(table);
        }
    }
    tables
}

/// Each option of each scheme.
fn rows() -> impl Iterator<Item = (&'static Scheme, &'static Row)> {
    SCHEMES.iter().flat_map(|scheme| {
        let shared = scheme.shared.iter().flat_map(|table| table.rows);
        scheme.own.iter().chain(shared).map(|row| (*scheme, row))
    })
}

/// A URL with that option in the place of one of the same name; files that it names are in that directory.
fn with(url: &str, option: &str, files: &Path) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let key = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let given: Vec<_> = option.split('&').map(key).collect();
    let kept = query.split('&').filter(|option| !option.is_empty() && !given.contains(&key(option)));
    let all: Vec<_> = kept.chain([option]).collect();
    let url = format!("{place}?{}", all.join("&"));
    ["/etc/telemetry", "/var/log/shop"]
        .iter()
        .fold(url, |url, place| url.replace(place, files.to_str().unwrap()))
}

/// What examples name: a certificate of its own, and a token.
fn files() -> tempfile::TempDir {
    let files = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let put = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
    put("ca.pem", &made.cert.pem());
    put("cert.pem", &made.cert.pem());
    put("key.pem", &made.signing_key.serialize_pem());
    put("token", "hush-hush");
    files
}

/// `UPDATE_EXPECT=1` writes it.
#[test]
fn the_documentation_says_what_is_declared() {
    expect_file!["endpoints.md"].assert_eq(&page());
}

#[test]
fn every_scheme_is_documented() {
    let mut known: Vec<_> = SCHEMES.iter().flat_map(|scheme| scheme.names).copied().collect();
    known.sort_unstable();
    assert_eq!(known, list::SCHEMES);
}

#[test]
fn an_option_is_declared_once() {
    for scheme in SCHEMES {
        let mut keys: Vec<_> =
            rows().filter(|(of, _)| of.names == scheme.names).map(|(_, row)| row.key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "{:?}", scheme.names);
    }
}

/// What is no words.
fn default(row: &Row) -> Option<&'static str> {
    let value = row.default.strip_prefix('`')?.strip_suffix('`')?;
    Some(value).filter(|value| !value.contains('`'))
}

/// One of the URLs of the scheme takes it.
fn is_taken(scheme: &Scheme, option: &str, files: &Path) {
    let made = scheme.examples.iter().map(|url| from_url(&with(url, option, files)).map(drop));
    let refused: Vec<_> = made.map_while(Result::err).map(|e| e.to_string()).collect();
    assert!(refused.len() < scheme.examples.len(), "{option}: {refused:#?}");
}

/// So each of them is asked for: what nobody takes is refused.
#[test]
fn every_example_can_be_used() {
    let files = files();
    for (scheme, row) in rows() {
        is_taken(scheme, &format!("{}={}", row.key, row.example), files.path());
    }
}

#[test]
fn every_default_can_be_written() {
    let files = files();
    for (scheme, row) in rows() {
        if let Some(value) = default(row) {
            is_taken(scheme, &format!("{}={value}", row.key), files.path());
        }
    }
    // Of what any exporter is served with, it can be seen.
    let terms = |url: &str| format!("{:?}", from_url(url).unwrap().terms);
    for (_, row) in rows().filter(|(scheme, _)| scheme.names == ["discard"]) {
        if let Some(value) = default(row) {
            let url = format!("discard:?{}={value}", row.key);
            assert_eq!(terms(&url), terms("discard:"), "{url}");
        }
    }
}

/// Where a secret may stand: before the host, in an option, in a variable, in a file.
fn secrets(scheme: &Scheme, secret: &str, files: &Path) -> Vec<String> {
    let mut urls = Vec::new();
    let example = scheme.examples[0];
    let place = example.split_once("://").map(|(name, rest)| (name, rest.rsplit('@').next().unwrap_or(rest)));
    let transports = ["", "+http", "+https", "+grpc", "+tcp", "+tls", "+udp"];
    if let Some((name, host)) = place {
        for transport in transports {
            urls.push(format!("{name}{transport}://me:{secret}@{host}"));
            urls.push(format!("{name}{transport}://{secret}@{host}"));
            urls.push(format!(
                "{name}{transport}://me:@{}@{host}",
                files.join("token").to_str().unwrap().replace('/', "%2F")
            ));
            urls.push(format!("{name}{transport}://me:$PATH@{host}"));
        }
    }
    let base = place.map_or(example.to_owned(), |(name, host)| format!("{name}://me:{secret}@{host}"));
    for option in [
        format!("token={secret}"),
        format!("header=x-key:{secret}"),
        format!("password={secret}"),
        "token=$PATH".to_owned(),
        "header=x-key:$PATH".to_owned(),
        format!("token=@{}", files.join("token").display()),
        format!("header=x-key:@{}", files.join("token").display()),
        format!("api_key={secret}"),
    ] {
        urls.push(with(&base, &option, files));
        urls.push(with(example, &option, files));
    }
    // Something else is wrong too.
    let wrong: Vec<_> = urls
        .iter()
        .flat_map(|url| ["rate=x", "nonsense=1", "tag=a"].map(|wrong| with(url, wrong, files)))
        .collect();
    urls.into_iter().chain(wrong).collect()
}

/// What is said of a URL, of the exporter that is made of it, and by it when it finds nobody.
fn said(url: &str, runtime: &tokio::runtime::Runtime) -> String {
    let route = match from_url(url) {
        Ok(route) => route,
        Err(e) => return format!("{e} {e:?} {} {}", e.url(), e.reason()),
    };
    let mut said = format!("{route:?}");
    if let Target::Pushed(Driver::Network(protocol)) = route.target {
        said += protocol.name();
        // A name that nobody has: nothing leaves this machine.
        if url.contains("localhost") {
            let checked =
                async { tokio::time::timeout(std::time::Duration::from_secs(1), protocol.check()).await };
            if let Ok(Err(e)) = runtime.block_on(checked) {
                write!(said, "{e} {e:?}").unwrap();
            }
        }
    }
    said
}

#[test]
fn no_secret_is_printed_whatever_the_scheme_and_wherever_it_stands() {
    const SECRET: &str = "pA55w0rd-hush";
    let files = files();
    std::fs::write(files.path().join("token"), SECRET).unwrap();
    let path = std::env::var("PATH").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for scheme in SCHEMES {
        for url in secrets(scheme, SECRET, files.path()) {
            let url = url.replace("metrics-api.librato.com", "localhost:1");
            let said = said(&url, &runtime);
            assert!(!said.contains(SECRET) && !said.contains(&path), "{url}\n{said}");
        }
    }
}

proptest! {
    #[test]
    fn no_option_of_any_scheme_breaks_the_reading(at in 0..10_000_usize, value in ".{0,20}") {
        let all: Vec<_> = rows().collect();
        let (scheme, row) = all[at % all.len()];
        // Files and directories stay what they are.
        if !["file", "chrome-trace"].contains(&scheme.names[0]) {
            let _ = from_url(&format!("{}?{}={}", scheme.examples[0].split('?').next().unwrap(), row.key, value));
        }
    }
}
