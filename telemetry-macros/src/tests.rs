//! What attributes become, as a reader sees it: `telemetry-macros/expansions`, one file each. `UPDATE_EXPECT=1` writes
//! them anew.

use expect_test::ExpectFile;
use quote::quote;

use super::*;

/// Compares the function that is left with a file, and says how many lines it has.
fn lines(
    kind: Kind,
    args: &proc_macro2::TokenStream,
    item: &proc_macro2::TokenStream,
    file: &ExpectFile,
) -> usize {
    let expanded = expanded(kind, args, item).expect("arguments that fit");
    let text = prettyplease::unparse(&syn::parse2(expanded).expect("a function"));
    file.assert_eq(&text);
    text.lines().count()
}

macro_rules! expansions {
    ($($test:ident: $kind:ident ($($args:tt)*) $item:tt;)*) => {
        $(
            #[test]
            fn $test() {
                let file = expect_test::expect_file![concat!("../expansions/", stringify!($test), ".rs")];
                lines(Kind::$kind, &quote!($($args)*), &quote! $item, &file);
            }
        )*
    };
}

expansions! {
    count_with_tags: Count (name = "shop.orders", value = items.len(), tags(paid = true, currency = currency)) {
        /// Takes an order.
        fn order(items: &[u32], currency: &str) {
            take(items, currency);
        }
    };
    time_without_span: Time (span = false) {
        fn hot(n: u64) -> u64 { n + 1 }
    };
    time_outcome: Time (outcome, err, active, name = "shop.pay", fields(user = %user)) {
        pub fn pay(user: &User) -> Result<Receipt, Refused> { user.pay()? }
    };
    time_async: Time (outcome, span = false) {
        pub async fn fetch(&self, url: &str) -> io::Result<Vec<u8>> { self.get(url).await }
    };
    time_async_with_span: Time () {
        async fn fetch(url: &str) -> Vec<u8> { get(url).await }
    };
}

#[test]
fn the_simplest_use_stays_short() {
    let item = quote! { fn work() { act(); } };
    let count = lines(Kind::Count, &quote!(), &item, &expect_test::expect_file!["../expansions/count.rs"]);
    let time = lines(Kind::Time, &quote!(), &item, &expect_test::expect_file!["../expansions/time.rs"]);
    assert!(count <= 40 && time <= 40, "{count} and {time} lines");
}
