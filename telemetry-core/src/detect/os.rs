//! The operating system, as os-release(5) says it.

use super::source::{Pair, read, trimmed};
use crate::model::Value;

pub(super) fn attributes() -> [Pair; 4] {
    let release = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| read(path));
    let release = release.unwrap_or_default();
    [
        ("os.type", Some(kind(std::env::consts::OS).into())),
        ("os.name", field(&release, "NAME")),
        ("os.version", field(&release, "VERSION_ID")),
        ("os.description", field(&release, "PRETTY_NAME")),
    ]
}

/// As OpenTelemetry names what Rust calls so.
fn kind(os: &str) -> &str {
    match os {
        "macos" => "darwin",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

/// The value of an assignment as a shell reads it; of several, the last one.
fn field(release: &str, name: &str) -> Option<Value> {
    let mut assigned = release.lines().rev().filter_map(|line| line.trim().split_once('='));
    let (_, value) = assigned.find(|(key, _)| *key == name)?;
    trimmed(&unquoted(value)).map(Value::from)
}

fn unquoted(value: &str) -> String {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(literal) = within('\'') {
        return literal.to_owned();
    }
    let mut text = String::new();
    let mut chars = within('"').unwrap_or(value).chars();
    while let Some(next) = chars.next() {
        text.extend(if next == '\\' { chars.next() } else { Some(next) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(release: &str) -> [Option<Value>; 3] {
        ["NAME", "VERSION_ID", "PRETTY_NAME"].map(|name| field(release, name))
    }

    fn texts(texts: [&str; 3]) -> [Option<Value>; 3] {
        texts.map(|text| Some(text).filter(|text| !text.is_empty()).map(Value::from))
    }

    #[test]
    fn the_forms_of_distributions_are_read() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
            VERSION=\"12 (bookworm)\"\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n";
        assert_eq!(fields(debian), texts(["Debian GNU/Linux", "12", "Debian GNU/Linux 12 (bookworm)"]));
        let arch = "NAME=\"Arch Linux\"\nPRETTY_NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n";
        assert_eq!(fields(arch), texts(["Arch Linux", "", "Arch Linux"]));
        let own = "# NAME=no\n\n  NAME=plain\r\nVERSION_ID='3\\4'\nPRETTY_NAME=\"a \\\"b\\\" \\$c\"\nVERSION_ID=\"\"\n";
        assert_eq!(fields(own), texts(["plain", "", "a \"b\" $c"]));
        assert_eq!(unquoted("'3\\4'"), "3\\4");
        assert_eq!(unquoted("\""), "\"");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(NAME=)?[\"'\\\\=a\n]*|.*") {
            fields(&text);
        }
    }
}
