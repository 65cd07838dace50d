pub fn pay(user: &User) -> Result<Receipt, Refused> {
    let __active = ::telemetry_layer::__private::Active::start({
        static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::here(
            ::telemetry_layer::__private::CellKind::UpDownCounter,
            "shop.pay.active",
            &[],
        );
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::one(& SITE, false)
        }
        &SITE
    });
    let __over = ::telemetry_layer::__private::Over;
    let mut __timer = ::telemetry_layer::__private::SpanOutcomeTimer::start({
        static SITES: [::telemetry_layer::__private::Site; 4] = [
            ::telemetry_layer::__private::Site::timer("shop.pay", &[("outcome", "ok")]),
            ::telemetry_layer::__private::Site::timer(
                "shop.pay",
                &[("outcome", "error")],
            ),
            ::telemetry_layer::__private::Site::timer(
                "shop.pay",
                &[("outcome", "panic")],
            ),
            ::telemetry_layer::__private::Site::timer(
                "shop.pay",
                &[("outcome", "cancelled")],
            ),
        ];
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::all(& SITES, false)
        }
        &SITES
    });
    ::telemetry_layer::__private::announce(&__timer);
    let __span = ::telemetry_layer::__private::tracing::span!(
        target : ::core::module_path!(), ::telemetry_layer::__private::Level::INFO,
        "shop.pay", "telemetry.timed" =
        ::telemetry_layer::__private::tracing::field::Empty, "otel.status_code" =
        ::telemetry_layer::__private::tracing::field::Empty, "error" =
        ::telemetry_layer::__private::tracing::field::Empty, user = % user
    )
        .entered();
    let __end = ::telemetry_layer::__private::End::of(&__timer);
    let __result = ::telemetry_layer::__private::call(move || -> Result<
        Receipt,
        Refused,
    > { user.pay()? });
    ::telemetry_layer::__private::record_error(&__span, &__result);
    let __outcome = {
        use ::telemetry_layer::__private::AnyOutcome as _;
        ::telemetry_layer::__private::Probe(&__result).outcome()
    };
    ::telemetry_layer::__private::set_status(&__span, __outcome);
    ::core::mem::drop(__end);
    __timer.end(__outcome);
    __result
}
