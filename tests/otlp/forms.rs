//! The forms of OTLP over a network, a row each: how an exporter is asked for one, and what a receiver sees of it.

use crate::servers::Certificates;

/// One of them.
pub(crate) struct Form {
    name: &'static str,
    /// What its URL begins with, without and with TLS.
    schemes: [&'static str; 2],
    option: &'static str,
    pub(crate) transport: Transport,
    pub(crate) content_type: &'static str,
}

/// Receivers have a port for each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Grpc,
}

/// All of them.
pub(crate) const FORMS: [Form; 3] = [
    Form {
        name: "http/protobuf",
        schemes: ["otlp", "otlp+https"],
        option: "protocol=http/protobuf",
        transport: Transport::Http,
        content_type: "application/x-protobuf",
    },
    Form {
        name: "http/json",
        schemes: ["otlp", "otlp+https"],
        option: "protocol=http/json",
        transport: Transport::Http,
        content_type: "application/json",
    },
    Form {
        name: "grpc",
        schemes: ["otlp+grpc", "otlp+grpcs"],
        option: "",
        transport: Transport::Grpc,
        content_type: "application/grpc",
    },
];

/// Runs it for all forms at once; a thread that panics says of which one it is.
pub(crate) fn in_each_form(test: impl Fn(&Form) + Sync) {
    std::thread::scope(|scope| {
        for form in &FORMS {
            let thread = std::thread::Builder::new().name(form.name.to_owned());
            thread.spawn_scoped(scope, || test(form)).unwrap();
        }
    });
}

impl Form {
    /// An endpoint on this machine: of the ports for HTTP and gRPC, one is there, behind TLS where these are its certificates.
    pub(crate) fn url(&self, ports: [u16; 2], tls: Option<&Certificates>, compression: &str) -> String {
        let scheme = self.schemes[usize::from(tls.is_some())];
        let port = ports[self.transport as usize];
        let ca = tls.map(|tls| format!("&ca={}", tls.ca.display())).unwrap_or_default();
        let options = format!("{}&compression={compression}{ca}", self.option);
        format!("{scheme}://127.0.0.1:{port}?{}", options.trim_start_matches('&'))
    }
}
