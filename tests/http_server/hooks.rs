//! What a program may choose.

use std::process::Command;

use axum::http::{HeaderMap, HeaderName, Method};
use axum::routing::{any, get};
use axum::{Extension, Router};
use telemetry_layer::{HttpServerLayer, RequestSpan, inject_headers, time_me};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    ACTIVE, CALLER, DURATION, duration, fields, head, read, request, run_at, send, serve, served, tag,
};

fn app(layer: HttpServerLayer) -> Router {
    let routes = Router::new().route("/users/{id}", get(|| async { "user" }));
    routes.route("/health", any(|| async { "well" })).layer(layer)
}

#[test]
fn requests_that_are_left_out_are_seen_nowhere() {
    let layer = HttpServerLayer::new().skip(|request| request.uri.path() == "/health");
    let served = served(app(layer), &[&head("GET /health"), &head("PUT /health?a"), &head("GET /users/7")]);
    assert!(served.answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")));
    assert_eq!(request(&served.kept).name, "GET /users/{id}");
    assert_eq!((served.kept.spans.len(), served.metrics.named(ACTIVE).count()), (1, 1));
    assert_eq!(tag(&duration(&served.metrics), "http.route"), "/users/{id}");
}

/// What a handler would send on.
async fn traceparent() -> String {
    let mut headers = HeaderMap::new();
    inject_headers(&mut headers);
    headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn requests_that_are_left_out_are_still_parts_of_their_callers_trace() {
    let layer = HttpServerLayer::new().skip(|_| true);
    let asked = head("GET /") + "\r\ntraceparent: " + CALLER;
    let served = served(Router::new().route("/", get(traceparent)).layer(layer), &[&asked]);
    assert!(served.answers[0].ends_with(CALLER) && served.kept.spans.is_empty(), "{}", served.answers[0]);
}

#[time_me]
async fn named_by_its_handler(Extension(span): Extension<RequestSpan>) -> &'static str {
    span.span().record("user_agent.original", "hidden");
    span.set_name(format_args!("{} names", 7));
    span.set_route("/late");
    "named"
}

#[test]
fn name_route_and_fields_may_be_other_ones() {
    let layer = HttpServerLayer::new().on_request(|request, span| {
        if let Some(route) = request.uri.path().strip_prefix("/static/") {
            span.set_route("/static/{file}");
            span.span().record("url.path", route);
        }
        if request.headers.contains_key("x-probe") {
            tracing::info!("seen");
            span.set_name("probe");
        }
    });
    let routes = Router::new().route("/named", get(named_by_its_handler)).fallback(|| async { "a file" });
    let routes = routes.layer(layer);
    let served = served(
        routes,
        &[&head("GET /static/a.css"), &(head("GET /static/b.css") + "\r\nx-probe: 1"), &head("GET /named")],
    );
    let told: Vec<_> = served
        .kept
        .spans
        .iter()
        .filter(|span| span.target.starts_with("telemetry_layer::http"))
        .map(|span| {
            let fields = fields(span);
            let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
            [span.name.to_string(), text("http.route"), text("url.path"), text("user_agent.original")]
                .join("|")
        })
        .collect();
    assert_eq!(
        told,
        [
            "GET /static/{file}|/static/{file}|a.css|",
            "probe|/static/{file}|b.css|",
            "7 names|/late|/named|hidden"
        ]
    );
    let probe = served.kept.span("probe");
    assert_eq!(served.kept.event("seen").span_id, Some(probe.span_id));
    let mut routes: Vec<_> = served.metrics.named(DURATION).map(|m| tag(&m, "http.route")).collect();
    routes.sort_unstable();
    assert_eq!(routes, ["/late", "/static/{file}"]);
}

#[test]
fn an_answer_has_the_id_of_its_trace_by_choice() {
    let id = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("x-trace-id: "));
        line.unwrap_or_default().to_owned()
    };
    let layer = || HttpServerLayer::new().trace_id_header(HeaderName::from_static("x-trace-id"));
    let called = head("GET /users/7") + "\r\ntraceparent: " + CALLER;
    let own = served(app(layer()), &[&head("GET /users/7")]);
    assert_eq!(id(&own.answers[0]), request(&own.kept).trace_id.to_string());
    let callers = served(app(layer()), &[&called]);
    assert_eq!(
        (id(&callers.answers[0]), request(&callers.kept).trace_id.to_string()),
        (CALLER[3..35].into(), CALLER[3..35].into())
    );
    let without = served(app(HttpServerLayer::new()), &[&called]);
    assert_eq!(id(&without.answers[0]), "");
    // A log filter hides the span, but neither the caller's trace nor the metrics.
    let (answer, kept, metrics) =
        run_at(LevelFilter::WARN, async |_| read(send(serve(app(layer())).await, &called).await).await);
    assert_eq!((id(&answer), kept.spans.len()), (CALLER[3..35].into(), 0));
    assert_eq!(tag(&duration(&metrics), "http.route"), "/users/{id}");
}

fn methods(layer: HttpServerLayer) -> Vec<String> {
    let asked = ["GET /users/7", "POST /health", "PURGE /health"].map(head);
    let served = served(app(layer), &asked.each_ref().map(String::as_str));
    let mut methods: Vec<_> =
        served.metrics.named(DURATION).map(|m| tag(&m, "http.request.method").to_owned()).collect();
    methods.sort();
    methods
}

#[test]
fn methods_are_known_that_the_program_names() {
    let only = HttpServerLayer::new().known_methods([Method::GET, "PURGE".parse().unwrap()]);
    assert_eq!(methods(only), ["GET", "PURGE", "_OTHER"]);
}

#[test]
#[ignore = "run by the next one, with a variable"]
fn methods_from_the_environment() {
    let code = HttpServerLayer::new().known_methods([Method::POST]);
    println!("\n{}, {}", methods(HttpServerLayer::new()).join(" "), methods(code).join(" "));
}

#[test]
fn methods_are_known_that_the_environment_names_unless_code_does() {
    for (list, known, wrong) in [
        ("PURGE, GET", "GET PURGE _OTHER", None),
        ("PURGE, no method,,", "PURGE _OTHER _OTHER", Some("no method")),
        ("get,post", "_OTHER _OTHER", None),
        ("no method", "GET POST _OTHER", Some("no method")),
        (" , ", "GET POST _OTHER", None),
        ("", "GET POST _OTHER", None),
    ] {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--ignored", "--exact", "hooks::methods_from_the_environment", "--nocapture"]);
        program.env("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", list);
        let output = program.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let line = format!("{known}, POST _OTHER _OTHER");
        assert!(output.status.success() && out.lines().any(|said| said == line), "{list}\n{out}\n{err}");
        let of = "`OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`";
        let said = wrong.map(|wrong| format!("{of}: {wrong:?} is no HTTP method; it is left out"));
        assert_eq!(err.matches(of).count(), usize::from(said.is_some()), "{err}");
        assert!(said.is_none_or(|said| err.contains(&said)), "{err}");
    }
}
