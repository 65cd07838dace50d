//! What a request is answered: a page, the start page, or why there is none. Nothing of a request stands in an answer.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, VARY,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::task::yield_now;

use super::bounds::Bounds;
use super::connection::{Phase, State};
use super::connections::Connections;
use super::page::Page;
use super::renderer::{Renderer, Wanted};

const TEXT: &str = "text/plain; charset=utf-8";

/// What is shown at one address.
#[derive(Default)]
pub(super) struct Site {
    pages: RefCell<Vec<(String, Arc<dyn Page>)>>,
}

/// All that answers have in common.
pub(super) struct Answers {
    pub(super) bounds: Bounds,
    pub(super) renderer: Rc<Renderer>,
    pub(super) connections: Rc<Connections>,
}

/// The body of an answer.
pub(super) type Body = Full<Bytes>;

impl Site {
    /// Shows one more page.
    pub(super) fn add(&self, path: String, page: Arc<dyn Page>) {
        self.pages.borrow_mut().push((path, page));
    }

    /// Shows that page no more; whether it was the last one.
    pub(super) fn remove(&self, path: &str) -> bool {
        let mut pages = self.pages.borrow_mut();
        pages.retain(|(known, _)| known != path);
        pages.is_empty()
    }

    fn at(&self, path: &str) -> Option<Arc<dyn Page>> {
        let pages = self.pages.borrow();
        pages.iter().find(|(known, _)| known == path).map(|(_, page)| Arc::clone(page))
    }

    /// What links all pages.
    fn start(&self) -> String {
        let mut html =
            "<!DOCTYPE html>\n<html lang=\"en\">\n<title>telemetry</title>\n<h1>telemetry</h1>\n<ul>\n"
                .to_owned();
        for (path, page) in self.pages.borrow().iter() {
            let (path, title) = (Html(path), Html(page.title()));
            let _ = writeln!(html, "<li><a href=\"{path}\">{path}</a>: {title}");
        }
        html + "</ul>\n</html>\n"
    }
}

/// A text in HTML, also in quotes.
struct Html<'a>(&'a str);

impl std::fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

impl Answers {
    /// The answer to a request at that address.
    pub(super) async fn answer(
        &self,
        site: &Site,
        state: &State,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        state.enter(Phase::Answer);
        let (head, body) = request.into_parts();
        // It is never read: hyper closes the connection where it is not there already.
        let is_short = body.size_hint().upper().is_some_and(|bytes| bytes <= self.bounds.body_bytes);
        drop(body);
        if !is_short {
            let mut answer = said(StatusCode::PAYLOAD_TOO_LARGE, "the body of the request is too long\n");
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(answer);
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            let mut answer = said(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Ok(answer);
        }
        let Some(page) = site.at(head.uri.path()) else {
            return Ok(match head.uri.path() {
                "/" => with_body(StatusCode::OK, "text/html; charset=utf-8", site.start().into()),
                _ => said(StatusCode::NOT_FOUND, "there is no such page; `/` lists those that there are\n"),
            });
        };
        while self.renderer.holds_much() {
            if !self.connections.close_slowest() {
                let why = "too much waits to be read by others\n";
                return Ok(said(StatusCode::SERVICE_UNAVAILABLE, why));
            }
            yield_now().await;
        }
        let accept = list(&head.headers, &ACCEPT);
        let accept_encoding = list(&head.headers, &ACCEPT_ENCODING);
        let Some(made) = self.renderer.made(Wanted { page, accept, accept_encoding }).await else {
            return Ok(said(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made: it panicked\n"));
        };
        let mut answer = with_body(StatusCode::OK, made.media_type, made.body);
        let headers = answer.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        if let Some(encoding) = made.encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Ok(answer)
    }
}

/// All that headers of that name say, as one.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

fn said(status: StatusCode, text: &'static str) -> Response<Body> {
    with_body(status, TEXT, Bytes::from_static(text.as_bytes()))
}

fn with_body(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut answer = Response::new(Body::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
