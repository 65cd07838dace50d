//! Where an endpoint is: `[user@]host[:port][/path]`, and what there is to know of it.

/// Who stands before the host, and the rest.
pub(crate) fn without_user(place: &str) -> (Option<&str>, &str) {
    match place[..authority(place)].rfind('@') {
        Some(at) => (Some(&place[..at]), &place[at + 1..]),
        None => (None, place),
    }
}

/// How much of it stands before the path.
fn authority(place: &str) -> usize {
    place.find('/').unwrap_or(place.len())
}

/// With this port, where it has none.
pub(crate) fn with_port(place: &str, port: u16) -> String {
    let (authority, path) = place.split_at(authority(place));
    let (_, host) = without_user(authority);
    // The port stands behind the last colon that is in no brackets.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if has_port { place.to_owned() } else { format!("{authority}:{port}{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_added_where_there_is_none() {
        for (place, with) in [
            ("host", "host:80"),
            ("host/a:1/b", "host:80/a:1/b"),
            ("host:1", "host:1"),
            ("me:secret@host", "me:secret@host:80"),
            ("me:secret@host:1/", "me:secret@host:1/"),
            ("[::1]", "[::1]:80"),
            ("[::1]:1/a", "[::1]:1/a"),
        ] {
            assert_eq!(with_port(place, 80), with);
        }
    }
}
