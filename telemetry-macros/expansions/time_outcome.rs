pub fn pay(user: &User) -> Result<Receipt, Refused> {
    let __active = ::telemetry_layer::__private::Active::start({
        #[cfg_attr(
            target_os = "linux",
            used,
            unsafe(link_section = "telemetry_sites_0")
        )]
        static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::here(
            ::telemetry_layer::__private::CellKind::UpDownCounter,
            "shop.pay.active",
            &[],
        );
        #[cfg(not(target_os = "linux"))]
        ::telemetry_layer::__private::list!(::core::slice::from_ref(& SITE));
        &SITE
    });
    let mut __timer = ::telemetry_layer::__private::Spanned::new(
        ::telemetry_layer::__private::announced(
            ::telemetry_layer::__private::SpanOutcomeTimer::start({
                #[cfg_attr(
                    target_os = "linux",
                    used,
                    unsafe(link_section = "telemetry_sites_0")
                )]
                static SITES: [::telemetry_layer::__private::Site; 4] = ::telemetry_layer::__private::Site::timer(
                        "shop.pay",
                        &[],
                    )
                    .outcomes();
                #[cfg(not(target_os = "linux"))]
                ::telemetry_layer::__private::list!(& SITES);
                &SITES
            }),
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
    __timer.returned(__outcome);
    __timer.timer.end(__outcome);
    __result
}
