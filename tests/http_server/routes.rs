//! What a request is called, and which route it has.

use axum::Extension;
use axum::Router;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::{any, get, post};
use telemetry_layer::{HttpRouteLayer, HttpServerLayer, RequestSpan, time_me};
use tokio::net::TcpListener;
use tower_layer::Layer as _;

use crate::{DURATION, Served, fields, head, read, request, run, send, served, tag};

/// A handler with a span of its own.
#[time_me]
async fn user(Path(id): Path<u32>) -> String {
    format!("user {id}")
}

fn users() -> Router {
    Router::new().route("/users/{id}", get(user))
}

/// The names of the spans of requests, and the methods and routes that durations are tagged with.
fn told(served: &Served) -> (Vec<String>, Vec<String>) {
    let requests = served.kept.spans.iter().filter(|span| span.target.starts_with("telemetry_layer::http"));
    let mut names: Vec<_> = requests
        .map(|span| {
            let route = fields(span).remove("http.route");
            assert_eq!(route.as_deref(), span.name.split_once(' ').map(|(_, route)| route), "{span:?}");
            span.name.to_string()
        })
        .collect();
    let all = served.metrics.named(DURATION);
    let mut tags: Vec<_> = all
        .map(|metric| format!("{} {}", tag(&metric, "http.request.method"), tag(&metric, "http.route")))
        .collect();
    names.sort();
    tags.sort();
    (names, tags)
}

#[test]
fn a_request_is_called_after_its_method_and_route() {
    let shop = Router::new().route("/carts/{cart}", post(|| async { "added" }));
    let routes = users().nest("/shop", shop).fallback(|| async { StatusCode::NOT_FOUND });
    let asked = [
        ("GET /users/7?full=yes", "GET /users/{id}", "GET /users/{id}"),
        ("DELETE /users/7", "DELETE /users/{id}", "DELETE /users/{id}"),
        ("QUERY /users/7", "QUERY /users/{id}", "QUERY /users/{id}"),
        ("POST /shop/carts/1", "POST /shop/carts/{cart}", "POST /shop/carts/{cart}"),
        ("GET /users/7/more", "GET", "GET -"),
        ("PURGE /users/7", "HTTP /users/{id}", "_OTHER /users/{id}"),
        ("get /missing", "HTTP", "_OTHER -"),
    ];
    let heads = asked.map(|(request, ..)| head(request));
    let served = served(routes.layer(HttpServerLayer::new()), &heads.each_ref().map(String::as_str));
    let (names, tags) = told(&served);
    let mut expected = asked.map(|(_, name, tags)| (name, tags));
    expected.sort_unstable();
    assert_eq!(names, expected.map(|(name, _)| name));
    expected.sort_unstable_by_key(|(_, tags)| *tags);
    assert_eq!(tags, expected.map(|(_, tags)| tags));
    assert!(served.kept.tree().contains("GET /users/{id}\n  user\n"), "{}", served.kept.tree());
    let originals = served.kept.spans.iter().filter_map(|span| {
        Some((span.name.to_string(), fields(span).remove("http.request.method_original")?))
    });
    let mut originals: Vec<_> = originals.collect();
    originals.sort();
    assert_eq!(originals, [("HTTP".into(), "get".into()), ("HTTP /users/{id}".into(), "PURGE".into())]);
}

#[test]
fn a_router_that_is_finished_tells_its_route_too() {
    let ((), kept, metrics) = run(async |_| {
        let service = HttpServerLayer::new().layer(users().layer(HttpRouteLayer::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = axum::ServiceExt::<Request<axum::body::Body>>::into_make_service(service);
        tokio::spawn(async move { axum::serve(listener, service).await });
        for request in ["GET /users/7", "GET /missing"] {
            read(send(address, &head(request)).await).await;
        }
    });
    let served = Served { answers: Vec::new(), kept, metrics };
    let (names, tags) = told(&served);
    assert_eq!(names, ["GET", "GET /users/{id}"]);
    assert_eq!(tags, ["GET -", "GET /users/{id}"]);
}

#[test]
fn a_router_that_is_nested_as_a_service_tells_its_route_too() {
    let nested = users().layer(HttpRouteLayer::new());
    let routes = Router::new().nest_service("/api", nested).layer(HttpServerLayer::new());
    let served = served(routes, &[&head("GET /api/users/7")]);
    let (names, tags) = told(&served);
    assert_eq!((&*names[0], &*tags[0]), ("GET /api/users/{id}", "GET /api/users/{id}"));
    assert_eq!(fields(request(&served.kept))["url.path"], "/api/users/7");
}

/// It knows its route itself.
#[time_me]
async fn own_routing(Extension(span): Extension<RequestSpan>) -> &'static str {
    span.set_route("/first");
    span.set_route(String::from("/of/{its}/own"));
    "routed"
}

#[test]
fn a_service_without_a_router_says_its_route_itself() {
    let served = served(
        Router::new().fallback(any(own_routing)).layer(HttpServerLayer::new()),
        &[&head("PUT /of/a/own")],
    );
    let (names, tags) = told(&served);
    assert_eq!((&*names[0], &*tags[0]), ("PUT /of/{its}/own", "PUT /of/{its}/own"));
    assert_eq!(served.kept.tree(), "PUT /of/{its}/own\n  own_routing\n");
}
