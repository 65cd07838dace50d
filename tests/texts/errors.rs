//! What is wrong with a setting or with data is said in one line, whatever it is; reports and assertions have the lines that
//! they have with harmless names.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use telemetry_layer::exporters::{Route, from_url};
use telemetry_layer::metrics::{Reader, Source, View};
use telemetry_layer::model::{DataPoint, SeriesKey, Tags, TraceId};
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::testing::{assert_counter, assert_event, assert_span};
use telemetry_layer::{Builder, Config, Error};
use telemetry_tests::{SOON, collector, recorded};

use crate::hostile;

/// The variables that settings are read from.
fn variables() -> Vec<String> {
    let names = RefCell::new(Vec::new());
    let get = |name: &str| {
        names.borrow_mut().push(name.to_owned());
        None
    };
    Config::default().with_vars(get).unwrap();
    Config::default().with_otel_vars(get).unwrap();
    names.into_inner()
}

/// Of what is refused.
fn shown<T>(result: Result<T, impl std::error::Error>) -> Vec<String> {
    result.err().map(|e| vec![e.to_string(), format!("{e:?}")]).unwrap_or_default()
}

struct Refuses(String);

impl Reader for Refuses {
    fn name(&self) -> &str {
        &self.0
    }

    fn attach(&mut self, _: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err(self.0.clone().into())
    }
}

#[test]
fn what_is_wrong_with_a_setting_is_one_line() {
    let variables = variables();
    assert!(variables.len() > 40, "{variables:?}");
    let builder = || Collector::builder().ignore_env();
    let mut many = 0;
    for text in hostile::texts() {
        let mut all = Vec::new();
        for variable in &variables {
            let get = |name: &str| (name == variable).then(|| text.clone());
            all.extend(shown(Config::default().with_vars(get)));
            all.extend(shown(Config::default().with_otel_vars(get)));
        }
        for begin in [
            "",
            "console:",
            "discard:?",
            "discard:?names=",
            "discard:?rate=",
            "http://",
            "otlp://h?token=",
            "otlp+",
        ] {
            all.extend(shown(from_url(&format!("{begin}{text}"))));
        }
        all.extend(shown(builder().tag(text.clone(), text.clone()).start()));
        all.extend(shown(builder().view(View::new(format!("{text}*")).rename(text.clone())).start()));
        all.extend(shown(builder().sampling(Sampling::new().spans(text.clone(), 2.0)).start()));
        all.extend(shown(builder().reader(Refuses(text.clone())).start()));
        all.extend(shown(Err::<(), _>(Error::Setup(text.clone()))));
        all.extend(shown(Err::<(), _>(ExportError::retry(text.clone()).caused_by(text.clone()))));
        let mut config = Config::default();
        config.export_endpoints.push(text.clone());
        config.tags.insert("env", text.clone()).unwrap();
        all.push(format!("{config:?}"));
        many += all.len();
        all.iter().for_each(|line| hostile::is_one_line(line));
    }
    assert!(many > 20_000, "{many}");
}

#[test]
fn what_is_wrong_with_data_is_one_line_and_what_is_right_is_read_back() {
    let (collector, _) = collector(|b| b);
    for text in hostile::texts() {
        let mut all = shown(Tags::parse(&text));
        all.extend(shown(text.parse::<SeriesKey>()));
        all.extend(shown(text.parse::<TraceId>()));
        all.extend(shown(collector.send([DataPoint::new(text.clone(), f64::NAN)])));
        let key = SeriesKey::new("shop.orders").unwrap().tag("user", text.clone()).unwrap();
        assert_eq!(key.to_string().parse::<SeriesKey>().unwrap(), key);
        all.extend([key.to_string(), key.tags().to_string(), format!("{key:?}")]);
        all.iter().for_each(|line| hostile::is_one_line(line));
    }
}

#[test]
fn a_report_has_a_line_for_each_row() {
    for some in hostile::texts().chunks(100) {
        let routes = some.iter().map(|text| Route::new(|_: &Batch| ()).name(text.clone()));
        let collector = routes.fold(Collector::builder().ignore_env(), Builder::exporter).start().unwrap();
        collector.counter("orders").inc();
        let report = collector.shutdown(SOON);
        // Two heads, the three signals, three rows for each exporter, and the verdict.
        hostile::has_lines(&report.to_string(), 2 + 3 + 3 * some.len() + 1);
        report.ledger().exporters().for_each(hostile::is_one_line);
        collector.health().iter().for_each(|health| hostile::is_one_line(&health.name));
    }
}

#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(f)).unwrap_err().downcast().unwrap()
}

/// What assertions say of items that have that text everywhere.
fn assertions(text: &str) -> Vec<String> {
    let kept = recorded(|collector| {
        tracing::info_span!("work", otel.name = text, user = text)
            .in_scope(|| tracing::info!(user = text, "{text}"));
        collector.counter(text.to_owned()).with(&[("user", text)]).inc();
        let metrics = collector.snapshot();
        let wrong = panic_of(|| assert_counter(&metrics, text, &[("user", text)], 2));
        let missing = panic_of(|| assert_counter(&metrics, "missing", &[("user", text)], 2));
        assert!(wrong.contains("is not 2") && missing.contains("nothing of that name"), "{wrong}\n{missing}");
        hostile::has_lines(&wrong, 2);
        hostile::has_lines(&missing, 3);
    });
    vec![
        panic_of(|| assert_span(&kept, text, Some(text), &[])),
        panic_of(|| assert_span(&kept, text, None, &[("user", "me")])),
        panic_of(|| assert_span(&kept, "missing", None, &[])),
        panic_of(|| assert_event(&kept, text, None, &[])),
        panic_of(|| assert_event(&kept, text, Some(text), &[("user", "me")])),
        panic_of(|| assert_event(&kept, "missing", None, &[])),
        kept.tree(),
    ]
}

#[test]
fn an_assertion_has_the_lines_that_it_has_otherwise() {
    let lines = assertions("order").into_iter().map(|said| said.lines().count()).collect::<Vec<_>>();
    for text in hostile::texts().iter().step_by(5) {
        for (said, lines) in assertions(text).iter().zip(&lines) {
            hostile::has_lines(said, *lines);
        }
    }
}
