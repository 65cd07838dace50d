/// Takes an order.
///
/// Feeds the metric `shop.orders`.
fn order(items: &[u32], currency: &str) {
    {
        use ::telemetry_layer::__private::{DisplayTag as _, TextTag as _};
        ::telemetry_layer::__private::count_with(
            {
                #[cfg_attr(
                    target_os = "linux",
                    used,
                    unsafe(link_section = "telemetry_sites_0")
                )]
                static SITE: ::telemetry_layer::__private::Site = ::telemetry_layer::__private::Site::here(
                        ::telemetry_layer::__private::CellKind::Counter,
                        "shop.orders",
                        &[("paid", "true")],
                    )
                    .tagged_later();
                #[cfg(not(target_os = "linux"))]
                ::telemetry_layer::__private::list!(::core::slice::from_ref(& SITE));
                &SITE
            },
            &[("currency", &*(&::telemetry_layer::__private::Tag(&(currency))).text())],
            items.len(),
        );
    }
    #[allow(unused_braces)]
    {
        take(items, currency);
    }
}
