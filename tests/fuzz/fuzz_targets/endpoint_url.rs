//! Any text as the URL of an export endpoint, as a list of them, and as tags.
//!
//! Invariant: a route or an error, never a panic; and neither of them ever prints a secret, wherever the URL has it and
//! whatever stands around it. Tags that can be read are read again from what they print, unless something of it has to stand in
//! quotes there.
//!
//! No input is used that names a file. No route is ever used, so nothing is connected to.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use telemetry_core::Config;
use telemetry_core::exporters::from_url;
use telemetry_core::model::Tags;
use telemetry_fuzz::{Parts, SECRET, needs_files};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Text(Parts<'a>),
    Secret { scheme: u8, place: Place<'a>, host: Parts<'a>, before: Parts<'a>, behind: Parts<'a> },
}

#[derive(Arbitrary, Debug)]
enum Place<'a> {
    Password { user: Parts<'a> },
    User,
    Option { key: u8, options: Parts<'a> },
}

const SCHEMES: [&str; 9] =
    ["otlp", "OTLP+http", "otlp+udp", "otlp+grpc", "discard", "console", "kafka", "https", "clickhouse+tls"];
const KEYS: [&str; 7] =
    ["token", "header=x-tenant:", "password", "api_key", "Authorization", "secret.of", "cookie"];

fuzz_target!(|input: Input<'_>| match input {
    Input::Text(text) => {
        let text = text.text();
        if let Ok(tags) = Tags::parse(&text) {
            let shown = tags.to_string();
            if !shown.contains('"') {
                assert_eq!(Tags::parse(&shown), Ok(tags));
            }
        }
        let get = |name: &str| (name == "TELEMETRY_EXPORT_ENDPOINTS").then(|| text.clone());
        let config = Config::default().with_vars(get).expect("a list of URLs is read when they are used");
        for url in config.export_endpoints.iter().chain([&text]) {
            if !needs_files(url) {
                let _ = from_url(url);
            }
        }
    }
    Input::Secret { scheme, place, host, before, behind } => {
        let scheme = SCHEMES[usize::from(scheme) % SCHEMES.len()];
        let host: String = host.text().chars().filter(|c| !"/?#@&=".contains(*c)).collect();
        // What stands behind an unescaped `?` may be an option, whose value has a `@`.
        let userinfo = |text: Parts<'_>| text.text().replace('?', "");
        let url = match place {
            Place::Password { user } => {
                let user: String = user.text().chars().filter(|c| !"/?#".contains(*c)).collect();
                format!("{scheme}://{user}:{}{SECRET}{}@{host}", userinfo(before), userinfo(behind))
            }
            Place::User => format!("{scheme}://{}{SECRET}{}@{host}", userinfo(before), userinfo(behind)),
            Place::Option { key, options } => {
                // What stands behind a `&` is another option, and behind a `$` the name of a variable.
                let before = before.text().replace(['&', '$'], "");
                let key = KEYS[usize::from(key) % KEYS.len()];
                let equals = if key.contains('=') { "" } else { "=" };
                let (options, behind) = (options.text(), behind.text());
                format!("{scheme}://{host}?{options}&{key}{equals}{before}{SECRET}{behind}")
            }
        };
        if !needs_files(&url) {
            keeps_secret(&url);
        }
    }
});

fn keeps_secret(url: &str) {
    let said = match from_url(url) {
        Ok(route) => format!("{route:?}"),
        Err(e) => format!("{e} {e:?} {}", sources(&e)),
    };
    assert!(!said.contains(SECRET), "{url}\n{said}");
    // In a list a comma has to be escaped.
    let url = url.replace(',', "");
    let get = |name: &str| (name == "TELEMETRY_EXPORT_ENDPOINTS").then(|| url.clone());
    let said = format!("{:?}", Config::default().with_vars(get));
    assert!(!said.contains(SECRET), "{url}\n{said}");
}

fn sources(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .map(|error| format!("{error} {error:?} "))
        .collect()
}
