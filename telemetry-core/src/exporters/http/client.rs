//! The client: one attempt for each call.
//!
//! All that it starts runs in the runtime of its caller, which is that of the exporter's thread.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    InvalidHeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, RequestBuilder, Response};

use super::connection::{failure, was_closed, what};
use super::packer::Packer;
use super::place::Place;
use super::refusal::Refusal;
use super::renewed::{Make, Renewed};
use super::secret::Auth;
use super::settings::Settings;
use crate::exporters::ExportError;
use crate::exporters::tls::{self, Pem};

/// Sends bodies to one receiver. Connections are kept and used again.
pub(crate) struct Client {
    made: Renewed<reqwest::Client>,
    packer: RefCell<Packer>,
    /// The request before was answered, so its connection may be used again, and may have been closed since.
    was_answered: Cell<bool>,
}

/// The answer of a receiver, which took a request if its status is 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Empty where it said none.
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    /// False where the body is longer than the most that is read, broke off or did not come in time.
    pub(crate) is_whole: bool,
}

/// An attempt that failed.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: ExportError,
    /// What was answered; none where nothing was.
    #[cfg_attr(
        not(any(feature = "influxdb", feature = "opentsdb")),
        allow(dead_code, reason = "others have no use for it")
    )]
    pub(crate) answer: Option<Box<Answer>>,
}

#[cfg(any(feature = "influxdb", feature = "opentsdb"))]
impl Refused {
    /// The error, of a receiver that says in its answer what it took. Where that was cut, nobody knows how much it was.
    pub(crate) fn of_a_part(self) -> ExportError {
        match self.answer {
            Some(answer) if !answer.is_whole => {
                let error = self.error;
                ExportError::never(format!("{error}; the answer was cut, so some of it may have been taken"))
            }
            _ => self.error,
        }
    }
}

impl From<ExportError> for Refused {
    fn from(error: ExportError) -> Self {
        Self { error, answer: None }
    }
}

/// So much of a refusal's body is looked at: the status alone says enough.
pub(super) const REFUSAL_BYTES: usize = 8 << 10;
/// A body is waited for so long. Its status has said already whether the items were taken.
pub(super) const BODY_TIME: Duration = Duration::from_secs(1);

impl Client {
    /// Reads all files that the settings name. No connection is made yet.
    pub(crate) fn new(settings: Settings) -> Result<Self, String> {
        let packer = RefCell::new(Packer::new(settings.compression));
        Ok(Self { made: Renewed::new(settings)?, packer, was_answered: Cell::new(false) })
    }

    /// One attempt to post a body to the URL, or to a path below it.
    pub(crate) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Answer, ExportError> {
        self.attempt(path, content_type, body, REFUSAL_BYTES).await.map_err(|refused| refused.error)
    }

    /// The same for a receiver that says with a refusal what of a request it took: all of that is read.
    #[cfg(any(feature = "influxdb", feature = "opentsdb"))]
    pub(crate) async fn ask(&self, path: &str, content_type: &str, body: Bytes) -> Result<Answer, Refused> {
        self.attempt(path, content_type, body, self.made.settings.max_response_bytes).await
    }

    /// Of the body of a refusal at most so many bytes are read.
    async fn attempt(
        &self,
        path: &str,
        content_type: &str,
        body: Bytes,
        refusal_bytes: usize,
    ) -> Result<Answer, Refused> {
        let at = self.made.settings.at(path);
        let refreshed = self.made.refresh().await;
        let request = refreshed.and_then(|()| self.request(&at, content_type, body));
        let request = request.map_err(|reason| ExportError::retry(format!("{at}: {reason}")))?;
        let response = self.send(request).await.map_err(|e| failed(&at, &e))?;
        if response.status().is_success() {
            Ok(answer(response, self.made.settings.max_response_bytes).await)
        } else {
            Err(self.refusal(&at, response, refusal_bytes).await)
        }
    }

    /// Whether somebody answers at the URL. It is asked for nothing (`HEAD`, RFC 9110, 9.3.2), and may answer anything.
    pub(crate) async fn reach(&self) -> Result<(), ExportError> {
        let at = self.made.settings.at("");
        let refreshed = self.made.refresh().await;
        refreshed.map_err(|reason| ExportError::retry(format!("{at}: {reason}")))?;
        let answered = self.send(self.begin(Method::HEAD, &at)).await;
        answered.map(drop).map_err(|e| failed(&at, &e))
    }

    /// What an answer says to people, as it may be shown.
    #[cfg(any(feature = "influxdb", feature = "opentsdb", feature = "otlp"))]
    pub(crate) fn said(&self, text: &str) -> String {
        self.made.said(text.as_bytes())
    }

    fn request(&self, at: &Place, content_type: &str, body: Bytes) -> Result<RequestBuilder, String> {
        let mut packer = self.packer.borrow_mut();
        let mut request = self.begin(Method::POST, at).header(CONTENT_TYPE, content_type);
        if let Some(encoding) = packer.encoding() {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        let body = packer.pack(body).map_err(|e| format!("the body can't be compressed: {e}"))?;
        // Of a body that is empty `hyper` says nothing, and some receivers then wait for one or answer 411 (RFC 9110, 8.6).
        request = if body.is_empty() { request.header(CONTENT_LENGTH, 0) } else { request };
        Ok(request.body(body))
    }

    /// A request without a body, with what says who we are.
    fn begin(&self, method: Method, at: &Place) -> RequestBuilder {
        let request = self.made.client().request(method, at.0.clone());
        match (&self.made.settings.auth, self.made.secret()) {
            (Some(Auth::Basic { user, .. }), secret) => request.basic_auth(user, secret),
            (Some(Auth::Bearer(_)), Some(token)) => match self.credentials(&token) {
                Ok(credentials) => request.header(AUTHORIZATION, credentials),
                // That fails as well, and says so when it is sent.
                Err(_) => request.bearer_auth(token),
            },
            _ => request,
        }
    }

    fn credentials(&self, token: &str) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut value = HeaderValue::try_from(format!("{} {token}", self.made.settings.token_scheme))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A connection that was used before may have been closed while the request was on its way. Then it is sent once more; if
    /// it was not yet written, `hyper` has done so itself.
    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let spare = request.try_clone().filter(|_| self.was_answered.get());
        let sent = match (request.send().await, spare) {
            (Err(e), Some(spare)) if was_closed(&e) => spare.send().await,
            (sent, _) => sent,
        };
        self.was_answered.set(sent.is_ok());
        sent
    }

    async fn refusal(&self, at: &Place, response: Response, most: usize) -> Refused {
        let status = response.status();
        let retry_after = header(response.headers(), &RETRY_AFTER);
        let location = header(response.headers(), &LOCATION);
        let location = location.and_then(|to| at.0.join(&to).ok()).map(Place);
        let answer = answer(response, most).await;
        let (retry_after, secrets) = (retry_after.as_deref(), self.made.secrets());
        let body = &answer.body[..answer.body.len().min(REFUSAL_BYTES)];
        let refusal = Refusal { at, status, retry_after, location, body, secrets: &secrets };
        let error = refusal.error(self.made.settings.retry_server_errors, SystemTime::now());
        Refused { error, answer: Some(Box::new(answer)) }
    }
}

impl Make for reqwest::Client {
    /// HTTP/2 or HTTP/1.1 over TLS, by ALPN; HTTP/1.1 without it.
    fn make(settings: &Settings, pem: &Pem) -> Result<Self, String> {
        let mut tls = tls::config(pem, settings.is_tls())?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut builder = Self::builder()
            .user_agent(&settings.user_agent)
            .default_headers(settings.headers.clone())
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls);
        if settings.is_loopback() {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|e| format!("the HTTP client can't be made: {e}"))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("settings", &self.made.settings).finish_non_exhaustive()
    }
}

fn failed(at: &Place, e: &reqwest::Error) -> ExportError {
    let what = if e.is_builder() { "the request can't be made" } else { what(e) };
    failure(at, what, e)
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// With at most so many bytes of its body.
async fn answer(response: Response, most: usize) -> Answer {
    let status = response.status().as_u16();
    let content_type = header(response.headers(), &CONTENT_TYPE).unwrap_or_default();
    let mut body = Vec::new();
    let is_whole = read(response, most, &mut body).await;
    Answer { status, content_type, body, is_whole }
}

/// Reads at most so many bytes, for at most [`BODY_TIME`], and says whether these are all.
async fn read(mut response: Response, most: usize, body: &mut Vec<u8>) -> bool {
    let all = async {
        while let Ok(chunk) = response.chunk().await {
            let Some(chunk) = chunk else { return true };
            let room = most - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return false;
            }
        }
        false
    };
    tokio::time::timeout(BODY_TIME, all).await.unwrap_or(false)
}
