//! The machine: its name, its architecture, its id.

use super::source::{Pair, read, trimmed};
use crate::model::Value;

pub(super) fn attributes(var: impl Fn(&str) -> Option<String>, is_contained: bool) -> [Pair; 3] {
    let id =
        || ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| machine_id(&read(path)?));
    [
        ("host.name", name(var).map(Value::from)),
        ("host.arch", Some(arch(std::env::consts::ARCH).into())),
        ("host.id", if is_contained { None } else { id().map(Value::from) }),
    ]
}

/// As the system says it.
pub(crate) fn name(var: impl Fn(&str) -> Option<String>) -> Option<String> {
    let of_file = |path: &str| trimmed(&read(path)?);
    let of_var = |name: &str| trimmed(&var(name)?);
    of_file("/proc/sys/kernel/hostname")
        .or_else(|| of_file("/etc/hostname"))
        .or_else(|| of_var("HOSTNAME"))
        .or_else(|| of_var("COMPUTERNAME"))
}

/// As systemd writes it (machine-id(5)): 32 hexadecimal digits. `uninitialized` is none.
fn machine_id(text: &str) -> Option<String> {
    let is_id = |id: &String| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    trimmed(text).filter(is_id)
}

/// As OpenTelemetry names what Rust calls so.
fn arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_machine_id_is_one_or_none() {
        let id = "b08dfa6083e7567a1921a715000001fb";
        assert_eq!(machine_id(&format!("{id}\n")).as_deref(), Some(id));
        for none in ["", "\n", "uninitialized\n", "b08dfa60", "b08dfa6083e7567a1921a715000001fz"] {
            assert_eq!(machine_id(none), None, "{none:?}");
        }
    }

    #[test]
    fn architectures_have_the_names_of_the_conventions() {
        assert_eq!(
            ["x86_64", "aarch64", "s390x", "riscv64"].map(arch),
            ["amd64", "arm64", "s390x", "riscv64"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".*") {
            machine_id(&text);
        }
    }
}
