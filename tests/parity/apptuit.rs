//! Apptuit's client and ours send the same points in requests of the same form. The service is a server of the tests that answers as
//! Apptuit is documented to.

use std::collections::BTreeSet;

use serde_json::json;
use telemetry_tests::scripted_tsd::{Put, ScriptedTsd};

use crate::{Point, points, send, they_send};

fn all() -> Vec<Point> {
    let room = || vec![("type", "idle"), ("room", "São Paulo, 7 = \"x\" 🦀")];
    points(vec![
        ("proc.cpu.percent", 12.5.into(), room()),
        ("proc.cpu.percent", 13.into(), room()),
        ("node/memory-bytes", 4_294_967_296_i64.into(), vec![("größe", "L")]),
        ("Größe_1.a", (-0.25).into(), vec![("host", "own")]),
        ("tiny", 1e-300.into(), vec![("a", "b")]),
        ("sum", (0.1 + 0.2).into(), vec![("a", "b")]),
        ("zero", 0.into(), vec![]),
    ])
}

/// What a server understands of the requests: the points, and of the headers what both say.
fn understood(puts: &[Put]) -> (BTreeSet<String>, BTreeSet<String>) {
    let point = |mut point: serde_json::Value| {
        // One client sends all as floats, and a map has no order.
        point["value"] = json!(point["value"].as_f64().unwrap());
        point.to_string()
    };
    let names = ["authorization", "content-type", "content-encoding"];
    let said = |line: &&str| line.split(':').next().is_some_and(|name| names.contains(&name));
    let headers = puts.iter().flat_map(|put| put.headers.lines().filter(said));
    let paths = puts.iter().map(|put| put.path.clone());
    (
        puts.iter().flat_map(Put::points).map(point).collect(),
        headers.map(str::to_owned).chain(paths).collect(),
    )
}

#[test]
fn apptuits_client_and_ours_send_the_same() {
    let all = all();
    let server = || ScriptedTsd::http(|_, _| (204, String::new()));
    let (theirs, ours) = (server(), server());
    let told = json!({
        "endpoint": format!("http://{}", theirs.address),
        "token": "my_apptuit_token",
        "tags": {"host": "till", "service": "order-service"},
    });
    if !they_send("apptuit", told, &all) {
        return;
    }
    let options =
        "token=my_apptuit_token&compression=deflate&characters=any&host_tag=till&tag=service:order-service";
    send(&format!("opentsdb+http://{}?{options}", ours.address), &all);
    let (theirs, ours) = (understood(&theirs.puts()), understood(&ours.puts()));
    assert_eq!(ours, theirs);
    assert_eq!(ours.0.len(), all.len());
    assert_eq!(ours.1.len(), 4, "{:?}", ours.1);
}
