//! What the compiler says of wrong arguments. The words are those of one compiler: `rust-version`, which the check runs.
//!
//! `UPDATE_EXPECT=1` writes down what it says now.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Compiles a program, given on standard input or by its path, against a library that cargo has built.
fn compile(program: &str, input: &str, library: &Path) -> Output {
    let into = tempfile::tempdir().unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-name=wrong", "--emit=metadata", "--out-dir"]).arg(into.path());
    rustc.arg("-L").arg(format!("dependency={}", library.parent().unwrap().display()));
    rustc.arg("--extern").arg(format!("telemetry_layer={}", library.display())).arg(program);
    rustc.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = rustc.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What was built for this test: the newest one, as cargo builds before it runs; others may lack features.
fn library() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let built = fs::read_dir(this.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libtelemetry_layer-") && name.ends_with(".rlib")
    };
    let mut ours: Vec<PathBuf> = built.filter(is_ours).collect();
    ours.sort_by_cached_key(|path| Reverse(path.metadata().and_then(|data| data.modified()).ok()));
    let has_macros = |path: &PathBuf| {
        let program = "use telemetry_layer::time_me; #[time_me] fn main() {}";
        compile("-", program, path).status.success()
    };
    ours.into_iter().find(has_macros).expect("a library with its macros beside this test")
}

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
        let output = compile(&format!("ui/{name}.rs"), "", &library);
        assert!(!output.status.success(), "ui/{name}.rs compiles");
        let said = String::from_utf8(output.stderr).unwrap();
        expect_test::expect_file![format!("ui/{name}.stderr")].assert_eq(&of_the_program(&said));
        seen += 1;
    }
    assert!(seen > 0);
}
