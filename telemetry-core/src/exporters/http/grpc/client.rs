//! The client: one attempt for each call.
//!
//! All that it starts runs in the runtime of its caller, which is that of the exporter's thread.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, TE, USER_AGENT,
};
use hyper::{Request, Response, http::response};
use hyper_util::client::legacy;

use super::connector::Connections;
use super::frame::{self, Framed};
use super::status::Status;
use crate::exporters::ExportError;
use crate::exporters::http::client::{BODY_TIME, REFUSAL_BYTES};
use crate::exporters::http::connection::{chain, failure, waited_for_another, was_closed, what};
use crate::exporters::http::packer::Packer;
use crate::exporters::http::place::Place;
use crate::exporters::http::refusal::Refusal;
use crate::exporters::http::renewed::Renewed;
use crate::exporters::http::secret::Auth;
use crate::exporters::http::settings::Settings;

/// Calls methods of one receiver. Connections are kept and used again.
pub(crate) struct Client {
    made: Renewed<Connections>,
    packer: RefCell<Packer>,
    /// The call before was answered, so its connection may be used again, and may have been closed since.
    was_answered: Cell<bool>,
    was_ever_answered: Cell<bool>,
}

const GRPC: &str = "application/grpc";
/// Calls that are out at once share a connection. Those that waited for one that another call did not get are told nothing of
/// why, so they try themselves, of which all but one may wait again.
const WAITERS: usize = 8;

impl Client {
    /// Reads all files that the settings name. No connection is made yet.
    pub(crate) fn new(settings: Settings) -> Result<Self, String> {
        if settings.at("").0.path() != "/" {
            return Err("over gRPC its URL has no path".to_owned());
        }
        let packer = RefCell::new(Packer::new(settings.compression));
        let made = Renewed::new(settings)?;
        Ok(Self { made, packer, was_answered: Cell::default(), was_ever_answered: Cell::default() })
    }

    /// One attempt to call a method (`package.Service/Method`) with a message. Of the answer comes the message, if it can be
    /// read.
    pub(crate) async fn call(&self, method: &str, message: Bytes) -> Result<Option<Vec<u8>>, ExportError> {
        let at = self.made.settings.at(method);
        let refreshed = self.made.refresh().await;
        let request = refreshed.and_then(|()| self.request(&at, message));
        let request = request.map_err(|reason| ExportError::retry(format!("{at}: {reason}")))?;
        let response = self.send(request).await.map_err(|e| self.failure(&at, &e))?;
        let (head, body) = response.into_parts();
        let early = Status::read(&head.headers);
        if early.is_none() && !head.status.is_success() {
            return Err(self.refusal(&at, &head, body).await);
        }
        let is_grpc =
            head.headers.get(CONTENT_TYPE).is_some_and(|is| is.as_bytes().starts_with(GRPC.as_bytes()));
        let most = self.made.settings.max_response_bytes;
        let mut received = Vec::new();
        let status = if early.is_some() {
            // Whether the items were taken is said, whatever becomes of the rest.
            let _ = tokio::time::timeout(BODY_TIME, receive(body, most, &mut received)).await;
            early
        } else {
            match receive(body, most, &mut received).await {
                Ok(Some(trailers)) => Status::read(&trailers),
                Ok(None) => {
                    return Err(ExportError::never(format!("{at}: its answer is longer than {most} bytes")));
                }
                Err(e) => return Err(self.failure(&at, &e)),
            }
        };
        match status {
            Some(status) if status.is_ok() => Ok(frame::message(&received).map(<[u8]>::to_vec)),
            Some(status) => Err(status.error(&at, &self.made.secrets())),
            None if is_grpc => Err(ExportError::retry(format!("{at}: the answer ended without a status"))),
            None => Err(ExportError::never(format!("{at}: the answer is not one of gRPC"))),
        }
    }

    /// What an answer says to people, as it may be shown.
    pub(crate) fn said(&self, text: &str) -> String {
        self.made.said(text.as_bytes())
    }

    fn request(&self, at: &Place, message: Bytes) -> Result<Request<Framed>, String> {
        let (settings, mut packer) = (&self.made.settings, self.packer.borrow_mut());
        let encoding = packer.encoding();
        let packed = packer.pack(message).map_err(|e| format!("the message can't be compressed: {e}"))?;
        let body = Framed::new(packed, encoding.is_some())?;
        let request = Request::post(at.to_string()).header(USER_AGENT, &settings.user_agent).body(body);
        let mut request = request.map_err(|e| format!("the request can't be made: {e}"))?;
        let headers = request.headers_mut();
        headers.extend(settings.headers.clone());
        // A header of the settings, perhaps one that was meant for HTTP, takes nothing away that makes this a call.
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
        if let Some(encoding) = encoding {
            headers.insert("grpc-encoding", HeaderValue::from_static(encoding));
        }
        if let Some(authorization) = self.authorization()? {
            headers.insert(AUTHORIZATION, authorization);
        }
        Ok(request)
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let secret = self.made.secret().unwrap_or_default();
        let Some(auth) = &self.made.settings.auth else { return Ok(None) };
        let scheme = if matches!(auth, Auth::Basic { .. }) { "Basic" } else { "Bearer" };
        let value = HeaderValue::from_str(&format!("{scheme} {}", auth.credentials(&secret)));
        let mut value =
            value.map_err(|_| "the request can't be made: its token or password can't stand in a header")?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// A connection that was used before may have been closed since. Then the call is made once more, at once; where it was not
    /// yet written, `hyper` has done so itself. Where it was, the receiver may have taken it, and only its answer is lost.
    async fn send(&self, request: Request<Framed>) -> Result<Response<Incoming>, legacy::Error> {
        // Cloned, so that nothing is borrowed while it waits.
        let connections = self.made.client().clone();
        let mut sent = connections.request(request.clone()).await;
        for _ in 0..WAITERS {
            match &sent {
                Err(e) if waited_for_another(e) => sent = connections.request(request.clone()).await,
                _ => break,
            }
        }
        if self.was_answered.get() && sent.as_ref().is_err_and(|e| was_closed(e)) {
            sent = connections.request(request).await;
        }
        self.was_answered.set(sent.is_ok());
        self.was_ever_answered.set(self.was_ever_answered.get() || sent.is_ok());
        sent
    }

    /// A port that speaks HTTP/1 answers in bytes that stand, where HTTP/2 has a length, for one that is far too large, or it
    /// closes the connection.
    fn failure(&self, at: &Place, error: &(dyn Error + 'static)) -> ExportError {
        let http2 = chain(error).find_map(|cause| cause.downcast_ref::<h2::Error>());
        let is_odd =
            http2.is_some_and(|e| e.is_library() && e.reason() == Some(h2::Reason::FRAME_SIZE_ERROR));
        let is_closed = !self.was_ever_answered.get() && was_closed(error);
        let hint =
            "its port seems not to speak HTTP/2, which gRPC needs (OTLP over HTTP mostly has port 4318)";
        failure(at, if is_odd || is_closed { hint } else { what(error) }, error)
    }

    /// What stands in between has answered, and not in gRPC.
    async fn refusal(&self, at: &Place, head: &response::Parts, body: Incoming) -> ExportError {
        let header = |name: &HeaderName| head.headers.get(name)?.to_str().ok();
        let location = header(&LOCATION).and_then(|to| at.0.join(to).ok()).map(Place);
        let mut text = Vec::new();
        let _ = tokio::time::timeout(BODY_TIME, receive(body, REFUSAL_BYTES, &mut text)).await;
        let (retry_after, secrets) = (header(&RETRY_AFTER), self.made.secrets());
        let refusal =
            Refusal { at, status: head.status, retry_after, location, body: &text, secrets: &secrets };
        refusal.error(self.made.settings.retry_server_errors, SystemTime::now())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.made.settings).finish_non_exhaustive()
    }
}

/// Reads at most so many bytes, and the trailers behind them; none where there is more.
async fn receive(
    mut body: Incoming,
    most: usize,
    all: &mut Vec<u8>,
) -> Result<Option<HeaderMap>, hyper::Error> {
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                let room = most - all.len();
                all.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    return Ok(None);
                }
            }
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(Some(trailers))
}
