pub fn pay(user: &User) -> Result<Receipt, Refused> {
    let __active = ::telemetry_layer::__private::Active::start({
        static SITE: [::telemetry_layer::__private::Site; 1] = [
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::UpDownCounter,
                    "shop.pay.active",
                    &[],
                )
                .at(::core::file!(), ::core::line!()),
        ];
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::new(& SITE, false)
        }
        &SITE[0]
    });
    let mut __timer = ::telemetry_layer::__private::OutcomeTimer::start({
        static SITES: [::telemetry_layer::__private::Site; 4] = [
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "shop.pay",
                    &[("outcome", "ok")],
                )
                .at(::core::file!(), ::core::line!())
                .unit("s"),
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "shop.pay",
                    &[("outcome", "error")],
                )
                .at(::core::file!(), ::core::line!())
                .unit("s"),
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "shop.pay",
                    &[("outcome", "panic")],
                )
                .at(::core::file!(), ::core::line!())
                .unit("s"),
            ::telemetry_layer::__private::Site::new(
                    ::telemetry_layer::__private::CellKind::Histogram,
                    "shop.pay",
                    &[("outcome", "cancelled")],
                )
                .at(::core::file!(), ::core::line!())
                .unit("s"),
        ];
        ::telemetry_layer::__private::inventory::submit! {
            ::telemetry_layer::__private::Listed::new(& SITES, false)
        }
        &SITES
    });
    ::telemetry_layer::__private::announce(&__timer);
    let __span = ::telemetry_layer::__private::tracing::span!(
        target : ::core::module_path!(), ::telemetry_layer::__private::Level::INFO,
        "shop.pay", telemetry.timed =
        ::telemetry_layer::__private::tracing::field::Empty, otel.status_code =
        ::telemetry_layer::__private::tracing::field::Empty, error =
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
