//! What spans and metrics tell of a request.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Version};
use axum::routing::get;
use telemetry_layer::HttpServerLayer;
use telemetry_layer::model::{Buckets, SpanKind, Status};
use tower_service::Service as _;

use crate::{ACTIVE, Served, duration, fields, head, request, run, served, tag};

fn app(layer: HttpServerLayer) -> Router {
    Router::new().route("/find/{what}", get(|| async { "found" })).layer(layer)
}

#[test]
fn a_span_has_the_attributes_of_the_conventions() {
    let lines = [
        "GET /find/a?q=b%20c&sig=secret&token=t HTTP/1.1",
        "host: shop.example:8080",
        "user-agent: caf\u{e9}/1.0",
        "x-forwarded-proto: https",
        "x-forwarded-host: other.example",
        "x-forwarded-for: 1.2.3.4",
    ];
    let served = served(app(HttpServerLayer::new().redact_query(["token"])), &[&lines.join("\r\n")]);
    let span = request(&served.kept);
    let told: Vec<_> = fields(span).into_iter().collect();
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/find/{what}"),
        ("network.protocol.version", "1.1"),
        ("server.address", "shop.example"),
        ("server.port", "8080"),
        ("url.path", "/find/a"),
        ("url.query", "q=b%20c&sig=REDACTED&token=REDACTED"),
        ("url.scheme", "http"),
        ("user_agent.original", "caf\u{e9}/1.0"),
    ];
    assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((span.kind, &span.status), (SpanKind::Server, &Status::Unset));
}

#[test]
fn metrics_have_the_attributes_and_the_buckets_of_the_conventions() {
    let served = served(app(HttpServerLayer::new()), &[&head("GET /find/a?b"), &head("GET /find/c")]);
    let duration = duration(&served.metrics);
    let mut tags: Vec<_> = duration.own_tags().iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    tags.sort();
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/find/{what}"),
        ("network.protocol.version", "1.1"),
        ("url.scheme", "http"),
    ];
    assert_eq!(tags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    assert_eq!((duration.unit(), duration.description()), ("s", "Duration of HTTP server requests."));
    let value = duration.histogram().unwrap();
    let Buckets::Explicit { bounds, .. } = &value.buckets else { panic!("{value:?}") };
    assert_eq!(value.count, 2);
    assert_eq!(&**bounds, [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]);
    let active: Vec<_> = served.metrics.named(ACTIVE).collect();
    assert_eq!((active.len(), active[0].unit(), active[0].number().as_f64()), (1, "{request}", 0.0));
    assert_eq!(active[0].own_tags().to_string(), "http.request.method: GET, url.scheme: http");
}

/// Scheme and server of the span, and the scheme of both metrics, which is the same.
fn asked(layer: HttpServerLayer, lines: &str) -> String {
    let served = served(app(layer), &[lines]);
    let told = fields(request(&served.kept));
    let scheme = &told["url.scheme"];
    assert_eq!(tag(&duration(&served.metrics), "url.scheme"), scheme);
    assert_eq!(tag(&served.metrics.named(ACTIVE).next().unwrap(), "url.scheme"), scheme);
    let or_none = |name: &str| told.get(name).map_or("-", String::as_str);
    format!("{scheme} {} {}", or_none("server.address"), or_none("server.port"))
}

#[test]
fn scheme_and_server_are_those_that_the_client_asked() {
    let (plain, https) = (HttpServerLayer::new, || HttpServerLayer::new().https());
    let trusting = || HttpServerLayer::new().trust_forwarded();
    assert_eq!(asked(plain(), "GET /find/a HTTP/1.1\r\nhost: shop.example"), "http shop.example 80");
    assert_eq!(asked(https(), "GET /find/a HTTP/1.1\r\nhost: [::1]"), "https ::1 443");
    assert_eq!(asked(plain(), "GET /find/a HTTP/1.0"), "http - -");
    assert_eq!(asked(plain(), "GET /find/a HTTP/1.1\r\nhost: a b"), "http - -");
    let absolute = "GET HTTPS://u:p@asked.example:1/find/a HTTP/1.1\r\nhost: shop.example";
    assert_eq!(asked(plain(), absolute), "https asked.example 1");
    // Each scheme that anybody can make up would be a series.
    assert_eq!(asked(plain(), "GET gopher://a.example/find/a HTTP/1.1\r\nhost: b"), "http a.example 80");
    let proxied = "GET /find/a HTTP/1.1\r\nhost: inner:8080\r\nx-forwarded-proto: HTTPS\r\nx-forwarded-host: shop.example";
    assert_eq!(asked(plain(), proxied), "http inner 8080");
    assert_eq!(asked(trusting(), proxied), "https shop.example 443");
    let forwarded = format!("{proxied}\r\nforwarded: for=1.2.3.4;proto=http;host=first.example, proto=https");
    assert_eq!(asked(trusting(), &forwarded), "http first.example 80");
    let made_up = "GET /find/a HTTP/1.1\r\nhost: inner\r\nx-forwarded-proto: gopher\r\nx-forwarded-host: :1";
    assert_eq!(asked(trusting().https(), made_up), "https - -");
}

#[test]
fn a_client_is_told_only_by_choice() {
    let peer = |request: &axum::http::request::Parts| {
        request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.ip())
    };
    let proxied = "GET /find/a HTTP/1.1\r\nhost: a\r\nforwarded: for=\"[2001:db8::1]:80\"";
    let hidden = "GET /find/a HTTP/1.1\r\nhost: a\r\nforwarded: for=unknown";
    let trusting = || HttpServerLayer::new().trust_forwarded();
    for (layer, head, told) in [
        (HttpServerLayer::new(), proxied, None),
        (trusting(), proxied, None),
        (HttpServerLayer::new().client_address(peer), proxied, Some("127.0.0.1")),
        (trusting().client_address(peer), proxied, Some("2001:db8::1")),
        (trusting().client_address(peer), hidden, Some("127.0.0.1")),
        (trusting().client_address(|_| None::<IpAddr>), hidden, None),
    ] {
        let Served { kept, .. } = served(app(layer), &[head]);
        assert_eq!(fields(request(&kept)).get("client.address").map(String::as_str), told, "{head}");
    }
}

#[test]
fn each_version_of_the_protocol_has_its_number() {
    for (version, number) in [(Version::HTTP_10, "1.0"), (Version::HTTP_2, "2"), (Version::HTTP_3, "3")] {
        let ((), kept, metrics) = run(async |_| {
            let uri = "https://shop.example/find/a";
            let request = Request::builder().version(version).uri(uri).body(Body::empty()).unwrap();
            let answer: Result<_, Infallible> = app(HttpServerLayer::new()).call(request).await;
            assert_eq!(answer.unwrap().status(), 200);
        });
        let told = fields(request(&kept));
        assert_eq!((&*told["network.protocol.version"], &*told["url.scheme"]), (number, "https"));
        assert_eq!(tag(&duration(&metrics), "network.protocol.version"), number);
    }
}
