//! What Apptuit's client does, a test for each row: errors that are handed on, tokens, tags, names, what it measures of itself, and
//! its requests. The service is a server of the tests that answers as Apptuit is documented to.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc;

use serde_json::{Value, json};
use telemetry_layer::exporters::{Route, from_url};
use telemetry_layer::model::{DataPoint, PointError, Tags};
use telemetry_layer::{Collector, SelfMetrics};
use telemetry_tests::SOON;
use telemetry_tests::scripted_tsd::ScriptedTsd;

use super::{NANOS, TIME, account, exporting};

fn taking() -> ScriptedTsd {
    ScriptedTsd::http(|_, _| (204, String::new()))
}

#[test]
fn a3_an_error_handler_is_told_how_many_points_failed_and_why() {
    let server = ScriptedTsd::http(|_, put| {
        let error = json!({"datapoint": put.points()[1], "error": "Invalid metric name"});
        (400, json!({"success": 2, "failed": 1, "errors": [error]}).to_string())
    });
    let (tell, told) = mpsc::channel();
    let url = format!("opentsdb+http://{}", server.address);
    let collector =
        exporting(&url, |builder| builder.on_export(move |report| drop(tell.send(report.clone()))));
    collector.send(["a", "b", "c"].map(|name| DataPoint::new(name, 1))).unwrap();
    collector.shutdown(SOON);
    let report = told.iter().find(|report| report.exporter == "opentsdb").unwrap();
    assert_eq!((report.items, report.delivered, report.rejected), (3, 2, 1));
    let said = "1 of 3 data points were refused, the first of them, of b: Invalid metric name";
    assert_eq!(report.error.as_deref(), Some(said));
}

const URL: &str = "APPTUIT_OF_THE_TEST";
const OF_CODE: &str = "TAG_OF_CODE";

#[test]
#[ignore = "run by the others, with variables"]
fn sends_a_point() {
    let url = std::env::var(URL).unwrap();
    let mut builder = Collector::builder();
    if std::env::var_os("IGNORES_ENV").is_some() {
        builder = builder.ignore_env();
    }
    if let Ok(text) = std::env::var(OF_CODE) {
        let (key, value) = text.split_once(':').unwrap();
        builder = builder.tag(key.to_owned(), value.to_owned());
    }
    match builder.endpoint(url).start() {
        Ok(collector) => {
            let tags = Tags::parse("own: point").unwrap();
            collector.send([DataPoint::new("a", 1).tags(tags)]).unwrap();
            let report = collector.shutdown(SOON);
            assert!(report.is_complete(), "{report}");
        }
        Err(e) => eprintln!("refused: {e}"),
    }
}

/// What a program with those variables says on standard error.
fn run(vars: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = "opentsdb::apptuit::sends_a_point";
    command.args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        if ["OTEL_", "TELEMETRY_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let output = command.envs(vars.iter().copied()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    said
}

#[test]
fn a4_a_token_is_that_of_the_url_or_of_the_environment_or_an_error_names_both() {
    let token = |options: &str, vars: &[(&str, &str)]| {
        let server = taking();
        let url = format!("opentsdb+http://{}{options}", server.address);
        let said = run(&[&[(URL, &*url)], vars].concat());
        assert_eq!(said, "", "a token that is there is no variable that nobody knows");
        let headers = &server.puts()[0].headers;
        let found = headers.lines().find_map(|line| line.strip_prefix("authorization: "));
        found.map(str::to_owned)
    };
    let of_env = ("TELEMETRY_TOKEN", "secret-of-env");
    assert_eq!(token("?token=secret-of-url", &[of_env]).as_deref(), Some("bearer secret-of-url"));
    assert_eq!(token("", &[of_env]).as_deref(), Some("bearer secret-of-env"));
    assert_eq!(token("?token=$MY_TOKEN", &[("MY_TOKEN", "mine")]).as_deref(), Some("bearer mine"));
    let of_header = "?header=Authorization:Basic abc";
    assert_eq!(token(of_header, &[of_env]).as_deref(), Some("basic abc"), "the URL says it in another way");
    assert_eq!(token("", &[of_env, ("IGNORES_ENV", "1")]), None);
    assert_eq!(token("", &[]), None, "it is no service that is known to need one");
    let service = (URL, "opentsdb+https://api.apptuit.ai");
    // Anybody could read it on the way.
    let in_clear = (URL, "opentsdb+http://api.apptuit.ai");
    for vars in [
        &[service][..],
        &[service, ("TELEMETRY_TOKEN", " ")],
        &[service, of_env, ("IGNORES_ENV", "1")],
        &[in_clear, of_env],
    ] {
        let said = run(vars);
        assert!(
            said.contains("it needs a token: `token=` in its URL, or the variable `TELEMETRY_TOKEN`"),
            "{said}"
        );
        assert!(said.contains("api.apptuit.ai") && !said.contains("secret"), "{said}");
    }
    assert!(from_url("opentsdb+https://api.apptuit.ai?token=abc").is_ok());
}

#[test]
fn a5_a_points_own_tags_win_over_those_of_the_exporter_and_these_over_the_environments() {
    let tags = |options: &str, vars: &[(&str, &str)]| {
        let server = taking();
        let url = format!("opentsdb+http://{}?host_tag=off{options}", server.address);
        run(&[&[(URL, &*url), ("TELEMETRY_TAGS", "own: env, code: env, url: env, env: env")], vars].concat());
        let (.., mut tags, _) = server.points().remove(0);
        tags.remove("service.name");
        tags.into_iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
    };
    let code = (OF_CODE, "code:code");
    assert_eq!(tags("&tag=url:url,own:url", &[code]), "code: code, env: env, own: point, url: url");
    assert_eq!(tags("", &[]), "code: env, env: env, own: point, url: env");
    assert_eq!(tags("", &[("IGNORES_ENV", "1"), code]), "code: code, own: point");
}

#[test]
fn a7_names_and_keys_are_checked_where_they_enter_and_values_are_free() {
    let server = taking();
    let url = format!("opentsdb+http://{}?host_tag=off&characters=any", server.address);
    let collector = exporting(&url, |builder| builder);
    let value = "São Paulo, 7 = \"x\"\n\u{1f980}";
    let mut tags = Tags::new();
    (0..Tags::MAX).for_each(|n| tags.insert(format!("größe/{n}"), value).unwrap());
    assert!(tags.clone().insert("one.more", value).is_err(), "25 are taken");
    let good = DataPoint::new("Größe_1.a-b/c", 1).tags(tags.clone()).at(TIME * NANOS);
    let refused =
        collector.send([good, DataPoint::new("a b", 1), DataPoint::new("nan", f64::NAN)]).unwrap_err();
    let [(1, PointError::Key(_)), (2, PointError::NotFinite { .. })] = refused.refused() else {
        panic!("{refused}")
    };
    assert!(collector.shutdown(SOON).is_complete());
    let points = server.points();
    let [(name, TIME, sent, number)] = &points[..] else { panic!("{points:#?}") };
    assert_eq!((&**name, number), ("Größe_1.a-b/c", &json!(1)));
    assert!(tags.iter().all(|(key, value)| sent[key] == value));
}

#[test]
fn a8_what_was_sent_is_measured_and_sent_too() {
    let server = ScriptedTsd::http(|n, put| match n {
        1 => {
            let error = json!({"datapoint": put.points()[0], "error": "no"});
            (400, json!({"success": 2, "failed": 1, "errors": [error]}).to_string())
        }
        _ => (204, String::new()),
    });
    let url = format!("opentsdb+http://{}?host_tag=off", server.address);
    let collector =
        exporting(&url, |builder| builder.configure(|config| config.self_metrics = SelfMetrics::Export));
    collector.send(["a", "b", "c"].map(|name| DataPoint::new(name, 1))).unwrap();
    collector.flush(SOON);
    // What the flush before changed is in the next snapshot.
    collector.flush(SOON);
    collector.shutdown(SOON);
    let points = server.points();
    let last = |name: &str| {
        let is_it = |(metric, _, tags, _): &&(String, u64, BTreeMap<String, String>, Value)| {
            metric == name && tags.get("exporter").is_some_and(|exporter| exporter == "opentsdb")
        };
        let found = points.iter().filter(is_it).map(|(.., value)| value.as_u64().unwrap()).max();
        found.unwrap_or_else(|| panic!("no {name} in {points:#?}"))
    };
    let [total, successful] = ["telemetry.export.total", "telemetry.export.successful"].map(last);
    assert_eq!(last("telemetry.export.failed"), 1);
    assert!(successful >= 2 && total == successful + 1, "{total} {successful}");
    assert!(last("telemetry.export.duration.count") >= 1);
}

#[test]
fn a10_a_request_is_that_of_apptuits_client() {
    let server = taking();
    let options = "compression=deflate&token=my_apptuit_token&host_tag=off";
    let route = from_url(&format!("opentsdb+http://{}/?{options}", server.address)).unwrap();
    let (collector, _) = telemetry_tests::collector(|builder| {
        builder.service("order-service", "1").exporter(Route::name(route, "apptuit"))
    });
    let tags = Tags::parse("host: node-foo").unwrap();
    collector.send([DataPoint::new("node.load.avg", 0.5).tags(tags).at(TIME * NANOS)]).unwrap();
    assert!(collector.shutdown(SOON).is_complete());
    let puts = server.puts();
    assert_eq!((puts.len(), &*puts[0].path), (1, "/api/put?details"));
    for header in [
        "authorization: bearer my_apptuit_token",
        "content-type: application/json",
        "content-encoding: deflate",
    ] {
        assert!(puts[0].headers.lines().any(|line| line == header), "{header} in {}", puts[0].headers);
    }
    let tags = json!({"host": "node-foo", "service.name": "order-service"});
    let point = json!({"metric": "node.load.avg", "timestamp": TIME, "value": 0.5, "tags": tags});
    assert_eq!(puts[0].points(), [point]);
}

#[test]
fn a10_opentsdb_answers_when_points_are_stored_where_that_is_wanted() {
    let server = taking();
    let url = format!("opentsdb+http://{}/tsd?sync=true", server.address);
    let collector = exporting(&url, |builder| builder);
    collector.send([DataPoint::new("a", 1)]).unwrap();
    assert_eq!(account(&collector.shutdown(SOON)).delivered, 1);
    assert_eq!(server.puts()[0].path, "/tsd/api/put?details&sync");
}
