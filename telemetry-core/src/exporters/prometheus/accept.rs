//! What a scraper takes: the headers `Accept` and `Accept-Encoding` of its request come in, and the form that suits it best goes
//! out. Whatever they hold, there is one.
//!
//! Source: RFC 9110, sections 12.4 and 12.5; Prometheus, "Content Negotiation".

use super::form::{Escaping, Form, Version};

/// The form that has the greatest weight. Of those that have the same, one that is named goes before a wildcard, and what
/// comes first before the rest.
pub(super) fn form(accept: &str) -> Form {
    let mut best = (Weight::LEAST, Form::DEFAULT);
    for range in split(accept, b',') {
        let offered = Range::read(range);
        if let Some((weight, form)) = offered.and_then(|range| Some((range.weight, range.form()?)))
            && weight > best.0
        {
            best = (weight, form);
        }
    }
    best.1
}

/// Whether a body may be compressed with gzip.
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    let mut any = false;
    for coding in split(accept_encoding, b',') {
        let mut parts = split(coding, b';');
        let name = parts.next().unwrap_or_default();
        let taken = weight(parts).is_some_and(|weight| weight > 0);
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return taken;
        }
        any |= name == "*" && taken;
    }
    any
}

/// How much a form is wanted, in thousandths, and whether it is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight(u16, bool);

impl Weight {
    /// What is not wanted at all.
    const LEAST: Self = Self(0, true);
}

/// One of the media ranges of an `Accept`.
struct Range<'a> {
    media: &'a str,
    weight: Weight,
    version: &'a str,
    proto: &'a str,
    encoding: &'a str,
    escaping: Option<Escaping>,
}

impl<'a> Range<'a> {
    /// None where its weight is no number.
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = split(text, b';');
        let media = parts.next()?;
        let weight = Weight(weight(parts.clone())?, !media.contains('*'));
        let mut range = Self { media, weight, version: "", proto: "", encoding: "", escaping: None };
        for (key, value) in parts.filter_map(parameter) {
            match key {
                _ if key.eq_ignore_ascii_case("version") => range.version = value,
                _ if key.eq_ignore_ascii_case("proto") => range.proto = value,
                _ if key.eq_ignore_ascii_case("encoding") => range.encoding = value,
                _ if key.eq_ignore_ascii_case("escaping") => range.escaping = Escaping::named(value),
                _ => {}
            }
        }
        Some(range)
    }

    /// What it asks for, if there is such a form.
    fn form(&self) -> Option<Form> {
        let is = |media: &str| self.media.eq_ignore_ascii_case(media);
        let version = if is("text/plain") {
            match self.version {
                "" | "0.0.4" => Version::Text0,
                "1.0.0" => Version::Text1,
                _ => return None,
            }
        } else if is("application/openmetrics-text") {
            match self.version {
                "" | "0.0.1" => Version::OpenMetrics0,
                "1.0.0" => Version::OpenMetrics1,
                _ => return None,
            }
        } else if is("application/vnd.google.protobuf") {
            let is_ours = self.proto == "io.prometheus.client.MetricFamily" && self.encoding == "delimited";
            is_ours.then_some(Version::Protobuf)?
        } else if self.media == "*/*" || is("text/*") {
            Version::Text0
        } else if is("application/*") {
            Version::OpenMetrics1
        } else {
            return None;
        };
        Some(Form { version, escaping: self.escaping.unwrap_or(Form::DEFAULT.escaping) })
    }
}

/// The weight among the parameters, in thousandths; all there is where none is given.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let mut weights = parameters.filter_map(parameter).filter(|(key, _)| key.eq_ignore_ascii_case("q"));
    let Some((_, text)) = weights.next() else { return Some(1_000) };
    let weight: f32 = text.parse().ok()?;
    (0.0..=1.0).contains(&weight).then(|| (weight * 1_000.0).round() as u16)
}

/// Key and value; a value may stand in quotes.
fn parameter(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some((key.trim(), inner.unwrap_or(value)))
}

/// The parts of a list, without the blanks around them. What stands in quotes ends none.
fn split(text: &str, end: u8) -> impl Iterator<Item = &str> + Clone {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let at = text.bytes().position(|byte| {
            let is_end = byte == end && !is_quoted;
            is_quoted ^= byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && is_quoted && !is_escaped;
            is_end
        });
        rest = at.map(|at| &text[at + 1..]);
        Some(text[..at.unwrap_or(text.len())].trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(version: Version, escaping: Escaping) -> Form {
        Form { version, escaping }
    }

    #[test]
    fn scrapers_get_what_they_ask_for() {
        let (text, utf8) = (Form::DEFAULT, Escaping::AllowUtf8);
        let metrics = of(Version::OpenMetrics1, Escaping::Underscores);
        let protobuf = of(Version::Protobuf, Escaping::Underscores);
        for (accept, form_of_it) in [
            // Prometheus 2.42, with native histograms and without; 3.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                protobuf,
            ),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                metrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                of(Version::OpenMetrics1, utf8),
            ),
            // A browser, curl, and nothing.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text),
            ("*/*", text),
            ("", text),
            ("text/plain", text),
            ("text/plain;version=1.0.0;escaping=values", of(Version::Text1, Escaping::Values)),
            ("Text/Plain; Version=\"0.0.4\"; Escaping=dots", of(Version::Text0, Escaping::Dots)),
            ("application/openmetrics-text", of(Version::OpenMetrics0, Escaping::Underscores)),
            ("application/*", metrics),
            // What comes first, what is named, what weighs more.
            ("text/plain, application/openmetrics-text;version=1.0.0", text),
            ("*/*, application/openmetrics-text;version=1.0.0", metrics),
            ("text/plain;q=0.2, application/openmetrics-text;version=1.0.0;q=0.201", metrics),
            // What there is not, what is refused, and what is no header.
            ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", text),
            ("application/vnd.google.protobuf", text),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", text),
            ("application/openmetrics-text;version=1.0.0;q=0, */*;q=0", text),
            ("application/openmetrics-text;version=1.0.0;q=x", text),
            ("application/openmetrics-text;version=1.0.0;q=2", text),
            ("application/openmetrics-text;version=1.0.0;escaping=shout", metrics),
            ("application/openmetrics-text;version=1.0.0;x=\"a,b;c\\\"\"", metrics),
            (";,;=\"", text),
        ] {
            assert_eq!(form(accept), form_of_it, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accepts, taken) in [
            ("gzip", true),
            ("GZIP ; q=0.1", true),
            ("deflate, x-gzip", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("*, gzip;q=0", false),
            ("gzip;q=nothing", false),
            ("identity", false),
            ("gzipped", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(accepts), taken, "{accepts}");
        }
    }

    proptest! {
        #[test]
        fn there_is_always_an_answer(accept in "[a-z*/;,=\"\\\\ .0-9q]{0,60}|\\PC{0,40}") {
            let chosen = form(&accept);
            let asked = accept.to_ascii_lowercase();
            prop_assert!(chosen == Form::DEFAULT || asked.contains('/'), "{accept:?}: {chosen:?}");
            takes_gzip(&accept);
        }
    }
}
