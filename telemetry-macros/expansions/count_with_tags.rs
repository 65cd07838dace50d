/// Takes an order.
///
/// Feeds the metric `shop.orders`.
fn order(items: &[u32], currency: &str) {
    {
        use ::telemetry_layer::__private::{DisplayTag as _, TextTag as _};
        ::telemetry_layer::__private::count_with(
            {
                static SITE: [::telemetry_layer::__private::Site; 1] = [
                    ::telemetry_layer::__private::Site::new(
                            ::telemetry_layer::__private::CellKind::Counter,
                            "shop.orders",
                            &[("paid", "true")],
                        )
                        .at(::core::file!(), ::core::line!()),
                ];
                ::telemetry_layer::__private::inventory::submit! {
                    ::telemetry_layer::__private::Listed::new(& SITE, true)
                }
                &SITE[0]
            },
            &[("currency", &*(&::telemetry_layer::__private::Tag(&(currency))).text())],
            items.len(),
        );
    }
    take(items, currency);
}
