//! What the compiler says of wrong arguments. The words are those of one compiler: `rust-version`, which the check runs.
//!
//! `UPDATE_EXPECT=1` writes down what it says now.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use telemetry_tests::compiler::{compile, library, rustc};

/// Without what stands in other files: where that is changes, and whether its text is there depends on the machine.
fn of_the_program(said: &str) -> String {
    let mut text = String::new();
    let mut elsewhere = false;
    for line in said.lines() {
        let (gutter, rest) =
            line.split_at(line.find(|c: char| c != ' ' && !c.is_ascii_digit()).unwrap_or(line.len()));
        if let Some(at) = ["--> ", "::: "].iter().find_map(|arrow| rest.strip_prefix(arrow)) {
            elsewhere = !at.starts_with("ui/");
        } else if !rest.starts_with('|') && rest != "..." {
            elsewhere = false;
        }
        if elsewhere {
            continue;
        }
        // How wide it is depends on the other files too.
        let _ = match gutter.trim() {
            _ if gutter.is_empty() || rest.is_empty() => writeln!(text, "{line}"),
            number => writeln!(text, "{number:>4} {}", rest.trim_end()),
        };
    }
    text
}

#[test]
fn wrong_arguments_are_named_where_they_stand() {
    let library = library();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut seen = 0;
    for name in names.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)) {
        let output = compile(&rustc(), &[], &format!("ui/{name}.rs"), "", &library);
        assert!(!output.status.success(), "ui/{name}.rs compiles");
        let said = String::from_utf8(output.stderr).unwrap();
        expect_test::expect_file![format!("ui/{name}.stderr")].assert_eq(&of_the_program(&said));
        seen += 1;
    }
    assert!(seen > 0);
}
