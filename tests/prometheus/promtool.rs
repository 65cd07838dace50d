//! `promtool check metrics`: Prometheus' own parser of text, and its lints.

use std::io::Write as _;
use std::process::{Command, Stdio};

use telemetry_layer::exporters::{Prometheus, Translation};
use telemetry_tests::process::{missing, succeeds};

use crate::record;

/// What it may find fault with: it is so because the program that is measured named it so, or said nothing of it.
const ALLOWED: [&str; 5] = [
    "no help text",
    "counter metrics should have \"_total\" suffix",
    "metric names should not contain abbreviated units",
    "use base unit",
    "non-histogram and non-summary metrics should not have",
];

#[test]
fn promtool_takes_every_page() {
    if !succeeds(Command::new("promtool").arg("--version")) {
        return missing("promtool").unwrap_or_default();
    }
    let page = Prometheus::new();
    let collector = record(&page);
    for translation in [
        Translation::UnderscoreEscapingWithSuffixes,
        Translation::UnderscoreEscapingWithoutSuffixes,
        Translation::NoUtf8EscapingWithSuffixes,
        Translation::NoTranslation,
    ] {
        let page = page.clone().translation(translation);
        for accept in
            ["", "text/plain;version=0.0.4;escaping=values", "text/plain;version=0.0.4;escaping=dots"]
        {
            checked(&page.respond(accept, "").into_body());
        }
    }
    drop(collector);
}

fn checked(page: &[u8]) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(page).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let others = said.lines().filter(|line| !ALLOWED.iter().any(|allowed| line.contains(allowed)));
    let others: Vec<&str> = others.collect();
    assert!(others.is_empty(), "{others:#?}\n{}", String::from_utf8_lossy(page));
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
}
