//! Fields that must not be seen.

use telemetry_layer::model::Value;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::assert_counter;
use telemetry_tests::recorded_by;
use tracing::field::Empty;
use tracing::{Span, info, info_span};

#[test]
fn what_must_not_be_seen_is_redacted_or_dropped_before_it_is_stored() {
    let kept = recorded_by(
        |b| b,
        |l| l.with_redacted_fields(["password", "*.token"]).without_fields(["internal*"]),
        |_| {
            let span = info_span!(
                "login",
                user = "ada",
                password = "secret",
                api.token = 7,
                internal_id = 1,
                note = Empty
            );
            span.in_scope(|| {
                Span::current().record("password", "another secret").record("note", "fine");
                info!(password = ?"secret", internal = 2, user = "ada", "logged in");
            });
        },
    );
    let shown = |fields: &[(std::borrow::Cow<'static, str>, Value)]| {
        fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        shown(&kept.span("login").fields),
        "user=ada api.token=[redacted] password=[redacted] note=fine"
    );
    assert_eq!(shown(&kept.event("logged in").fields), "password=[redacted] user=ada");
}

#[test]
fn what_must_not_be_seen_is_no_tag_of_a_measurement() {
    let layer = |l: TelemetryLayer| l.with_redacted_fields(["password"]).without_fields(["internal"]);
    recorded_by(
        |b| b,
        layer,
        |collector| {
            info!(monotonic_counter.logins = 1, password = "secret", internal = "hid");
            assert_counter(&collector.snapshot(), "logins", &[("password", "[redacted]")], 1);
        },
    );
}
