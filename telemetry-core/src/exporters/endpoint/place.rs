//! Where an endpoint is: `[user@]host[:port][/path]` goes in, the same with a port comes out.

/// With this port, where it has none.
pub(crate) fn with_port(place: &str, port: u16) -> String {
    // The authority is all up to the path, and its port stands behind the last colon that is in no brackets.
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
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
