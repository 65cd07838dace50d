//! Settings that are wrong are refused by name, and those that nobody reads are named.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::exporters::from_url;
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_tests::SOON;

/// What a program with those variables, and no others of ours, says on standard error.
fn said(test: &str, vars: &[(&str, OsString)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if ["OTEL_", "TELEMETRY_", "RUST_"].iter().any(|prefix| shown.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let output = command.envs(vars.iter().map(|(name, value)| (name, value))).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    said
}

#[test]
#[ignore = "run by the others, with variables"]
fn starts() {
    if let Err(e) = Collector::builder().start() {
        eprintln!("refused: {e}");
    }
}

#[test]
#[ignore = "run by the others, with variables"]
fn starts_by_one_line() {
    match telemetry_layer::init_with(Collector::builder().endpoint("discard:")) {
        Err(e) => eprintln!("refused: {e}"),
        Ok(guard) => drop(guard),
    }
}

#[test]
fn a_variable_that_nobody_reads_is_named_with_the_one_that_is_meant() {
    for (name, want) in [
        ("TELEMETRY_SAMPEL_RATE", "did you mean `TELEMETRY_SAMPLE_RATE`?"),
        ("TELEMETRY_SAMPLERATE", "did you mean `TELEMETRY_SAMPLE_RATE`?"),
        ("TELEMETRY_TAG", "did you mean `TELEMETRY_TAGS`?"),
        ("TELEMETRY_FLUSH_INTERVAL", "did you mean `TELEMETRY_FLUSH_INTERVAL_MS`?"),
        ("telemetry_sample_rate", "did you mean `TELEMETRY_SAMPLE_RATE`?"),
        ("TELEMTRY_SAMPLE_RATE", "did you mean `TELEMETRY_SAMPLE_RATE`?"),
        ("OTEL_SERIVCE_NAME", "did you mean `OTEL_SERVICE_NAME`?"),
        ("OTEL_EXPORTER_OTLP_ENDPONT", "did you mean `OTEL_EXPORTER_OTLP_ENDPOINT`?"),
        ("TELEMETRY_VERBOSITY", "there are TELEMETRY_ENABLED, TELEMETRY_BUFFER_SIZE, "),
    ] {
        let said = said("starts", &[(name, "0.5".into())]);
        let lines: Vec<_> = said.lines().collect();
        let [line] = lines[..] else { panic!("{name}: {said}") };
        assert!(
            line.starts_with(&format!("telemetry: `{name}` is no variable of telemetry; {want}")),
            "{said}"
        );
    }
    for name in ["TELEMETRY", "MY_TELEMETRY_TAGS", "OTEL_PYTHON_LOG_CORRELATION", "OTEL_BLRP_SCHEDULE_DELAY"]
    {
        assert_eq!(said("starts", &[(name, "5".into())]), "", "{name}");
    }
}

#[test]
fn a_misspelt_level_of_the_filter_is_named() {
    for (filter, want) in [
        ("wran", "`RUST_LOG`: `wran` is a target there, and no level; did you mean `warn`?"),
        ("hyper=off,Warning", "`RUST_LOG`: `Warning` is a target there, and no level; did you mean `warn`?"),
        ("shop=debug, infoo", "did you mean `info`?"),
    ] {
        let said = said("starts_by_one_line", &[("RUST_LOG", filter.into())]);
        assert!(said.contains(want) && said.lines().count() == 1, "{said}");
    }
    for filter in ["WARN", "info,shop", "shop=trace,hyper=off", "off", "2", ""] {
        assert_eq!(said("starts_by_one_line", &[("RUST_LOG", filter.into())]), "", "{filter}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt as _;
    let broken = || OsString::from_vec(b"env: pr\xffod\x1b[2J".to_vec());
    for name in
        ["TELEMETRY_TAGS", "TELEMETRY_EXPORT_ENDPOINTS", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"]
    {
        let said = said("starts", &[(name, broken())]);
        assert!(said.starts_with(&format!("refused: {name}=")) && said.lines().count() == 1, "{said}");
    }
    let tags = said("starts", &[("TELEMETRY_TAGS", broken())]);
    assert_eq!(tags, "refused: TELEMETRY_TAGS=env: pr\u{fffd}od\\u{1b}[2J: it is not UTF-8\n");
    let filter = said("starts_by_one_line", &[("RUST_LOG", broken())]);
    assert_eq!(filter, "refused: RUST_LOG=env: pr\u{fffd}od\\u{1b}[2J: it is not UTF-8\n");
    // Those of others are no matter of ours.
    assert_eq!(said("starts", &[("OTEL_PYTHON_TAGS", broken()), ("TAGS", broken())]), "");
    let unknown = said("starts", &[("TELEMETRY_TAGZ", broken())]);
    assert!(unknown.contains("`TELEMETRY_TAGZ` is no variable"), "{unknown}");
    let secret = said(
        "starts",
        &[
            ("TELEMETRY_EXPORT_ENDPOINTS", "otlp://localhost:9?token=$PASS_OF_TELEMETRY".into()),
            ("PASS_OF_TELEMETRY", broken()),
        ],
    );
    assert!(secret.contains("the variable `PASS_OF_TELEMETRY` is not UTF-8"), "{secret}");
}

#[test]
fn variables_without_effect_are_named() {
    for (vars, want) in [
        (vec![("OTEL_TRACES_SAMPLER_ARG", "0.1")], "`OTEL_TRACES_SAMPLER_ARG=0.1` has no effect here"),
        (
            vec![("OTEL_TRACES_SAMPLER", "always_on"), ("OTEL_TRACES_SAMPLER_ARG", "0.1")],
            "`OTEL_TRACES_SAMPLER_ARG=0.1` has no effect here",
        ),
        (
            vec![("OTEL_SDK_DISABLED", "yes")],
            "OTEL_SDK_DISABLED=yes: one of true, false is needed; it counts as false",
        ),
    ] {
        let vars: Vec<_> = vars.into_iter().map(|(name, value)| (name, value.into())).collect();
        assert_eq!(said("starts", &vars), format!("telemetry: {want}\n"));
    }
}

#[test]
fn a_word_that_is_mistyped_is_no_name_of_a_host() {
    for word in ["atuo", "aut", "autoo", "Auro", "of", "offf", "OF", "ofg"] {
        let said = from_url(&format!("discard:?host_tag={word}")).map(drop).unwrap_err().to_string();
        assert!(said.contains("did you mean `") && said.contains(&format!("`tag=host:{word}`")), "{said}");
    }
    for name in ["till-3", "otto", "box", "a", "web1.example.org"] {
        assert!(from_url(&format!("discard:?host_tag={name}")).is_ok(), "{name}");
    }
}

#[test]
fn numbers_out_of_their_range_are_refused_in_code_too() {
    let builder = || Collector::builder().ignore_env();
    for (builder, want) in [
        (builder().configure(|c| c.metrics_bytes = 0), "metrics_bytes=0: "),
        (builder().buffer_bytes(0), "buffer_bytes=0: "),
        (builder().sample_rate(f64::NAN), "sample_rate=NaN: "),
        (builder().sampling(Sampling::new().spans_per_second(-1.0)), "sampling.spans_per_second=-1: "),
        (builder().sampling(Sampling::new().events_per_second(f64::NAN)), "sampling.events_per_second=NaN: "),
        (builder().endpoint("otlp://localhost:9?token="), "it is empty"),
    ] {
        let said = builder.start().map(drop).unwrap_err().to_string();
        assert!(said.contains(want), "{said}");
    }
}

#[test]
#[ignore = "run by the others, in a program of its own"]
fn runs_for_nobody() {
    let clock = ManualClock::new(0);
    let builder = Collector::builder().ignore_env().clock(Clock::manual(&clock));
    let guard = builder.install().unwrap();
    counter("orders").inc();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(6));
        guard.flush(SOON);
    }
    // At its end somebody is there.
    guard.endpoint("discard:").unwrap();
}

#[test]
fn that_nobody_takes_what_is_recorded_is_said_while_the_program_runs() {
    let said = said("runs_for_nobody", &[]);
    assert!(
        said.starts_with("telemetry: what was recorded went nowhere") && said.lines().count() == 1,
        "{said}"
    );
}

#[count_me]
fn counted() {}

#[test]
#[ignore = "run by the others, in a program of its own"]
fn counts_for_nobody() {
    let collector = Collector::builder().ignore_env().endpoint("discard:").start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    // The layer has nothing to record.
    tracing::subscriber::with_default(subscriber, counted);
}

#[test]
fn attributes_that_feed_nobody_are_said_where_there_is_no_span_too() {
    let said = said("counts_for_nobody", &[]);
    assert!(said.contains("attributes and instruments feed nobody") && said.lines().count() == 1, "{said}");
}
