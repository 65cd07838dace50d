//! Spools that can't be.

use std::fs;

use telemetry_layer::exporters::{Discard, Route, SpoolMode};
use telemetry_layer::prelude::*;

fn refusal(url: &str) -> String {
    Collector::builder().ignore_env().endpoint(url).start().unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let spool = place.path().join("spool").display().to_string();
    for (url, said) in [
        (format!("console:?spool={spool}"), format!("spool={spool}: only exporters over a network have one")),
        (format!("discard:?spool={spool}"), format!("spool={spool}: only exporters over a network have one")),
        (
            "otlp://localhost?spool_bytes=7".to_owned(),
            "`spool_bytes` needs a directory: `spool=DIR`".to_owned(),
        ),
        (
            format!("otlp://localhost?spool={spool}&spool_bytes=0"),
            "`spool_bytes=0`: a whole number above 0 is needed".to_owned(),
        ),
        (
            format!("otlp://localhost?spool={spool}&spool_mode=often"),
            "`spool_mode=often`: one of off, on_failure, always is needed".to_owned(),
        ),
        ("otlp://localhost?spool=".to_owned(), "`spool=`: a directory is needed".to_owned()),
        (format!("otlp://localhost?spool={}", file.display()), format!("spool={}", file.display())),
        (
            format!("otlp://localhost?spool={}/below", file.display()),
            format!("spool={}/below", file.display()),
        ),
    ] {
        let refused = refusal(&url);
        assert!(refused.contains(&said), "{url}: {refused}");
    }
    assert!(!place.path().join("spool").exists());
    let route = Route::new(Discard::new()).spool(&spool);
    let refused = Collector::builder().ignore_env().exporter(route).start().unwrap_err();
    assert_eq!(refused.to_string(), format!("spool={spool}: only exporters over a network have one"));
    let refused =
        Collector::builder().ignore_env().exporter(Route::new(Discard::new()).spool_bytes(7)).start();
    assert_eq!(refused.unwrap_err().to_string(), "spool_bytes=7: a directory is needed too (`spool`)");
    // Off is off.
    let route = Route::new(Discard::new()).spool(&spool).spool_mode(SpoolMode::Off);
    drop(Collector::builder().ignore_env().exporter(route).start().unwrap());
    drop(
        Collector::builder()
            .ignore_env()
            .endpoint(format!("otlp://localhost:1?spool={spool}&spool_mode=off"))
            .start()
            .unwrap(),
    );
    assert!(!place.path().join("spool").exists());
}
