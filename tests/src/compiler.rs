//! Compiles programs against the library that cargo has built for the tests.

use std::cmp::Reverse;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The compiler that cargo uses.
pub fn rustc() -> PathBuf {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()).into()
}

/// The same with clippy's lints, where it is installed.
///
/// # Panics
///
/// If the compiler does not say where it is.
pub fn clippy() -> Option<PathBuf> {
    let said = Command::new(rustc()).args(["--print", "sysroot"]).output().expect("a compiler");
    let root = String::from_utf8(said.stdout).expect("a path");
    let driver =
        Path::new(root.trim()).join("bin/clippy-driver").with_extension(std::env::consts::EXE_EXTENSION);
    driver.exists().then_some(driver)
}

/// Compiles a program, given on standard input (`-`) or by its path in `tests`, against a library.
///
/// # Panics
///
/// If the compiler can't be started.
pub fn compile(compiler: &Path, args: &[&str], program: &str, input: &str, library: &Path) -> Output {
    let into = tempfile::tempdir().expect("a directory");
    let beside = library.parent().expect("it is a file");
    let mut rustc = Command::new(compiler);
    rustc.args(["--edition=2024", "--crate-name=compiled", "--emit=metadata", "--out-dir"]).arg(into.path());
    rustc.arg("-L").arg(format!("dependency={}", beside.display())).args(args);
    rustc.arg("--extern").arg(format!("telemetry_layer={}", library.display())).arg(program);
    rustc.current_dir(env!("CARGO_MANIFEST_DIR"));
    rustc.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = rustc.spawn().expect("a compiler");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it is read");
    child.wait_with_output().expect("its output")
}

/// What was built for this test: the newest one, as cargo builds before it runs; others may lack features.
///
/// # Panics
///
/// If there is none.
pub fn library() -> PathBuf {
    let this = std::env::current_exe().expect("a test");
    let built = fs::read_dir(this.parent().expect("it is a file")).expect("a directory");
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libtelemetry_layer-") && name.ends_with(".rlib")
    };
    let mut ours: Vec<PathBuf> = built.flatten().map(|entry| entry.path()).filter(is_ours).collect();
    ours.sort_by_cached_key(|path| Reverse(path.metadata().and_then(|data| data.modified()).ok()));
    let has_macros = |path: &PathBuf| {
        let program = "use telemetry_layer::time_me; #[time_me] fn main() {}";
        compile(&rustc(), &[], "-", program, path).status.success()
    };
    ours.into_iter().find(has_macros).expect("a library with its macros beside this test")
}
