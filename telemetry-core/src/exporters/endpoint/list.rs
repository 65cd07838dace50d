//! `TELEMETRY_EXPORT_ENDPOINTS`: a list with commas goes in, its URLs come out as they are written.

pub(super) const SCHEMES: [&str; 13] = [
    "chrome-trace",
    "console",
    "discard",
    "file",
    "graphite",
    "http",
    "https",
    "influxdb",
    "librato",
    "opentsdb",
    "otlp",
    "prometheus",
    "statsd",
];

/// The URLs of a list with commas between them. Options may be lists too: behind a `?`, what is no URL belongs to the one
/// before.
pub(crate) fn split_urls(list: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for part in list.split(',') {
        match urls.last_mut().filter(|last| goes_on(last, part.trim())) {
            Some(last) => {
                last.push(',');
                last.push_str(part);
            }
            None => urls.push(part.trim_start().to_owned()),
        }
    }
    let is_end = |c: char| c == ',' || c.is_whitespace();
    urls.iter_mut().for_each(|url| url.truncate(url.trim_end_matches(is_end).len()));
    urls.retain(|url| !url.is_empty());
    urls
}

/// Whether a part is one more value of the last option of a URL.
fn goes_on(url: &str, part: &str) -> bool {
    let Some((_, query)) = url.split_once('?') else { return false };
    let last = query.rsplit('&').next().and_then(|option| option.split('=').next());
    // The values of these look like URLs themselves.
    let is_tags = matches!(last, Some("tag" | "tags"));
    !has_known_scheme(part) && (is_tags || !is_url(part))
}

fn has_known_scheme(part: &str) -> bool {
    let scheme = part.split([':', '+']).next().unwrap_or_default();
    part.len() > scheme.len() && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
}

/// `shop::pay` is the name of an event.
fn is_url(part: &str) -> bool {
    let is_scheme = |scheme: &str| {
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    part.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.starts_with(':'))
}
