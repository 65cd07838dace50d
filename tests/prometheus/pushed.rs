//! A Pushgateway, whose decoder of text and of protobuf is that of Prometheus: what it is given it shows again, beside what it says of itself.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use telemetry_layer::exporters::Prometheus;
use telemetry_tests::process::{missing, on_free_ports, succeeds};

use crate::python::{Family, families};
use crate::{PROTOBUF, check, record};

#[test]
fn a_pushgateway_takes_text_and_protobuf() {
    const NAME: &str = "prometheus-pushgateway";
    if !succeeds(Command::new(NAME).arg("--version")) {
        return missing("the Pushgateway").unwrap_or_default();
    }
    let (process, [port]) = on_free_ports(|[port]| {
        let mut command = Command::new(NAME);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--persistence.file=");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    });
    let page = Prometheus::new();
    let collector = record(&page);
    let mut seen = Vec::new();
    for accept in ["text/plain;version=0.0.4", PROTOBUF] {
        let answer = page.respond(accept, "");
        let put = format!(
            "PUT /metrics/job/checked HTTP/1.1\r\nhost: here\r\nconnection: close\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            answer.content_type(),
            answer.body().len()
        );
        let said = ask(port, &[put.as_bytes(), answer.body()]);
        assert!(said.starts_with("HTTP/1.1 200 "), "{accept}: {said}");
        let shown = ask(port, &[b"GET /metrics HTTP/1.0\r\nhost: here\r\n\r\n"]);
        let shown = shown.split_once("\r\n\r\n").unwrap().1;
        let Some(read) = families("text", shown) else { return };
        let read = ours(read);
        check(&read, false);
        seen.push(values(&read));
    }
    let Some(read) = families("text", &page.text()) else { return };
    let given = values(&read);
    for (form, seen) in ["text", "protobuf"].iter().zip(&seen) {
        let lost: Vec<_> =
            given.iter().filter(|(key, value)| seen.get(*key) != Some(value)).take(5).collect();
        assert!(lost.is_empty() && seen.len() == given.len(), "{form}: {lost:#?}");
    }
    drop((collector, process));
}

/// Without its own families, and without the labels that it puts on ours.
fn ours(families: Vec<Family>) -> Vec<Family> {
    let mut ours = Vec::new();
    for mut family in families {
        family.samples.retain(|sample| sample.labels.get("job").is_some_and(|job| job == "checked"));
        for sample in &mut family.samples {
            sample.labels.remove("job");
            sample.labels.remove("instance");
            // It writes bounds as whole numbers where they are.
            if let Some(le) = sample.labels.get_mut("le") {
                *le = bound(le);
            }
        }
        if !family.samples.is_empty() && !family.name.starts_with("push_") {
            ours.push(family);
        }
    }
    ours
}

fn bound(le: &str) -> String {
    if le.contains(['.', 'e', 'I']) { le.to_owned() } else { format!("{le}.0") }
}

/// The bits of each value, by name and labels.
fn values(families: &[Family]) -> BTreeMap<String, u64> {
    let all = families.iter().flat_map(|family| &family.samples);
    all.map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.number().to_bits())).collect()
}

fn ask(port: u16, parts: &[&[u8]]) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    parts.iter().for_each(|part| connection.write_all(part).unwrap());
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}
