//! Connections to a receiver: TCP, through a proxy where the environment names one, and TLS.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

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
use crate::exporters::http::renewed::Make;
use crate::exporters::http::settings::Settings;
use crate::exporters::tls::{self, Pem};

/// HTTP/2 only. Connections are kept and used again.
pub(super) type Connections = Client<Connector, Framed>;

impl Make for Connections {
    fn make(settings: &Settings, pem: &Pem) -> Result<Self, String> {
        let tls = tls::config(pem, settings.is_tls())?;
        let way = Way::new(settings, &Matcher::from_env())?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http2();
        Ok(legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(Connector { https: https.wrap_connector(way), within: settings.connect_timeout }))
    }
}

/// Makes connections. Each stands within that time, with all that belongs to it.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Way>,
    within: Duration,
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<Way> as Service<Uri>>::Response;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (within, connected) = (self.within, self.https.call(to));
        Box::pin(async move { tokio::time::timeout(within, connected).await? })
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
    fn new(settings: &Settings, proxies: &Matcher) -> Result<Self, String> {
        /// As `reqwest` has it.
        const PROBE_AFTER: Duration = Duration::from_secs(15);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        // One connection is kept for all calls. Where the other side is gone and nobody says so, each would wait on it in vain, on
        // Linux for a quarter of an hour.
        tcp.set_keepalive(Some(PROBE_AFTER));
        tcp.set_keepalive_interval(Some(PROBE_AFTER));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        tcp.set_tcp_user_timeout(Some(2 * PROBE_AFTER));
        let at: Uri = settings.at("").0.as_str().parse().map_err(|e| format!("its URL is wrong: {e}"))?;
        let proxy = proxies.intercept(&at).filter(|_| !settings.is_loopback());
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
                let connected = tunnel.call(with_port(to));
                Box::pin(async { Ok(connected.await?) })
            }
        }
    }
}

/// `Tunnel` takes the port for 443 where none is named, and a URL does not name that of its scheme.
fn with_port(to: Uri) -> Uri {
    if to.port().is_some() || to.scheme_str() != Some("http") {
        return to;
    }
    let port = format!("http://{}:80", to.host().unwrap_or_default());
    port.parse().unwrap_or(to)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::exporters::http::tests::run;

    #[test]
    fn a_proxy_is_asked_for_the_host_and_the_port_of_the_url() {
        run(async {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
            let proxy = format!("http://me:s3cret@{}", listener.local_addr().unwrap());
            for (url, asked) in [
                ("http://collector", "collector:80"),
                ("http://collector:4317", "collector:4317"),
                ("http://[fd00::1]", "[fd00::1]:80"),
                ("https://collector", "collector:443"),
                ("https://collector:80", "collector:80"),
            ] {
                let proxies = Matcher::builder().all(&*proxy).build();
                let mut way = Way::new(&Settings::new(url).unwrap(), &proxies).unwrap();
                let listener = listener.clone();
                let head = tokio::spawn(async move {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    String::from_utf8(head).unwrap()
                });
                way.call(url.parse().unwrap()).await.unwrap();
                let head = head.await.unwrap();
                assert!(head.starts_with(&format!("CONNECT {asked} HTTP/1.1\r\n")), "{url}: {head}");
                // "me:s3cret"
                assert!(head.contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n"), "{head}");
            }
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_that_is_idle_is_probed() {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let mut way = Way::new(&Settings::new(&url).unwrap(), &Matcher::builder().build()).unwrap();
            let connected = way.call(url.parse().unwrap()).await.unwrap();
            let own = format!(":{:04X}", connected.inner().local_addr().unwrap().port());
            let all = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
            let fields = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let mut timer = fields.filter(|line| line[1].ends_with(&own)).map(|line| line[5].to_owned());
            // Keepalive is the second of the kernel's timers.
            assert!(timer.next_back().is_some_and(|timer| timer.starts_with("02:")), "{all}");
        });
    }
}
