//! `OTEL_*`: a case for each variable, wrong values included, and who wins.

use std::collections::BTreeMap;
use std::process::Command;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use telemetry_layer::Builder;
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;

#[path = "otlp_receiver.rs"]
mod receiver;
use receiver::receiver;

/// What a program with those variables, and no others of ours, prints.
fn program(test: &str, vars: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"])
        .env_remove("RUST_BACKTRACE");
    for (name, _) in std::env::vars_os() {
        let shown = name.to_string_lossy();
        if shown.starts_with("OTEL_") || shown.starts_with("TELEMETRY_") {
            command.env_remove(name);
        }
    }
    let output = command.envs(vars.iter().copied()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{vars:?}\n{out}\n{err}");
    let mut said: BTreeMap<_, _> = out
        .lines()
        .filter_map(|line| line.split_once(" is "))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    said.insert("stderr".to_owned(), err.into_owned());
    said
}

/// What a collector from the environment runs with.
#[test]
#[ignore = "run by the others, with variables"]
fn shows_its_settings() {
    match Collector::builder().default_endpoint("discard:?rate=7").start() {
        Err(e) => println!("\nerror is {e}"),
        Ok(collector) => {
            let config = collector.config();
            println!("\nenabled is {}", config.enabled);
            println!("sample_rate is {}", config.sample_rate);
            println!("flush_interval is {:?}", config.flush_interval);
            println!("propagators is {:?}", config.propagators);
            println!("endpoints is {}", config.export_endpoints.join(" "));
            for (key, value) in collector.resource().attributes() {
                println!("{key} is {value:?}");
            }
        }
    }
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:9");

#[test]
fn each_variable_does_what_the_table_says() {
    for (vars, what, want) in [
        (vec![], "endpoints", "discard:?rate=7"),
        (vec![ENDPOINT], "endpoints", "otlp+http://localhost:9"),
        (vec![("OTEL_SDK_DISABLED", "true")], "enabled", "false"),
        (vec![("OTEL_SERVICE_NAME", "till")], "service.name", "Str(\"till\")"),
        (
            vec![("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=a%2Cb")],
            "deployment.environment.name",
            "Str(\"a,b\")",
        ),
        (
            vec![("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")],
            "sample_rate",
            "0.5",
        ),
        (vec![("OTEL_TRACES_SAMPLER", "always_off")], "sample_rate", "0"),
        (vec![("OTEL_TRACES_SAMPLER", "xray")], "error", "OTEL_TRACES_SAMPLER=xray: one of always_on"),
        (vec![], "propagators", "[TraceContext, Baggage]"),
        (vec![("OTEL_PROPAGATORS", "b3multi, baggage,b3multi")], "propagators", "[B3Multi, Baggage]"),
        (vec![("OTEL_PROPAGATORS", "None")], "propagators", "[]"),
        (vec![("OTEL_PROPAGATORS", "b3"), ("TELEMETRY_PROPAGATORS", "baggage")], "propagators", "[Baggage]"),
        (
            vec![("OTEL_PROPAGATORS", "tracecontext,jaeger")],
            "error",
            "`jaeger` is not there: one of tracecontext",
        ),
        (vec![("OTEL_PROPAGATORS", "none,b3")], "error", "OTEL_PROPAGATORS=none,b3: `none` stands alone"),
        (vec![("OTEL_BSP_SCHEDULE_DELAY", "2000")], "flush_interval", "2s"),
        (vec![("OTEL_BLRP_SCHEDULE_DELAY", "x")], "error", "OTEL_BLRP_SCHEDULE_DELAY=x"),
        (vec![("OTEL_LOGS_EXPORTER", "console")], "endpoints", "console:?signals=events"),
        (
            vec![("OTEL_TRACES_EXPORTER", "none"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?signals=events,metrics",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://localhost:9/m")],
            "endpoints",
            "otlp+http://localhost:9/m?exact=true&signals=metrics",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?header=api-key:secret",
        ),
        (vec![("OTEL_EXPORTER_OTLP_HEADERS", "secret"), ENDPOINT], "error", "OTEL_EXPORTER_OTLP_HEADERS"),
        (
            vec![("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?compression=gzip",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_TIMEOUT", "9"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?timeout_ms=9",
        ),
        (vec![("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/file"), ENDPOINT], "error", "/no/file"),
        (
            vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?protocol=http/json",
        ),
        (vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ENDPOINT], "endpoints", "otlp+grpc://localhost:9"),
        (
            vec![
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:9"),
            ],
            "endpoints",
            "otlp+grpc://localhost:9",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"), ENDPOINT],
            "error",
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/xml",
        ),
        (
            vec![("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?temporality=delta",
        ),
        (
            vec![("OTEL_METRIC_EXPORT_INTERVAL", "60000"), ENDPOINT],
            "endpoints",
            "otlp+http://localhost:9?flush_interval_ms=60000",
        ),
        (
            vec![("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "100"), ("OTEL_LOGS_EXPORTER", "otlp")],
            "endpoints",
            "otlp+http://localhost:4318?max_items=100&signals=events",
        ),
        (vec![("OTEL_CONFIG_FILE", "otel.yaml")], "error", "OTEL_CONFIG_FILE=otel.yaml"),
    ] {
        shows(&vars, what, want);
    }
}

#[test]
fn metrics_may_be_scraped() {
    let vars = |host, port| {
        vec![
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_EXPORTER_PROMETHEUS_HOST", host),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", port),
        ]
    };
    shows(&vars("127.0.0.1", "0"), "endpoints", "prometheus://127.0.0.1:0");
    let served = program("shows_its_settings", &vars("127.0.0.1", "0"));
    assert!(served["stderr"].contains("metrics are served at http://127.0.0.1:"), "{served:?}");
    shows(
        &vars("127.0.0.1", "http"),
        "error",
        "OTEL_EXPORTER_PROMETHEUS_PORT=http: a number from 0 to 65535",
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = format!("can't be served at http://127.0.0.1:{port}/metrics");
    shows(&vars("127.0.0.1", &port), "error", &said);
}

#[test]
fn who_wins_is_as_the_design_says() {
    for (vars, what, want) in [
        (vec![ENDPOINT, ("TELEMETRY_EXPORT_ENDPOINTS", "discard:")], "endpoints", "discard:"),
        (vec![("OTEL_SDK_DISABLED", "true"), ("TELEMETRY_ENABLED", "true")], "enabled", "true"),
        (vec![("OTEL_TRACES_SAMPLER", "always_off"), ("TELEMETRY_SAMPLE_RATE", "0.1")], "sample_rate", "0.1"),
        (
            vec![("OTEL_SERVICE_NAME", "a"), ("TELEMETRY_TAGS", "service.name: b")],
            "service.name",
            "Str(\"b\")",
        ),
        (
            vec![("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"), ("OTEL_SERVICE_NAME", "b")],
            "service.name",
            "Str(\"b\")",
        ),
    ] {
        shows(&vars, what, want);
    }
}

/// A program with these variables says that of one of its settings.
#[track_caller]
fn shows(vars: &[(&str, &str)], what: &str, want: &str) {
    let said = program("shows_its_settings", vars);
    let found = said.get(what).unwrap_or_else(|| panic!("{vars:?}: {said:?}"));
    assert!(if what == "error" { found.contains(want) } else { found == want }, "{vars:?}: {found}");
    assert!(!said.get("error").is_some_and(|error| error.contains("secret")), "{said:?}");
}

#[test]
fn an_endpoint_that_is_wrong_is_named_with_where_it_stands() {
    let refused = |builder: Builder| builder.start().map(drop).unwrap_err().to_string();
    let own = refused(Collector::builder().ignore_env().endpoint("kafka://x"));
    let default = refused(Collector::builder().ignore_env().default_endpoint("kafka://x"));
    assert!(
        own == default && own.starts_with("the export endpoint `kafka://x` can't be used"),
        "{own}; {default}"
    );
}

#[test]
fn what_is_malformed_fails_the_start_by_name() {
    for (name, value) in [
        ("OTEL_CONFIG_FILE", "otel.yaml"),
        ("OTEL_EXPERIMENTAL_CONFIG_FILE", "otel.yaml"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_METRICS_EXPORTER", "zipkin"),
        ("OTEL_LOGS_EXPORTER", "logging"),
        ("OTEL_LOGS_EXPORTER", "prometheus"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "-1"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "many"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/xml"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "secret"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "br"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
    ] {
        shows(&[ENDPOINT, (name, value)], "error", name);
    }
    let arg = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    shows(&arg, "error", "OTEL_TRACES_SAMPLER_ARG=2");
    // Files and what stands in them are for the client to read.
    for (name, said) in [
        ("CERTIFICATE", "/no/file"),
        ("CLIENT_CERTIFICATE", "`cert` and `key` belong together"),
        ("CLIENT_KEY", "`cert` and `key` belong together"),
    ] {
        shows(&[ENDPOINT, (&format!("OTEL_EXPORTER_OTLP_{name}"), "/no/file")], "error", said);
    }
}

#[test]
fn variables_without_effect_are_named() {
    for name in [
        "OTEL_ENTITIES",
        "OTEL_LOG_LEVEL",
        "OTEL_METRICS_EXEMPLAR_FILTER",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BLRP_MAX_QUEUE_SIZE",
        "OTEL_BSP_EXPORT_TIMEOUT",
        "OTEL_BLRP_EXPORT_TIMEOUT",
        "OTEL_METRIC_EXPORT_TIMEOUT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_EVENT_COUNT_LIMIT",
        "OTEL_SPAN_LINK_COUNT_LIMIT",
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
    ] {
        let said = program("shows_its_settings", &[(name, "7")]);
        assert!(said["stderr"].contains(&format!("`{name}=7` has no effect here")), "{said:?}");
    }
    let as_it_is = [("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based")];
    assert_eq!(program("shows_its_settings", &as_it_is)["stderr"], "");
}

#[test]
#[ignore = "run by the others, with variables"]
fn records_a_span() {
    let collector = Collector::builder().start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || tracing::info_span!("order").in_scope(|| ()));
    assert!(collector.shutdown(SOON).is_complete());
}

#[test]
fn a_program_that_runs_with_opentelemetrys_variables_runs_with_us() {
    let (address, received) = receiver();
    program(
        "records_a_span",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}")),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop%20one"),
            ("OTEL_SERVICE_NAME", "till"),
            ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=till-7"),
        ],
    );
    let request = ExportTraceServiceRequest::decode(received.bodies("/v1/traces").remove(0)).unwrap();
    let of = &request.resource_spans[0];
    assert_eq!(of.scope_spans[0].spans[0].name, "order");
    let shown = format!("{:?}", of.resource);
    assert!(shown.contains("till-7") && shown.contains("StringValue(\"till\")"), "{shown}");
    let all = received.0.lock().unwrap();
    assert!(all.iter().all(|(_, headers, _)| headers["x-tenant"] == "shop one"));
}
