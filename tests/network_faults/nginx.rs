//! nginx between program and receiver: what a proxy makes of a receiver that is away, and refuses by itself.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use telemetry_tests::SOON;
use telemetry_tests::process::{Process, missing, on_free_ports, succeeds};
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Setup, refusing};

use super::spools::each_spool;

#[test]
fn what_comes_while_the_receiver_behind_it_is_away_arrives_later() {
    each_spool(Form::EACH, |form, spool| {
        let behind = refusing();
        let Some(nginx) = Nginx::before(form, behind, "") else { return };
        let program = Program::with_spool(&form.url(nginx.address(), ""), spool);
        for ids in [1..=20, 21..=40] {
            program.record(ids.clone()).beside_has(*ids.end());
            let (begin, before) = (Instant::now(), nginx.answers(502));
            while nginx.answers(502) == before {
                assert!(begin.elapsed() < SOON, "{}", nginx.log());
                program.hand_over();
            }
            let receiver = Setup::new(form).start_at(behind, move |_| form.ok().into());
            assert!(program.delivers());
            receiver.has_each_once(ids);
        }
        let said = program.said();
        assert!(said[0].contains("502"), "{said:?}");
        assert_eq!(program.alike(|account| (account.delivered, account.dropped.total())), (40, 0));
    });
}

#[test]
fn what_it_refuses_as_too_much_is_sent_again_later() {
    each_spool(
        // One request to Librato has all items of this test.
        Form::EACH
            .into_iter()
            .filter(|form| *form != Form::Librato)
            .flat_map(|form| [429, 503].map(|status| (form, status))),
        |(form, status), spool| {
            let receiver = form.receiver(move |_| form.ok().into());
            let limit = format!("limit_req zone=all; limit_req_status {status};");
            let Some(nginx) = Nginx::before(form, receiver.address, &limit) else { return };
            let program = Program::with_spool(&form.url(nginx.address(), "max_items=10"), spool);
            let (begin, mut end) = (Instant::now(), 0);
            while nginx.answers(status) == 0 {
                assert!(begin.elapsed() < SOON * 3, "{status} is not among {}", nginx.log());
                program.record(end + 1..=end + 20).beside_has(end + 20);
                end += 20;
                assert!(program.delivers());
            }
            receiver.has_each_once(1..=end);
        },
    );
}

struct Nginx {
    port: u16,
    directory: tempfile::TempDir,
    _process: Process,
}

impl Nginx {
    /// With these directives for all requests. None where it is not installed.
    fn before(form: Form, behind: SocketAddr, directives: &str) -> Option<Self> {
        if !succeeds(Command::new("nginx").arg("-v")) {
            return missing("nginx");
        }
        let directory = tempfile::tempdir().unwrap();
        let (process, [port]) = on_free_ports(|[port]| {
            fs::write(directory.path().join("nginx.conf"), config(form, port, behind, directives)).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-e", "errors"]);
            command
        });
        Some(Self { port, directory, _process: process })
    }

    fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// How often it has answered with that status.
    fn answers(&self, status: u16) -> usize {
        self.log().lines().filter(|line| *line == status.to_string()).count()
    }

    /// Nothing, before it has opened its file.
    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("access")).unwrap_or_default()
    }
}

fn config(form: Form, port: u16, behind: SocketAddr, directives: &str) -> String {
    let (speaks, pass) = if form.is_grpc() {
        ("http2", format!("grpc_pass grpc://{behind}"))
    } else {
        ("", format!("proxy_pass http://{behind}"))
    };
    format!(
        r#"daemon off; master_process off; pid pid;
        events {{}}
        http {{
            log_format status "$status";
            access_log access status;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            limit_req_zone $binary_remote_addr zone=all:1m rate=20r/s;
            server {{
                listen 127.0.0.1:{port} {speaks};
                {directives}
                location / {{ {pass}; }}
            }}
        }}"#
    )
}
