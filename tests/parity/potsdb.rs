//! potsdb and ours put the same series with the same values into VictoriaMetrics.

use serde_json::{Value, json};
use telemetry_layer::model::Number;

use crate::read_back::{assert_same, read_back};
use crate::servers::VictoriaMetrics;
use crate::{Point, points, send, they_send};

fn all() -> Vec<Point> {
    let own = vec![("host", "app1.local")];
    points(vec![
        ("test.metric2", 100.into(), vec![("a", "b")]),
        ("test.metric5", 100.into(), vec![("extratag1", "tagvalue"), ("extratag2", "tagvalue")]),
        ("test.metric6", 34.into(), own.clone()),
        ("test.metric6", (-3.5).into(), own),
        ("test/metric-7_x", 7.0.into(), vec![("a", "b/c-d_e.f")]),
        ("floats", (0.1 + 0.2).into(), vec![("a", "b")]),
        ("floats", 1e15.into(), vec![("a", "b")]),
        ("floats", (-273.15).into(), vec![("a", "b")]),
        ("floats", 1e-7.into(), vec![("a", "b")]),
        ("floats", 1.5e300.into(), vec![("a", "b")]),
        ("whole", ((1_i64 << 53) + 1).into(), vec![("a", "b")]),
        ("whole", i64::MIN.into(), vec![("a", "b")]),
        ("whole", Number::from(u64::MAX), vec![("a", "b")]),
        ("whole", 0.into(), vec![("a", "b")]),
        ("no.tag.of.its.own", 1.into(), vec![]),
    ])
}

#[track_caller]
fn same(host_tag: &Value, option: &str) {
    let all = all();
    let Some(theirs) = VictoriaMetrics::start() else { return };
    let told = json!({"port": theirs.ports.opentsdb, "host_tag": host_tag, "mps": 0});
    if !they_send("potsdb", told, &all) {
        return;
    }
    let theirs = read_back(&theirs, all.len() as u64);
    let Some(ours) = VictoriaMetrics::start() else { return };
    send(&format!("opentsdb://127.0.0.1:{}{option}", ours.ports.opentsdb), &all);
    assert_same(&read_back(&ours, all.len() as u64), &theirs);
    let host = |wanted: &str| theirs.keys().find(|(name, _)| name == wanted).unwrap().1.get("host");
    assert_eq!(host("test.metric6").map(String::as_str), Some("app1.local"));
    assert!(host("no.tag.of.its.own").is_some());
}

#[test]
fn potsdb_and_ours_put_the_same_with_the_name_of_this_machine() {
    same(&json!(true), "");
}

#[test]
fn potsdb_and_ours_put_the_same_with_a_name_that_was_said() {
    same(&json!("till-7"), "?host_tag=till-7");
}
