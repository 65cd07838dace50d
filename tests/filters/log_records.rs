//! Records of the crate `log`.

use std::sync::OnceLock;

use telemetry_layer::prelude::*;
use telemetry_layer::testing::assert_event;
use telemetry_tests::beside::{Ours, view};
use tracing::info_span;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::{EnvFilter, registry};

use crate::lines;

/// Sends records of `log` to whatever subscriber is current: one for the whole program.
fn log_is_sent_on() {
    static SENT: OnceLock<()> = OnceLock::new();
    SENT.get_or_init(|| tracing_log::LogTracer::init().expect("nobody else listens to log"));
}

#[test]
fn records_of_log_are_filtered_by_their_own_target() {
    log_is_sent_on();
    let run = || {
        info_span!("work").in_scope(|| {
            log::info!(target: "old::library", "too quiet");
            log::warn!(target: "old::library::part", "heard");
            log::error!(target: "another", "not asked for");
        });
    };
    let filter = || EnvFilter::new("filters=info,old::library=warn");
    let (own, global, all) = (Ours::default(), Ours::default(), Ours::default());
    with_default(registry().with(own.layer().with_filter(filter())).with(all.layer()), run);
    with_default(registry().with(global.layer()).with(filter()), || {
        run();
        assert!(log::log_enabled!(target: "old::library", log::Level::Warn));
        assert!(!log::log_enabled!(target: "another", log::Level::Error));
    });
    for ours in [own, global] {
        let kept = ours.kept();
        assert_eq!(view(&kept), lines(&["work in none", "work: heard"]));
        assert_eq!(kept.event("heard").target, "old::library::part");
    }
    assert_event(&all.kept(), "not asked for", Some("work"), &[]);
}
