/// Takes an order.
///
/// Feeds the metric `shop.orders`.
fn order(items: &[u32], currency: &str) {
    {
        ::telemetry_layer::__private::count_with(
            &::telemetry_layer::__private::sites!(
                1,
                [::telemetry_layer::__private::Site::here(::telemetry_layer::__private::CellKind::Counter,
                "shop.orders", & [("paid", "true")]).tagged_later()]
            )[0],
            &[("currency", &*(&::telemetry_layer::__private::Tag(&(currency))).text())],
            items.len(),
        );
        use ::telemetry_layer::__private::{DisplayTag as _, OtherTag as _, TextTag as _};
    }
    #[allow(unused_braces)]
    {
        take(items, currency);
    }
}
