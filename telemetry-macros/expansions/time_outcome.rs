pub fn pay(user: &User) -> Result<Receipt, Refused> {
    let __active = ::telemetry_layer::__private::Active::start(
        &::telemetry_layer::__private::sites!(
            1,
            [::telemetry_layer::__private::Site::here(::telemetry_layer::__private::CellKind::UpDownCounter,
            "shop.pay.active", & [])]
        )[0],
    );
    let mut __timer = ::telemetry_layer::__private::Spanned::new(
        ::telemetry_layer::__private::announced(
            ::telemetry_layer::__private::SpanOutcomeTimer::start(
                ::telemetry_layer::__private::sites!(
                    4, ::telemetry_layer::__private::Site::timer("shop.pay", & [])
                    .outcomes()
                ),
            ),
        ),
        ::telemetry_layer::__private::tracing::span!(
            target : ::core::module_path!(), ::telemetry_layer::__private::Level::INFO,
            "shop.pay", "telemetry.timed" =
            ::telemetry_layer::__private::tracing::field::Empty, "otel.status_code" =
            ::telemetry_layer::__private::tracing::field::Empty, "error" =
            ::telemetry_layer::__private::tracing::field::Empty, user = % user
        ),
    );
    let __result = ::telemetry_layer::__private::call(move || -> Result<
        Receipt,
        Refused,
    > { user.pay()? });
    ::telemetry_layer::__private::record_error(__timer.span(), &__result);
    let __outcome = {
        use ::telemetry_layer::__private::AnyOutcome as _;
        ::telemetry_layer::__private::Probe(&__result).outcome()
    };
    __timer.end(__outcome);
    __result
}
