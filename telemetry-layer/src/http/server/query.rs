//! Queries without the values that are not to be seen.

use std::borrow::Cow;

use telemetry_core::model::Text;

/// Keys that the conventions name.
const SENSITIVE: [&str; 7] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
];

/// A query with `REDACTED` in place of what these keys, or others that are given, have as values.
pub(super) fn redacted<'a>(query: &'a str, more: &[Text]) -> Cow<'a, str> {
    let is_sensitive =
        |key: &str| SENSITIVE.iter().any(|name| is(key, name)) || more.iter().any(|name| is(key, name));
    let key = |pair: &'a str| pair.split_once('=').map(|(key, _)| key).filter(|key| is_sensitive(key));
    if !query.split('&').any(|pair| key(pair).is_some()) {
        return query.into();
    }
    let pairs = query.split('&').map(|pair| match key(pair) {
        Some(key) => Cow::Owned(format!("{key}=REDACTED")),
        None => Cow::Borrowed(pair),
    });
    pairs.collect::<Vec<_>>().join("&").into()
}

/// Whether a key is that name, whatever of it is percent-encoded: the server reads it so.
fn is(key: &str, name: &str) -> bool {
    let mut bytes = key.bytes();
    let decoded = std::iter::from_fn(|| {
        let first = bytes.next()?;
        let mut ahead = bytes.clone();
        let mut digit = || char::from(ahead.next()?).to_digit(16);
        match (first, digit(), digit()) {
            (b'%', Some(high), Some(low)) => {
                bytes = ahead;
                Some((high << 4 | low) as u8)
            }
            _ => Some(first),
        }
    });
    decoded.eq(name.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_values_are_not_seen() {
        let more = ["token".into()];
        for (query, seen) in [
            ("", ""),
            ("q=OpenTelemetry", "q=OpenTelemetry"),
            ("q=OpenTelemetry&sig=aGk%3D", "q=OpenTelemetry&sig=REDACTED"),
            ("sig=a=b&sig=c&x", "sig=REDACTED&sig=REDACTED&x"),
            ("X-Amz-Credential=me&X-Amz-Date=1", "X-Amz-Credential=REDACTED&X-Amz-Date=1"),
            ("%73%69g=a&s%69=b&%sig=c&%7=d", "%73%69g=REDACTED&s%69=b&%sig=c&%7=d"),
            ("Sig=a&signature=b&sig&&=", "Sig=a&signature=b&sig&&="),
            ("token=a&Token=b&sig=", "token=REDACTED&Token=b&sig=REDACTED"),
        ] {
            assert_eq!(redacted(query, &more), seen, "{query}");
        }
        assert!(matches!(redacted("q=a&b=c", &more), Cow::Borrowed(_)), "nothing is copied for nothing");
    }
}
