//! The program as a service: its name where nobody gives one, and which of its instances this is.

use std::path::Path;

use crate::thread::random_u64;

/// What OpenTelemetry calls a service that nobody named, but shorter: the program's file name.
pub(crate) fn program_name() -> String {
    let path = std::env::current_exe().ok();
    let stem = path.as_deref().and_then(Path::file_stem);
    stem.map_or_else(|| "unknown_service".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// A random UUID (RFC 9562, version 4).
pub(super) fn instance_id() -> String {
    uuid(u128::from(random_u64()) << 64 | u128::from(random_u64()))
}

fn uuid(random: u128) -> String {
    let (version, variant) = (0xf << 76, 0b11 << 62);
    let id = random & !version & !variant | 4 << 76 | 0b10 << 62;
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_uuid_of_its_own() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_ne!(instance_id(), instance_id());
    }
}
