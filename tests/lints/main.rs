//! What rustc and clippy say of a function, they say of it with an attribute too: of its name, its types, its body. A text
//! with many shapes is compiled with each attribute and without one; what differs is listed here, with the reason.
//!
//! Where clippy is not installed, rustc's lints are compared alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use telemetry_tests::compiler::{clippy, compile, library, rustc};

const SHAPES: &str = include_str!("shapes.rs");

/// An attribute: as it is written on any function, on one that returns a `Result`, and on one that never returns.
struct Attribute {
    any: &'static str,
    result: &'static str,
    never: &'static str,
}

const NONE: Attribute = all("#[rustfmt::skip]");

const ATTRIBUTES: [Attribute; 11] = [
    all("#[telemetry_layer::count_me]"),
    all(r#"#[telemetry_layer::count_me(name = "a", value = 2, tags(a = "b", c = 1 + 1))]"#),
    Attribute {
        any: "#[telemetry_layer::count_me(outcome)]",
        result: "#[telemetry_layer::count_me(outcome, error_type)]",
        ..all("#[telemetry_layer::count_me]")
    },
    all("#[telemetry_layer::time_me]"),
    all("#[telemetry_layer::time_me(active)]"),
    all("#[telemetry_layer::time_me(span = false, buckets = [0.5])]"),
    all(r#"#[telemetry_layer::time_me(name = "a", fields(a = 1), tags(a = "b", c = 1 + 1))]"#),
    Attribute {
        any: "#[telemetry_layer::time_me(span = false, outcome)]",
        ..all("#[telemetry_layer::time_me(span = false)]")
    },
    Attribute {
        any: "#[telemetry_layer::time_me(outcome)]",
        result: "#[telemetry_layer::time_me(outcome, err, error_type = |e| e)]",
        ..all("#[telemetry_layer::time_me]")
    },
    all("#[telemetry_layer::count_me] #[telemetry_layer::time_me]"),
    all("#[telemetry_layer::time_me] #[telemetry_layer::count_me]"),
];

const fn all(any: &'static str) -> Attribute {
    Attribute { any, result: any, never: any }
}

impl Attribute {
    fn says(&self, word: &str) -> bool {
        self.any.contains(word)
    }
}

/// A lint that an attribute silences.
struct Difference {
    lint: &'static str,
    /// For which attributes.
    of: fn(&Attribute) -> bool,
    #[expect(dead_code, reason = "it is for those who read this list")]
    reason: &'static str,
}

const ANY: fn(&Attribute) -> bool = |_| true;
const LOOKS: fn(&Attribute) -> bool = |attribute| attribute.says("outcome");
const CLOSURE: &str =
    "the result is looked at, so the body is a closure, where `return` and `?` end; it takes what it uses";

const DIFFERENCES: [Difference; 11] = [
    Difference { lint: "clippy::missing_const_for_fn", of: ANY, reason: "what is recorded is not constant" },
    Difference {
        lint: "clippy::manual_async_fn",
        of: ANY,
        reason: "as an `async fn` it would be measured from its first poll, not from its call",
    },
    Difference {
        lint: "unused_braces",
        of: ANY,
        reason: "the braces of the body stay within ours, and those of a block in them can't be told from them",
    },
    Difference {
        lint: "clippy::must_use_candidate",
        of: |attribute| attribute.says("fields"),
        reason: "`tracing::span!` registers a static, which is an effect",
    },
    Difference {
        lint: "clippy::needless_return",
        of: |attribute| attribute.says("outcome") || attribute.says("time_me"),
        reason: "what waits in a span is an `async` block, which ends at `return`; else as below",
    },
    Difference { lint: "clippy::boxed_local", of: LOOKS, reason: CLOSURE },
    Difference { lint: "clippy::needless_lifetimes", of: LOOKS, reason: CLOSURE },
    Difference { lint: "clippy::needless_pass_by_ref_mut", of: LOOKS, reason: CLOSURE },
    Difference { lint: "clippy::needless_pass_by_value", of: LOOKS, reason: CLOSURE },
    Difference { lint: "clippy::unnecessary_wraps", of: LOOKS, reason: CLOSURE },
    Difference { lint: "unconditional_recursion", of: LOOKS, reason: CLOSURE },
];

/// The lints that speak, each with its line.
fn lints(attribute: &Attribute) -> BTreeSet<(String, u64)> {
    let text = SHAPES
        .replace("#[measured]", attribute.any)
        .replace("#[measured(block)]", attribute.any)
        .replace("#[measured(result)]", attribute.result)
        .replace("#[measured(never)]", attribute.never);
    let mut args =
        vec!["--crate-type=lib", "--error-format=json", "-Wmissing_docs", "-Wunused", "-Wunreachable_pub"];
    let clippy = clippy();
    if clippy.is_some() {
        args.extend(["-Wclippy::all", "-Wclippy::pedantic", "-Wclippy::nursery"]);
    }
    let output = compile(&clippy.unwrap_or_else(rustc), &args, "-", &text, &library());
    let said = String::from_utf8(output.stderr).unwrap();
    let said = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    said.filter_map(|said| {
        let lint = said["code"]["code"].as_str()?.to_owned();
        assert!(!lint.starts_with('E'), "{}: {}", attribute.any, said["rendered"]);
        let place = said["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
        Some((lint, place["line_start"].as_u64()?))
    })
    .collect()
}

#[test]
fn attributes_leave_lints_as_they_are() {
    let bare = lints(&NONE);
    let mut used = [false; DIFFERENCES.len()];
    let mut wrong = String::new();
    for attribute in &ATTRIBUTES {
        let measured = lints(attribute);
        let mut say = |what, lint: &str, line: u64| {
            let text = SHAPES.lines().nth(line as usize - 1).unwrap_or_default();
            writeln!(wrong, "{}: {what} {lint} at {line}: {}", attribute.any, text.trim()).unwrap();
        };
        for (lint, line) in bare.difference(&measured) {
            match DIFFERENCES.iter().position(|known| known.lint == lint && (known.of)(attribute)) {
                Some(known) => used[known] = true,
                None => say("no", lint, *line),
            }
        }
        measured.difference(&bare).for_each(|(lint, line)| say("a new", lint, *line));
    }
    assert!(wrong.is_empty(), "{wrong}");
    let is_compared = |lint: &str| clippy().is_some() || !lint.starts_with("clippy::");
    let unused = DIFFERENCES.iter().zip(used).filter(|(known, used)| !used && is_compared(known.lint));
    let unused: Vec<&str> = unused.map(|(known, _)| known.lint).collect();
    assert!(unused.is_empty(), "no differences any more: {unused:?}");
}
