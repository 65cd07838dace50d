//! What an attribute costs the compiler, and the futures: for each contender a crate with 200 annotated functions.
//!
//! The crates are generated in a temporary folder, with the versions of this workspace. Their dependencies are built
//! once; then cargo compiles each crate alone, round by round, and the CPU time of cargo and rustc together is taken.
//! Ours have to be at or below the best peer, in time and in bytes; where they tell how calls end (`outcome`), the best
//! of those that tell it too.

use crate::median;
use crate::report::num;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

pub const ROUNDS: usize = 7;

#[derive(PartialEq)]
enum Kind {
    Plain,
    Peer,
    Ours,
}
use Kind::{Ours, Peer, Plain};

struct Contender {
    kind: Kind,
    /// Of the generated crate.
    name: &'static str,
    attribute: &'static str,
    /// A dependency of this workspace.
    needs: Option<&'static str>,
}

/// Whether it tells how calls end.
fn tells(name: &str) -> bool {
    name == "time-me-outcome" || name == "autometrics-one"
}

const fn contender(kind: Kind, name: &'static str, attribute: &'static str, needs: Option<&'static str>) -> Contender {
    Contender { kind, name, attribute, needs }
}

const CONTENDERS: [Contender; 9] = [
    contender(Plain, "plain", "", None),
    contender(Ours, "count-me", "#[telemetry_layer::count_me]", Some("telemetry-layer")),
    contender(Ours, "time-me-no-span", "#[telemetry_layer::time_me(span = false)]", Some("telemetry-layer")),
    contender(Ours, "time-me", "#[telemetry_layer::time_me]", Some("telemetry-layer")),
    contender(Ours, "time-me-outcome", "#[telemetry_layer::time_me(outcome)]", Some("telemetry-layer")),
    contender(Peer, "instrument", "#[tracing::instrument]", Some("tracing")),
    contender(Peer, "instrument-skip-all", "#[tracing::instrument(skip_all)]", Some("tracing")),
    contender(Peer, "autometrics-one", "#[autometrics::autometrics]", Some("autometrics")),
    contender(Peer, "fastrace-one", "#[fastrace::trace]", Some("fastrace")),
];

impl Contender {
    fn title(&self) -> &'static str {
        if self.kind == Plain { "no attribute" } else { self.attribute }
    }

    fn manifest(&self) -> String {
        let dependency = self.needs.map_or_else(String::new, dependency);
        let name = self.name;
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n"
        )
    }

    /// 100 functions and 100 async ones, no two of them alike.
    fn library(&self) -> String {
        let (attribute, mut text) = (self.attribute, String::new());
        for n in 0..100 {
            write!(
                text,
                "{attribute}\npub fn now_{n}(a: u64, b: &str) -> u64 {{\n    a.wrapping_mul({n}) + b.len() as u64\n}}\n\
                 {attribute}\npub async fn later_{n}(a: u64, b: String) -> u64 {{\n    \
                 let c = std::future::ready(a).await;\n    c.wrapping_mul({n}) + b.len() as u64\n}}\n"
            )
            .unwrap();
        }
        text
    }

    /// Prints how large futures are.
    fn sizes(&self) -> String {
        let (attribute, krate) = (self.attribute, self.name.replace('-', "_"));
        format!(
            "{attribute}\nasync fn holds(held: [u8; 512]) -> u8 {{\n    std::future::ready(()).await;\n    held[0]\n}}\n\
             fn main() {{\n    let small = {krate}::later_0(1, String::new());\n    let large = holds([0; 512]);\n    \
             println!(\"{{}} {{}}\", size_of_val(&small), size_of_val(&large));\n}}\n"
        )
    }
}

/// As this workspace has it.
fn dependency(name: &str) -> String {
    let here = env!("CARGO_MANIFEST_DIR");
    let is = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| key == name);
    let line = include_str!("../Cargo.toml").lines().find(is).expect("a dependency of this workspace");
    line.replace("\"../../", &format!("\"{here}/../../"))
}

/// A workspace of all contenders; it is gone when this is dropped.
struct Generated(PathBuf);

impl Generated {
    fn new() -> std::io::Result<Self> {
        let all = Self(std::env::temp_dir().join(format!("peers-compile-{}", std::process::id())));
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().expect("it is in a folder"))?;
            std::fs::write(path, text)
        };
        let names = CONTENDERS.map(|one| one.name);
        write(all.0.join("Cargo.toml"), &format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n"))?;
        write(all.0.join("Cargo.lock"), include_str!("../Cargo.lock"))?;
        for one in &CONTENDERS {
            let folder = all.0.join(one.name);
            write(folder.join("Cargo.toml"), &one.manifest())?;
            write(folder.join("src/lib.rs"), &one.library())?;
            write(folder.join("examples/sizes.rs"), &one.sizes())?;
        }
        Ok(all)
    }

    fn cargo(&self, command: &str, one: &Contender, more: &[&str]) -> Result<String, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut run = Command::new(cargo);
        run.current_dir(&self.0).args([command, "--package", one.name, "--target-dir", "target"]).args(more);
        // All of the crate, each time.
        let run = run.env("CARGO_INCREMENTAL", "0").env("CARGO_TERM_COLOR", "never").output();
        let output = run.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &said)
        } else {
            Err(said)
        }
    }

    /// Milliseconds of CPU time to compile that crate, and nothing else.
    fn compile(&self, command: &str, one: &Contender) -> Result<f64, String> {
        let source = self.0.join(one.name).join("src/lib.rs");
        std::fs::write(source, one.library()).map_err(|error| error.to_string())?;
        let before = cpu_of_children();
        let said = self.cargo(command, one, &["--lib", "--offline"])?;
        let spent = cpu_of_children() - before;
        let compiled = said.lines().filter(|line| line.contains("Checking") || line.contains("Compiling"));
        if compiled.count() != 1 {
            return Err(format!("more or less than one crate was compiled: {said}"));
        }
        Ok(spent.as_secs_f64() * 1e3)
    }

    /// Bytes of a future that holds little, and of one that holds 512 bytes.
    fn sizes(&self, one: &Contender) -> Result<[f64; 2], String> {
        let said = self.cargo("run", one, &["--quiet", "--example", "sizes"])?;
        let mut numbers = said.split_whitespace().filter_map(|word| word.parse().ok());
        numbers.next().zip(numbers.next()).map(Into::into).ok_or(said)
    }
}

impl Drop for Generated {
    fn drop(&mut self) {
        let folder: &Path = &self.0;
        if let Err(error) = std::fs::remove_dir_all(folder) {
            eprintln!("{} is left behind: {error}", folder.display());
        }
    }
}

/// Of all children that have ended, and of theirs.
fn cpu_of_children() -> Duration {
    // SAFETY: all zeros is a valid `rusage`, and the call only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage), 0);
        usage
    };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// What of each contender was measured, one number a round.
type Column = [Vec<f64>; CONTENDERS.len()];

fn measure(rounds: usize) -> Result<[Column; 4], String> {
    let all = Generated::new().map_err(|error| error.to_string())?;
    let [mut check, mut build, mut small, mut large]: [Column; 4] = Default::default();
    for (i, one) in CONTENDERS.iter().enumerate() {
        eprintln!("the dependencies of {}", one.name);
        all.cargo("check", one, &["--lib"])?;
        all.cargo("build", one, &["--lib"])?;
        let [few, many] = all.sizes(one)?;
        small[i].push(few);
        large[i].push(many);
    }
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (command, column) in [("check", &mut check), ("build", &mut build)] {
            for (one, ms) in CONTENDERS.iter().zip(column) {
                ms.push(all.compile(command, one)?);
            }
        }
    }
    Ok([check, build, small, large])
}

/// Prints the tables; fails where one of ours is above the best peer.
pub fn run(rounds: usize) -> ExitCode {
    let columns = match measure(rounds) {
        Ok(columns) => columns,
        Err(error) => {
            eprintln!("FAILED: {error}");
            return ExitCode::FAILURE;
        }
    };
    let titles = [
        format!("`cargo check` of 200 functions, ms of CPU time, median of {rounds} rounds (min–max)"),
        format!("`cargo build` of 200 functions, ms of CPU time, median of {rounds} rounds (min–max)"),
        "One future that holds little, bytes".into(),
        "One future that holds 512 bytes, bytes".into(),
    ];
    let (mut met, mut lines) = (0, 0);
    for (title, column) in titles.iter().zip(&columns) {
        println!("\n### {title}\n");
        let each = table(column);
        lines += each.len();
        met += each.into_iter().filter(|met| *met).count();
    }
    println!("\n{met} of {lines} are met");
    if met == lines { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether each of ours is met.
fn table(column: &Column) -> Vec<bool> {
    let medians: Vec<f64> = column.iter().map(|numbers| median(numbers.clone())).collect();
    let all = || CONTENDERS.iter().zip(&medians);
    let least = |is: fn(&Contender) -> bool| all().filter(|(one, _)| is(one)).min_by(|a, b| a.1.total_cmp(b.1));
    let (best, least_of_all) = least(|one| one.kind == Peer).expect("there are peers");
    let of_spans = |one: &Contender| one.kind == Peer && one.needs == Some("tracing");
    let (tracing, least_of_tracing) = least(of_spans).expect("there are peers");
    let (telling, least_of_telling) = least(|one| one.kind == Peer && tells(one.name)).expect("there are peers");
    let (_, plain) = least(|one| one.kind == Plain).expect("there is one without");
    println!(
        "| contender | measured | above no attribute | to the best peer | to the best that tells outcomes | to the best of tracing | met |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut all_met = vec![];
    for ((one, numbers), middle) in CONTENDERS.iter().zip(column).zip(&medians) {
        let (low, high) = numbers.iter().fold((f64::MAX, 0f64), |(l, h), x| (l.min(*x), h.max(*x)));
        let spread = if numbers.len() == 1 { String::new() } else { format!(" ({}–{})", num(low), num(high)) };
        let [to_all, to_telling, to_tracing] =
            [least_of_all, least_of_telling, least_of_tracing].map(|least| middle / least);
        let is_met = if tells(one.name) { to_telling } else { to_all } <= 1.0;
        let met = if one.kind == Ours { if is_met { "yes" } else { "no" } } else { "–" };
        println!(
            "| `{}` | {}{spread} | {} | {to_all:.3} | {to_telling:.3} | {to_tracing:.3} | {met} |",
            one.title(),
            num(*middle),
            num(middle - plain)
        );
        if one.kind == Ours {
            all_met.push(is_met);
        }
    }
    let [best, telling, tracing] = [best, telling, tracing].map(Contender::title);
    println!("\nThe best peer is `{best}`, the best that tells outcomes `{telling}`, the best of tracing `{tracing}`.");
    all_met
}
