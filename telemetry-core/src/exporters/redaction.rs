//! What is printed of an endpoint's URL: a URL goes in, the same without its secrets comes out. The URL may be wrong in any way.

use std::ops::Range;

pub(crate) const HIDDEN: &str = "***";

/// The URL with `***` in place of user and password, and of the values of options whose names say that they are secret.
pub(crate) fn redacted(url: &str) -> String {
    let mut hidden = userinfo(url);
    if let Some(hidden) = &mut hidden
        && ends_in_secret(&url[hidden.clone()])
    {
        hidden.end += url[hidden.end..].find('&').unwrap_or(url.len() - hidden.end);
    }
    let behind = hidden.as_ref().map_or(0, |hidden| hidden.end);
    // Where a wrong port was taken for a password, this may have ended among the options.
    let is_query = hidden.as_ref().is_some_and(|hidden| url[hidden.clone()].contains('?'));
    let mut shown = hidden.map_or_else(String::new, |hidden| format!("{}{HIDDEN}", &url[..hidden.start]));
    match url[behind..].split_once('?') {
        _ if is_query => shown.push_str(&options(&url[behind..])),
        None => shown.push_str(&url[behind..]),
        Some((place, query)) => {
            shown.push_str(place);
            shown.push('?');
            shown.push_str(&options(query));
        }
    }
    shown
}

/// Whether the value of an option is never printed.
pub(crate) fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 9] =
        ["auth", "cookie", "credential", "header", "key", "pass", "pwd", "secret", "token"];
    let key = key.to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}

/// Where user and password stand, or what may be a part of them: both may hold characters that had to be escaped and are not.
fn userinfo(url: &str) -> Option<Range<usize>> {
    let is_scheme = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let start = url.find("://").filter(|colon| is_scheme(&url[..*colon])).map(|colon| colon + 3);
    let behind = &url[start.unwrap_or(0)..];
    let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
    let is_path = start.is_none() || authority.is_empty();
    if is_path && url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
        return None;
    }
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let of_ip_v6 = authority.find(']').filter(|_| authority.starts_with('[')).unwrap_or(0);
    let colon = authority[of_ip_v6..].find(':').map(|colon| of_ip_v6 + colon);
    // The beginning of a password looks like a port.
    let password = colon
        .filter(|colon| start.is_some() && !authority.contains('@') && !is_port(&authority[colon + 1..]));
    let before_options = || behind.split('?').next().and_then(|place| place.rfind('@'));
    let at = if password.is_some() { behind.rfind('@') } else { before_options() };
    let start = start.unwrap_or(0);
    match (at, password) {
        (Some(at), _) => Some(start..start + at),
        (None, Some(colon)) => Some(start + colon + 1..start + authority.len()),
        (None, None) => None,
    }
}

/// Whether it ends among options, in the value of one that is secret.
fn ends_in_secret(hidden: &str) -> bool {
    let last = hidden.split_once('?').and_then(|(_, query)| query.rsplit('&').next());
    last.and_then(|option| option.split_once('=')).is_some_and(|(key, _)| is_secret(key))
}

fn options(query: &str) -> String {
    let mut is_behind_secret = false;
    let shown = |option: &str| match option.split_once('=') {
        Some((key, _)) if is_secret(key) => {
            is_behind_secret = true;
            format!("{key}={HIDDEN}")
        }
        // The rest of a secret that has a `&`.
        None if is_behind_secret => HIDDEN.to_owned(),
        _ => option.to_owned(),
    };
    query.split('&').map(shown).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_hidden_however_they_are_written() {
        for (url, shown) in [
            ("kafka://me:s3cret@host:9092/topic?rate=1", "kafka://***@host:9092/topic?rate=1"),
            ("KAFKA+TLS://s3cret@host", "KAFKA+TLS://***@host"),
            ("https:/me:s3cret@host", "***@host"),
            ("https:///me:s3cret@host/", "https://***@host/"),
            ("me:s3cret@host:80?tag=a:b", "***@host:80?tag=a:b"),
            ("me:s3cret@http://host", "***@http://host"),
            ("https://me:s3@cret@host/x", "https://***@host/x"),
            ("https://me:s3/cret@host/x", "https://***@host/x"),
            ("https://me:s3#cret@host/x", "https://***@host/x"),
            ("https://me:s3?cret@host/x", "https://***@host/x"),
            ("https://s3/cret@host", "https://***@host"),
            ("https://me:s3", "https://me:***"),
            ("https://é:ü@ö?token=ä", "https://***@ö?token=***"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn values_of_options_that_are_called_secret_are_hidden() {
        for (url, shown) in [
            ("x:?token=s3cret&rate=1", "x:?token=***&rate=1"),
            ("x://h:43l8?tags=mail:a@b&token=s3cret?&rate=1", "x://***@b&token=***&rate=1"),
            ("x://h:43l8?tags=mail:a@b&token=s3cret", "x://***@b&token=***"),
            ("x://h:43l8?token=s3c@s3cret&rate=1", "x://***&rate=1"),
            ("x://h:43l8?token=s3c@s3cret", "x://***"),
            ("x://h:43l8?&auth=?@s3cret?&/", "x://***&/"),
            ("x://h:43l8?tags=a:b@c&token=d?s3cret", "x://***@c&token=***"),
            (
                "https://h?API_KEY=a=b&Password=c&headers=d:e",
                "https://h?API_KEY=***&Password=***&headers=***",
            ),
            ("https://h?rate=1&x&secret=s3&cret&rate=1", "https://h?rate=1&x&secret=***&***&rate=1"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for url in [
            "",
            "é",
            "file:/var/a@b/é?keep=4&rotate_bytes=x",
            "File:///var/a@b",
            "https://host:4318/v1/traces?tag=owner:me@host&signals=spans",
            "https://[::1]:4318",
            "https://[::1]/",
            "console:?tag=url:http://a@b",
            "kafka:9x",
        ] {
            assert_eq!(redacted(url), url);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it_and_no_password_is_left(
            text in ".*",
            password in "[a-z:?&=/#%é]*@?[a-z/#é]*",
            path in "[a-z/]*",
        ) {
            let _ = redacted(&text);
            let shown = redacted(&format!("https://me:XYZ{password}@host/{path}"));
            assert_eq!(shown, format!("https://***@host/{path}"));
        }
    }
}
