//! Programs that tests start on ports of their own and end by their ids, and certificates for them.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use telemetry_tests::SOON;

/// It ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}")))
    }

    /// Whether it takes connections there; not, if it ended before.
    fn listens(&mut self, port: u16) -> bool {
        let start = Instant::now();
        while start.elapsed() < SOON && self.0.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Starts what is told its ports, and waits until it takes connections at the first of them.
///
/// Ports that are free now may be taken a moment later: then others are tried.
pub(crate) fn on_free_ports<const N: usize>(command: impl Fn([u16; N]) -> Command) -> (Process, [u16; N]) {
    for _ in 0..5 {
        let free = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = free.each_ref().map(|free| free.local_addr().unwrap().port());
        drop(free);
        let mut process = Process::start(&mut command(ports));
        if process.listens(ports[0]) {
            return (process, ports);
        }
    }
    panic!("{:?} does not start", command([0; N]));
}

/// Says that a test is left out, or fails where all servers have to be there.
#[track_caller]
pub(crate) fn missing<T>(what: &str) -> Option<T> {
    let required = std::env::var("TELEMETRY_REQUIRE_SERVERS").is_ok_and(|is| is == "1");
    assert!(!required, "{what}: not installed, and TELEMETRY_REQUIRE_SERVERS is 1");
    // What the macros print of a test that passes, nobody sees.
    let _ = writeln!(std::io::stderr(), "left out, as it is not installed: {what}");
    None
}

/// Whether a program ends well; not, if it isn't there.
fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

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

/// nginx with TLS and HTTP/2 in front of another server.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    directory: tempfile::TempDir,
    _process: Process,
}

impl Nginx {
    /// None where it is not installed.
    pub(crate) fn before(port: u16, certificates: &Certificates) -> Option<Self> {
        if !succeeds(Command::new("nginx").arg("-v")) {
            return missing("nginx");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [own]) = on_free_ports(|[own]| {
            fs::write(directory.path().join("nginx.conf"), config(own, port, certificates)).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-e", "errors"]);
            command
        });
        Some(Self { port: own, directory, _process: process })
    }

    /// A line for each request that was answered: protocol, TLS, status.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("access")).unwrap()
    }
}

fn config(own: u16, behind: u16, Certificates { certificate, key, .. }: &Certificates) -> String {
    let [certificate, key] = [certificate, key].map(|file| Path::display(file));
    format!(
        r#"daemon off; master_process off; pid pid;
        events {{}}
        http {{
            log_format short "$server_protocol $ssl_protocol $status $request_uri";
            access_log access short;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            client_max_body_size 64m;
            server {{
                listen 127.0.0.1:{own} ssl http2;
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_certificate {certificate}; ssl_certificate_key {key};
                location / {{
                    proxy_pass http://127.0.0.1:{behind};
                    proxy_http_version 1.1;
                    proxy_set_header x-forwarded-by nginx;
                }}
            }}
        }}"#
    )
}
