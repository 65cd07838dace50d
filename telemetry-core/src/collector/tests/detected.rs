//! What is found out about the program and about where it runs, as exporters see it.

use std::collections::BTreeMap;

use super::*;
use crate::Detect;
use crate::exporters::Route;
use crate::model::{Resource, Value};

/// The attributes that an exporter sees with a batch, and how many of them are tags.
fn seen(builder: Builder, change: impl FnOnce(Route) -> Route) -> (BTreeMap<String, Value>, usize) {
    let (tell, told) = mpsc::channel();
    let closure = move |batch: &Batch| drop(tell.send(batch.resource().clone()));
    let collector = builder.exporter(change(Route::from(closure))).start().unwrap();
    collector.record("n", 1);
    assert!(collector.shutdown(SOON).is_complete());
    let resource: Resource = told.recv().unwrap();
    let attributes = resource.attributes().map(|(key, value)| (key.to_owned(), value.to_value()));
    (attributes.collect(), resource.tags().len())
}

#[test]
fn exporters_see_what_was_found_out_beside_the_tags() {
    let builder = builder().service("till", "1.2.3").tag("env", "test").tag("host.arch", "own");
    let (seen, tags) = seen(builder, |route| route.tag("team", "shop"));
    assert_eq!(tags, 4, "env, host.arch, service.name, team");
    for (key, value) in [
        ("env", Value::from("test")),
        ("host.arch", "own".into()),
        ("os.type", std::env::consts::OS.replace("macos", "darwin").into()),
        ("process.pid", std::process::id().into()),
        ("service.name", "till".into()),
        ("service.version", "1.2.3".into()),
        ("team", "shop".into()),
    ] {
        assert_eq!(seen.get(key), Some(&value), "{key} of {seen:?}");
    }
    assert_eq!(seen["service.instance.id"].to_string().len(), 36);
}

#[test]
fn each_source_can_be_left_out() {
    let keys = |builder| seen(builder, |route| route).0.into_keys().collect::<Vec<_>>();
    assert_eq!(keys(builder().detect([])), ["service.name"]);
    assert_eq!(keys(builder().detect([Detect::Service])), ["service.instance.id", "service.name"]);
    let most = keys(builder().configure(|c| c.detect.retain(|one| *one != Detect::Process)));
    assert!(most.contains(&"host.arch".to_owned()), "{most:?}");
    assert!(!most.iter().any(|key| key.starts_with("process.")), "{most:?}");
}

#[test]
fn a_tag_names_the_service_before_the_package_does() {
    let named = |builder: Builder| {
        builder.service("package", "0.1.0").start().unwrap().resource().service_name().to_owned()
    };
    assert_eq!(named(builder()), "package");
    assert_eq!(named(builder().tag("service.name", "shop")), "shop");
    let tags = Tags::parse("service.name: operator").unwrap();
    assert_eq!(named(builder().config(Config { tags, ..Config::default() })), "operator");
}
