//! speedscope, as npm has it, opens a file in a headless Chromium, and lists its frames with their times.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use telemetry_tests::process::missing;
use tracing::{Dispatch, dispatcher, info, info_span};

use crate::trace::{Trace, nanos};

/// Its page, where `.ci/run` has put it, or somebody else by `npm install speedscope`.
fn page() -> Option<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = top.join("target/node/node_modules/speedscope/dist/release/index.html");
    let has_browser =
        Command::new("chromium").arg("--version").output().is_ok_and(|out| out.status.success());
    if page.exists() && has_browser { Some(page) } else { missing("speedscope and chromium") }
}

/// What the page shows of a file: the texts of its elements, one a line.
fn shown(page: &Path, trace: &Path, view: &str, directory: &Path) -> Vec<String> {
    let script = directory.join("script.js");
    let content = STANDARD.encode(fs::read(trace).unwrap());
    fs::write(&script, format!("speedscope.loadFileFromBase64('trace.json', '{content}')")).unwrap();
    let url = format!("file://{}#localProfilePath={}&view={view}", page.display(), script.display());
    let mut browser = Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]);
    browser.args(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
    browser.args(["--disable-quic", "--disable-sync", "--allow-file-access-from-files"]);
    // Of its own clock, which stands still while something is loaded.
    browser.args(["--virtual-time-budget=10000", "--window-size=1200,600"]);
    browser.arg(format!("--user-data-dir={}", directory.join("browser").display()));
    if let Some(picture) = std::env::var_os("CHROME_TRACE_PICTURE") {
        let mut picture_of = Command::new("chromium");
        picture_of.args(browser.get_args()).arg(format!("--screenshot={}", Path::new(&picture).display()));
        let url = url.replace("view=sandwich", "view=time-ordered");
        assert!(picture_of.arg(url).output().unwrap().status.success());
    }
    let out = browser.arg("--dump-dom").arg(&url).output().unwrap();
    let dom = String::from_utf8(out.stdout).unwrap();
    let body = &dom[dom.find("<body>").unwrap_or_else(|| panic!("{dom}"))..];
    let texts = body.split('<').filter_map(|part| Some(part.split_once('>')?.1.trim()));
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// As speedscope writes a time: four significant digits are compared.
fn micros(text: &str) -> Option<f64> {
    let (number, _) = text.split_once(" (")?;
    let units = [("ns", 1e-3), ("\u{b5}s", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (unit, of) = units.iter().find(|(unit, _)| number.ends_with(unit))?;
    Some(number.strip_suffix(unit)?.parse::<f64>().ok()? * of)
}

#[test]
fn speedscope_opens_it_and_shows_its_frames() {
    let Some(page) = page() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let url = format!("chrome-trace:{}?args=false", path.display());
    let (collector, _) = telemetry_tests::collector(|b| b.endpoint(url).tag("service.name", "till"));
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    let spin = |rounds: u64| (0..rounds * 10_000).fold(0_u64, |sum, n| std::hint::black_box(sum ^ n));
    let work = || {
        dispatcher::with_default(&dispatch, || {
            let _checkout = info_span!("checkout <&>").entered();
            for item in 0..5 {
                let _item = info_span!("price item").entered();
                spin(item + 1);
                info_span!("look up").in_scope(|| spin(3));
            }
            info_span!("pay").in_scope(|| spin(20));
            info!("done");
        });
        collector.counter("orders").inc();
    };
    std::thread::Builder::new().name("cashier".to_owned()).spawn_scoped_and_joined(work);
    assert!(collector.shutdown(SOON).is_complete());
    let trace = Trace::read(&path);
    let texts = shown(&page, &path, "sandwich", directory.path());
    let all = texts.iter().fold(String::new(), |mut all, text| {
        let _ = writeln!(all, "{text}");
        all
    });
    let pid = &trace.0[0]["pid"];
    let tid = &trace.one("X", "pay")["tid"];
    assert!(all.contains(&format!("till (pid {pid}), cashier (tid {tid})")), "{all}");
    for (name, shown_as) in [
        ("checkout <&>", "checkout &lt;&amp;&gt;"),
        ("price item", "price item"),
        ("look up", "look up"),
        ("pay", "pay"),
    ] {
        let spans = trace.of("X").filter(|span| span["name"] == name);
        let total = spans.map(|span| nanos(&span["dur"])).sum::<u64>() as f64 / 1e3;
        // Total and self stand in front of the name.
        let at = texts.iter().position(|text| text == shown_as).unwrap_or_else(|| panic!("{name}: {all}"));
        let shown = texts[..at].iter().rev().filter_map(|text| micros(text)).nth(1);
        let shown = shown.unwrap_or_else(|| panic!("{name}: {all}"));
        assert!((shown - total).abs() <= total * 0.006, "{name}: {shown} and not {total}: {all}");
    }
}

/// `thread::scope` with one thread that has a name.
trait SpawnScopedAndJoined {
    fn spawn_scoped_and_joined(self, work: impl FnOnce() + Send);
}

impl SpawnScopedAndJoined for std::thread::Builder {
    fn spawn_scoped_and_joined(self, work: impl FnOnce() + Send) {
        std::thread::scope(|scope| self.spawn_scoped(scope, work).unwrap().join().unwrap());
    }
}
