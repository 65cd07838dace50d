use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Otel, Error> {
    Otel::read(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

fn urls(vars: &[(&str, &str)]) -> Vec<String> {
    read(vars).unwrap().endpoints
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318");

#[test]
fn nothing_is_exported_unless_a_variable_says_so() {
    assert!(urls(&[]).is_empty());
    assert!(urls(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), ("OTEL_SERVICE_NAME", "shop")]).is_empty());
    assert_eq!(urls(&[ENDPOINT]), ["otlp+http://h:4318"]);
    assert_eq!(urls(&[("OTEL_TRACES_EXPORTER", "otlp")]), ["otlp+http://localhost:4318?signals=spans"]);
    assert!(urls(&[("OTEL_TRACES_EXPORTER", "none")]).is_empty());
    let one = [ENDPOINT, ("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "console, otlp")];
    assert_eq!(urls(&one), ["otlp+http://h:4318?signals=spans,events", "console:?signals=events"]);
}

#[test]
fn endpoints_and_what_belongs_to_one_signal() {
    for (var, value, want) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://h", "otlp+https://h"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "HTTP://h/base", "otlp+http://h:80/base"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]", "otlp+http://[::1]:80"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:$pw@h/$a", "otlp+http://me:%24pw@h:80/$a"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:@pw@h", "otlp+https://me:%40pw@h"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x", "otlp+http://t:1/x?exact=true&signals=spans"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://t:1", "otlp+http://t:1?exact=true&signals=events"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://t:1", "otlp+http://t:1?exact=true&signals=metrics"),
    ] {
        assert_eq!(urls(&[(var, value)]), [want]);
    }
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/v1/traces");
    let want =
        ["otlp+https://t/v1/traces?exact=true&signals=spans", "otlp+http://h:4318?signals=events,metrics"];
    assert_eq!(urls(&[ENDPOINT, traces]), want);
}

#[test]
fn over_grpc_a_scheme_may_be_missing() {
    const OTLP: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
    const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";
    for (endpoint, insecure, want) in [
        ("http://h:4317", "", "otlp+grpc://h:4317"),
        ("http://h", "", "otlp+grpc://h:80"),
        ("https://h:4317", "true", "otlp+grpcs://h:4317"),
        ("https://h", "", "otlp+grpcs://h"),
        ("h:4317", "", "otlp+grpcs://h:4317"),
        ("h:4317", "false", "otlp+grpcs://h:4317"),
        ("h:4317", "TRUE", "otlp+grpc://h:4317"),
    ] {
        let vars = [(OTLP, "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), (INSECURE, insecure)];
        assert_eq!(urls(&vars), [want], "{endpoint} {insecure}");
    }
    assert_eq!(
        urls(&[(OTLP, "GRPC"), ("OTEL_LOGS_EXPORTER", "otlp")]),
        ["otlp+grpc://localhost:4317?signals=events"]
    );
    let one = [
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "t:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true"),
    ];
    assert_eq!(urls(&one), ["otlp+grpc://t:1?signals=spans", "otlp+http://h:4318?signals=events,metrics"]);
}

#[test]
fn each_variable_of_otlp_is_an_option() {
    for (var, value, option) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, d=$e,", "header=a:b%20c&header=d:%24e"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP", "compression=gzip"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", "compression=none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/JSON", "protocol=http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "250", "timeout_ms=250"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/a,b.pem", "ca=/a%2Cb.pem"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "temporality=delta"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory", "temporality=delta"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "60000", "flush_interval_ms=60000"),
    ] {
        assert_eq!(urls(&[ENDPOINT, (var, value)]), [format!("otlp+http://h:4318?{option}")]);
    }
    let protobuf = [ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")];
    assert_eq!(urls(&protobuf), ["otlp+http://h:4318"]);
    let pair =
        [("OTEL_EXPORTER_OTLP_CLIENT_KEY", "k"), ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "c"), ENDPOINT];
    assert_eq!(urls(&pair), ["otlp+http://h:4318?cert=c&key=k"]);
    let own = [ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")];
    let want =
        ["otlp+http://h:4318?compression=gzip&signals=spans", "otlp+http://h:4318?signals=events,metrics"];
    assert_eq!(urls(&own), want);
    let batch = [ENDPOINT, ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512")];
    let want =
        ["otlp+http://h:4318?max_items=512&signals=spans", "otlp+http://h:4318?signals=events,metrics"];
    assert_eq!(urls(&batch), want);
}

#[test]
fn metrics_may_be_scraped_and_sent_too() {
    const METRICS: (&str, &str) = ("OTEL_METRICS_EXPORTER", "prometheus");
    const HOST: &str = "OTEL_EXPORTER_PROMETHEUS_HOST";
    const PORT: &str = "OTEL_EXPORTER_PROMETHEUS_PORT";
    assert_eq!(urls(&[METRICS]), ["prometheus://localhost:9464"]);
    assert_eq!(
        urls(&[("OTEL_METRICS_EXPORTER", "Prometheus,otlp"), ENDPOINT]),
        ["otlp+http://h:4318", "prometheus://localhost:9464"]
    );
    for (host, port, want) in [
        ("0.0.0.0", "0", "prometheus://0.0.0.0:0"),
        ("::1", "1", "prometheus://[::1]:1"),
        ("[::]", "9464", "prometheus://[::]:9464"),
        (" h ", " 7 ", "prometheus://h:7"),
    ] {
        assert_eq!(urls(&[METRICS, (HOST, host), (PORT, port)]), [want]);
    }
    for (var, value) in
        [(PORT, "http"), (PORT, "65536"), (PORT, "-1"), (HOST, "h/x"), (HOST, "me@h"), (HOST, "a b")]
    {
        let said = read(&[METRICS, (var, value)]).map(drop).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{var}={value}: a ")), "{said}");
    }
    // Nobody is to be scraped: what they say has no effect, and is not looked at.
    assert!(urls(&[(PORT, "http")]).is_empty());
}

#[test]
fn the_resource_the_sampler_and_the_rest() {
    let otel = read(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=a, k%20=v%2Cw,x=")]).unwrap();
    assert_eq!(otel.service_name.as_deref(), Some("a"));
    let text = |key: &'static str, value: &str| (Text::from(key), Value::Str(value.to_owned()));
    assert_eq!(otel.attributes, [text("k ", "v,w"), text("x", "")]);
    let both = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=a"), ("OTEL_SERVICE_NAME", " b ")];
    assert_eq!(read(&both).unwrap().service_name.as_deref(), Some("b"));
    for (sampler, arg, rate) in [
        ("always_on", "0.5", 1.0),
        ("always_off", "", 0.0),
        ("traceidratio", "0.25", 0.25),
        ("parentbased_traceidratio", "", 1.0),
        ("parentbased_always_on", "", 1.0),
        ("ParentBased_Always_Off", "", 0.0),
    ] {
        let vars = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", arg)];
        assert_eq!(read(&vars).unwrap().sample_rate, Some(rate), "{sampler}");
    }
    let delays = [("OTEL_BSP_SCHEDULE_DELAY", "5000"), ("OTEL_BLRP_SCHEDULE_DELAY", "1000")];
    assert_eq!(read(&delays).unwrap().flush_interval, Some(Duration::from_secs(1)));
    for (value, disabled) in [("true", true), ("TRUE", true), ("false", false), ("1", false), ("yes", false)]
    {
        let config = read(&[("OTEL_SDK_DISABLED", value)]).unwrap().apply(Config::default());
        assert_eq!(config.enabled, !disabled, "{value}");
    }
    assert!(read(&[("OTEL_SDK_DISABLED", " "), ("OTEL_TRACES_SAMPLER", "")]).unwrap().sample_rate.is_none());
}

#[test]
fn what_is_malformed_is_named() {
    for (var, value, named) in [
        ("OTEL_CONFIG_FILE", "x.yaml", "can't be read yet"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote", "one of always_on"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s", "a whole number above 0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "a whole number above 0"),
        ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "-1", "a whole number above 0"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "one of otlp, console, none"),
        ("OTEL_LOGS_EXPORTER", "prometheus", "one of otlp, console, none is needed"),
        ("OTEL_METRICS_EXPORTER", "zipkin", "one of otlp, console, none, prometheus"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a", "`key=value,key=value`"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz", "two hexadecimal digits"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=b", "a key is empty"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml", "one of http/protobuf, http/json, grpc"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "br", "one of gzip, none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "a whole number above 0"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a", "`key=value,key=value`"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", "one of cumulative"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "h:4318", "`http://` or `https://`"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h?x=y", "can't have a query"),
    ] {
        let said = read(&[ENDPOINT, (var, value)]).map(drop).expect_err(var).to_string();
        assert!(said.contains(var) && said.contains(named), "{said}");
    }
    assert!(
        read(&[("OTEL_METRIC_EXPORT_INTERVAL", "abc")]).unwrap_err().to_string().contains("INTERVAL=abc")
    );
    let arg = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
    assert!(read(&arg).unwrap_err().to_string().contains("OTEL_TRACES_SAMPLER_ARG=2"));
}

#[test]
fn a_refused_endpoint_prints_no_password() {
    for wrong in ["http://me:s3cret@h?x=y", "ftp://me:s3cret@h", "http://me:s3#cret@h"] {
        let said = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)]).unwrap_err().to_string();
        assert!(said.contains("://***@h") && !said.contains("cret"), "{said}");
    }
}
