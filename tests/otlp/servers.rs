//! Servers that are not ours, and certificates for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};

use crate::forms::Form;

/// What a program prints that ends well.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// A Python that has these modules.
pub(crate) fn python(modules: &str) -> Option<&'static str> {
    succeeds(Command::new("python3").args(["-c", &format!("import {modules}")])).then_some("python3")
}

/// A certificate for this machine's loopback address, its key, and the authority that signed it.
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    _directory: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an authority for one test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, pem: &str| {
            let path = directory.path().join(name);
            fs::write(&path, pem).unwrap();
            path
        };
        Self {
            ca: file("ca.pem", &issuer.pem()),
            certificate: file("server.pem", &certificate.pem()),
            key: file("server.key", &key.serialize_pem()),
            _directory: directory,
        }
    }
}

/// nginx with TLS and HTTP/2 in front of another server, over HTTP and gRPC.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    _process: Process,
}

impl Nginx {
    /// None where it is not installed. The other server's ports are those for HTTP and for gRPC.
    pub(crate) fn before(ports: [u16; 2], certificates: &Certificates) -> Option<Self> {
        if !succeeds(Command::new("nginx").arg("-v")) {
            return missing("nginx");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [own]) = on_free_ports(|[own]| {
            fs::write(directory.path().join("nginx.conf"), config(own, ports, certificates)).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-e", "errors"]);
            command
        });
        Some(Self { port: own, directory, _process: process })
    }

    /// That way, a request of each signal at least was answered, and every request was. For the answer to the check at the start
    /// nobody waits at the end (499).
    #[track_caller]
    pub(crate) fn saw(&self, form: &Form, compression: &str) {
        let log = fs::read_to_string(self.directory.path().join("access")).unwrap();
        let encoding = if compression == "none" { "-" } else { compression };
        let head = |status| format!("HTTP/2.0 TLSv1.3 {status} {} {encoding} ", form.content_type);
        let [taken, left] = [200, 499].map(head);
        let (answered, others): (Vec<_>, Vec<_>) = log.lines().partition(|line| line.starts_with(&taken));
        assert!(others.len() <= 1 && others.iter().all(|line| line.starts_with(&left)), "{log}");
        let is_answered = |signal| answered.iter().any(|line| line.to_ascii_lowercase().contains(signal));
        assert!(["trace", "log", "metric"].into_iter().all(is_answered), "{log}");
    }
}

fn config(own: u16, [http, grpc]: [u16; 2], Certificates { certificate, key, .. }: &Certificates) -> String {
    let [certificate, key] = [certificate, key].map(|file| Path::display(file));
    format!(
        r#"daemon off; master_process off; pid pid;
        events {{}}
        http {{
            log_format short "$server_protocol $ssl_protocol $status $content_type $encoding $request_uri";
            map "$http_content_encoding$http_grpc_encoding" $encoding {{ default $http_content_encoding$http_grpc_encoding; "" "-"; }}
            access_log access short;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            client_max_body_size 64m;
            server {{
                listen 127.0.0.1:{own} ssl http2;
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_certificate {certificate}; ssl_certificate_key {key};
                location / {{
                    proxy_pass http://127.0.0.1:{http};
                    proxy_http_version 1.1;
                    proxy_set_header x-forwarded-by nginx;
                }}
                location /opentelemetry. {{
                    grpc_pass grpc://127.0.0.1:{grpc};
                    grpc_set_header x-forwarded-by nginx;
                }}
            }}
        }}"#
    )
}
