//! Connections to a receiver: TCP, through a proxy where the environment names one, and TLS.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{self, Client};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::frame::Framed;
use crate::exporters::http::contents::Pem;
use crate::exporters::http::renewed::Make;
use crate::exporters::http::settings::Settings;
use crate::exporters::http::tls;

/// HTTP/2 only. Connections are kept and used again.
pub(super) type Connections = Client<HttpsConnector<Way>, Framed>;

impl Make for Connections {
    fn make(settings: &Settings, pem: &Pem) -> Result<Self, String> {
        let tls = tls::config(pem, settings.is_tls())?;
        let way = Way::new(settings)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http2();
        Ok(legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector.wrap_connector(way)))
    }
}

/// How a connection is made.
#[derive(Clone)]
pub(super) enum Way {
    Direct(HttpConnector),
    /// With `CONNECT`.
    Proxy(Tunnel<HttpConnector>),
}

impl Way {
    fn new(settings: &Settings) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        let at: Uri = settings.at("").0.as_str().parse().map_err(|e| format!("its URL is wrong: {e}"))?;
        let proxy = Matcher::from_env().intercept(&at).filter(|_| !settings.is_loopback());
        let Some(proxy) = proxy else { return Ok(Self::Direct(tcp)) };
        if proxy.uri().scheme_str() != Some("http") {
            return Err(
                "of the proxies that the environment may name, gRPC goes through those of `http`".to_owned()
            );
        }
        let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
        Ok(Self::Proxy(match proxy.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        }))
    }
}

impl Service<Uri> for Way {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Direct(tcp) => tcp.poll_ready(cx).map_err(Into::into),
            Self::Proxy(tunnel) => tunnel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Self::Direct(tcp) => {
                let connected = tcp.call(to);
                Box::pin(async { Ok(connected.await?) })
            }
            Self::Proxy(tunnel) => {
                let connected = tunnel.call(to);
                Box::pin(async { Ok(connected.await?) })
            }
        }
    }
}
