//! What an answer other than 2xx means for the items: the only table of statuses.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;

use super::message::said;
use super::place::Place;
use crate::exporters::ExportError;

/// An answer of a receiver that did not take a request.
pub(super) struct Refusal<'a> {
    pub(super) at: &'a Place,
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<&'a str>,
    /// Where a redirect leads.
    pub(super) location: Option<Place>,
    /// How it begins.
    pub(super) body: &'a [u8],
    /// What is hidden where the body repeats it.
    pub(super) secrets: &'a [String],
}

/// A token may be renewed, or an account paid for. It is not asked for more often.
pub(super) const SLOWLY: Duration = Duration::from_secs(30);

impl Refusal<'_> {
    /// Tried again is what OTLP/HTTP names (429, 502, 503, 504), 408, which RFC 9110 lets a client repeat, and, slowly, 401
    /// and 403. OTLP forbids it for the rest of 5xx, 500 among them: the receiver failed by this very request, may have taken
    /// a part of it, and is likely to fail again. With `server_errors`, for receivers that answer so while they are
    /// overloaded, these are tried again too, but for 501 and 505, which no other attempt changes.
    pub(super) fn error(&self, server_errors: bool, now: SystemTime) -> ExportError {
        let asked = self.retry_after.and_then(|text| wait(text, now));
        let text = self.text();
        match self.status.as_u16() {
            413 => ExportError::too_large(text),
            401 | 403 => ExportError::retry_after(asked.unwrap_or_default().max(SLOWLY), text),
            408 | 429 | 502 | 503 | 504 => later(asked, text),
            501 | 505 => ExportError::never(text),
            500..=599 if server_errors => later(asked, text),
            _ => ExportError::never(text),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} answered {}", self.at, self.status.as_u16());
        let reason = self.status.canonical_reason();
        let redirect = self.status.is_redirection().then(|| match &self.location {
            Some(to) => format!(", and redirects (here to {to}) are not followed"),
            None => ", and redirects are not followed".to_owned(),
        });
        let said = Some(said(self.body, self.secrets))
            .filter(|said| !said.is_empty())
            .map(|said| format!(": {said}"));
        for part in [reason.map(|reason| format!(" {reason}")), redirect, said].into_iter().flatten() {
            text.push_str(&part);
        }
        text
    }
}

pub(super) fn later(asked: Option<Duration>, text: String) -> ExportError {
    match asked {
        Some(wait) => ExportError::retry_after(wait, text),
        None => ExportError::retry(text),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). No time at all is no wish.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?,
    };
    Some(wait).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exporters::Again::{self, After, Later, Never, Smaller};

    const NOON: &str = "Fri, 27 Nov 2026 12:00:00 GMT";

    fn refused(status: u16, retry_after: Option<&str>, server_errors: bool) -> Again {
        let at = Place("https://h/x".parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal { at: &at, status, retry_after, location: None, body: b"", secrets: &[] };
        let now = httpdate::parse_http_date(NOON).unwrap();
        refusal.error(server_errors, now).again()
    }

    #[test]
    fn each_status_says_whether_to_try_again() {
        let slowly = After(Duration::from_secs(30));
        for (status, otlp, others) in [
            (301, Never, Never),
            (304, Never, Never),
            (308, Never, Never),
            (400, Never, Never),
            (401, slowly, slowly),
            (403, slowly, slowly),
            (404, Never, Never),
            (405, Never, Never),
            (407, Never, Never),
            (408, Later, Later),
            (409, Never, Never),
            (413, Smaller, Smaller),
            (415, Never, Never),
            (422, Never, Never),
            (429, Later, Later),
            (500, Never, Later),
            (501, Never, Never),
            (502, Later, Later),
            (503, Later, Later),
            (504, Later, Later),
            (505, Never, Never),
            (507, Never, Later),
            (599, Never, Later),
            (600, Never, Never),
        ] {
            assert_eq!(refused(status, None, false), otlp, "{status}");
            assert_eq!(refused(status, None, true), others, "{status} with server errors");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let after = |seconds| After(Duration::from_secs(seconds));
        for (text, again) in [
            ("7", after(7)),
            (" 120 ", after(120)),
            ("0", Later),
            ("Fri, 27 Nov 2026 12:01:30 GMT", after(90)),
            ("Friday, 27-Nov-26 12:00:05 GMT", after(5)),
            ("Fri Nov 27 12:00:05 2026", after(5)),
            (NOON, Later),
            ("Fri, 27 Nov 2026 11:00:00 GMT", Later),
            ("-1", Later),
            ("1.5", Later),
            ("soon", Later),
            ("", Later),
        ] {
            assert_eq!(refused(503, Some(text), false), again, "{text}");
        }
        assert_eq!(refused(401, Some("5"), false), after(30));
        assert_eq!(refused(403, Some("60"), false), after(60));
        assert_eq!(refused(400, Some("5"), false), Never);
        assert_eq!(refused(500, Some("5"), true), after(5));
    }

    #[test]
    fn the_text_names_status_place_and_message() {
        let place = |url: &str| Place(url.parse().unwrap());
        let at = place("https://me:secret@h:4318/v1/traces?token=secret#secret");
        let text = |status, location, body| {
            let refusal = Refusal { at: &at, status, retry_after: None, location, body, secrets: &[] };
            refusal.error(false, SystemTime::UNIX_EPOCH).to_string()
        };
        let begins = "https://h:4318/v1/traces answered";
        assert_eq!(
            text(StatusCode::SERVICE_UNAVAILABLE, None, b"full\nmore"),
            format!("{begins} 503 Service Unavailable: full")
        );
        assert_eq!(text(StatusCode::from_u16(599).unwrap(), None, b""), format!("{begins} 599"));
        assert_eq!(
            text(StatusCode::FOUND, Some(place("http://me:secret@o/y?token=secret")), b""),
            format!("{begins} 302 Found, and redirects (here to http://o/y) are not followed")
        );
        assert_eq!(
            text(StatusCode::FOUND, None, b""),
            format!("{begins} 302 Found, and redirects are not followed")
        );
    }
}
