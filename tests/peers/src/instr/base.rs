//! This bench, built with the crates of another commit: in a git worktree and a target folder that stay for the next
//! time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PEERS: &str = env!("CARGO_MANIFEST_DIR");
/// In the worktree, beside `peers`: the paths to the crates are the same from there.
const OVERLAY: &str = "tests/peers-of-now";

pub struct Base {
    pub program: PathBuf,
    /// The commit, and a line about it.
    pub what: String,
    /// Why it is the bench of that commit, where today's does not compile with its crates.
    pub own_bench: Option<String>,
}

impl Base {
    /// Of that revision, else of where this branch left `origin/main`.
    pub fn build(revision: Option<&str>) -> Result<Self, String> {
        let git = |args: &[&str]| run(Command::new("git").arg("-C").arg(PEERS).args(args));
        let commit = match revision {
            Some(revision) => git(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])?,
            None => git(&["merge-base", "HEAD", "origin/main"])
                .map_err(|why| format!("no merge base with origin/main, so name a commit: --base REV ({why})"))?,
        };
        let top = Path::new(PEERS).ancestors().nth(2).ok_or("this folder lies in no project")?;
        let kept = top.join("target/peers-base");
        let (tree, target) = (kept.join("tree"), kept.join("target"));
        let shown = tree.to_str().ok_or("the path of this folder is not UTF-8")?;
        let in_tree = |args: &[&str]| run(Command::new("git").arg("-C").arg(&tree).args(args));
        if !tree.join(".git").exists() {
            git(&["worktree", "prune"])?;
            git(&["worktree", "add", "--force", "--detach", shown, &commit])?;
        } else if in_tree(&["rev-parse", "HEAD"])? != commit {
            in_tree(&["checkout", "--quiet", "--force", "--detach", &commit])?;
        }
        let overlay = tree.join(OVERLAY);
        fs::create_dir_all(&overlay).map_err(|e| format!("{}: {e}", overlay.display()))?;
        for file in ["Cargo.toml", "Cargo.lock", "src"] {
            mirror(&Path::new(PEERS).join(file), &overlay.join(file)).map_err(|e| format!("{file}: {e}"))?;
        }
        let own_bench = match build(&overlay, &target) {
            Ok(()) => None,
            Err(why) => {
                build(&tree.join("tests/peers"), &target)?;
                Some(why.lines().find(|line| line.starts_with("error")).unwrap_or("it does not build").to_string())
            }
        };
        let what = git(&["log", "-1", "--format=%h %s", &commit])?;
        Ok(Self { program: target.join("release/peers"), what, own_bench })
    }
}

/// Makes `to` what `from` is, and leaves alone what is so already: a build takes a file that was written for changed.
fn mirror(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        let now = fs::read(from)?;
        return if fs::read(to).is_ok_and(|was| was == now) { Ok(()) } else { fs::write(to, now) };
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            let gone = entry.path();
            if gone.is_dir() { fs::remove_dir_all(gone)? } else { fs::remove_file(gone)? }
        }
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        mirror(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// With the toolchain that built this program.
fn build(manifest: &Path, target: &Path) -> Result<(), String> {
    eprintln!("building {}", manifest.display());
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--manifest-path"]).arg(manifest.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    if let Some(toolchain) = option_env!("RUSTUP_TOOLCHAIN") {
        cargo.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    run(&mut cargo).map(drop)
}

/// What it prints, or what it says where it fails.
fn run(command: &mut Command) -> Result<String, String> {
    let o = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    if o.status.success() { Ok(text(&o.stdout)) } else { Err(text(&o.stderr)) }
}
