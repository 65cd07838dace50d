//! The attributes and macros of `telemetry-layer`, which re-exports them; nobody depends on this crate alone.
//!
//! What comes in is parsed (`args`, `function`) and expanded (`expand`) to calls of
//! `telemetry_layer::__private`. When an argument is wrong, the function is emitted as it was, beside the error.

mod args;
mod expand;
mod function;

use proc_macro::TokenStream;

use crate::args::{AttributeArgs, CallArgs, Kind};
use crate::function::Function;

/// Counts the calls of a function.
///
/// ```
/// # use telemetry_layer::prelude::*;
/// #[count_me]
/// fn plain() {}
///
/// #[count_me(name = "shop.orders", value = items.len(), tags(currency = currency))]
/// fn order(items: &[u32], currency: &str) {}
/// ```
///
/// - `name = ".."`: the metric; `function.calls`, tagged `code.function.name`, where it is not given.
/// - `value = expr`: what is added, from the arguments; 1 where it is not given.
/// - `level = ".."`: `error`, `warn`, `info`, `debug` or `trace`.
/// - `source = ".."`: short for the tag `source`.
/// - `tags(key = expr, "key" = expr, name)`: more tags. Keys may have dots: `http.route = "/"`. A value is anything
///   that is text or implements `Display`; `name` alone is `name = name`.
///
/// Methods of the same name on different types in one module share the tag `code.function.name`; a `name`, or a
/// tag, tells them apart.
#[proc_macro_attribute]
pub fn count_me(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Count, args, item)
}

/// Measures how long a function takes, and opens a span for it.
///
/// The result, a panic and a cancelled future go through untouched; all of them are measured.
///
/// ```
/// # use telemetry_layer::prelude::*;
/// #[time_me]
/// fn plain() {}
///
/// #[time_me(name = "shop.pay", outcome, tags(method = "card"))]
/// async fn pay() -> Result<(), std::io::Error> { Ok(()) }
///
/// #[time_me(span = false)]
/// fn hot() {}
/// ```
///
/// - `name = ".."`: the metric and the span; `function.duration`, tagged `code.function.name`, and the name of
///   the function, where it is not given.
/// - `level = ".."`: of the metric and of the span, which is `info` where it is not given.
/// - `source = ".."`, `tags(..)`: as for `#[count_me]`; they go to the metric, not to the span.
/// - `span = false`: no span.
/// - `outcome`: adds the tag `outcome`, `ok`, `error` (an `Err` is returned), `panic` or `cancelled`, and gives
///   the span of an error the status error. An `Err` is known where the return type is a `Result` or an alias of
///   one; anything else, also a generic type, counts as `ok`.
///
/// On an `async fn` the whole future is measured, until it is done or dropped. A function that only returns a
/// future (`-> impl Future`, `-> Pin<Box<dyn Future>>`, what `#[async_trait]` makes) is measured until it has
/// returned that future.
#[proc_macro_attribute]
pub fn time_me(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Kind::Time, args, item)
}

/// Adds to a counter: `count!("name")`, `count!("name", value)`, and behind these `level = ".."`,
/// `source = ".."` and `tags(key = expr)`.
#[proc_macro]
pub fn count(args: TokenStream) -> TokenStream {
    call(Kind::Count, args)
}

/// Starts a timer: `let _timer = time!("name");`, with `level = ".."`, `source = ".."` and `tags(key = expr)`
/// behind the name. It measures until the guard is dropped.
#[proc_macro]
pub fn time(args: TokenStream) -> TokenStream {
    call(Kind::Time, args)
}

/// Sets a gauge: `gauge!("name", value)`, and behind these `level = ".."`, `source = ".."` and
/// `tags(key = expr)`.
#[proc_macro]
pub fn gauge(args: TokenStream) -> TokenStream {
    call(Kind::Gauge, args)
}

fn attribute(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let item: proc_macro2::TokenStream = item.into();
    let expanded = syn::parse::Parser::parse(
        |input: syn::parse::ParseStream<'_>| AttributeArgs::parse(kind, input),
        args,
    )
    .and_then(|args| Ok((args, syn::parse2::<Function>(item.clone())?)))
    .and_then(|(args, function)| {
        function.fits(&args)?;
        Ok(expand::attribute(kind, &args, &function))
    });
    expanded
        .unwrap_or_else(|error| {
            let mut both = error.into_compile_error();
            both.extend(item);
            both
        })
        .into()
}

fn call(kind: Kind, args: TokenStream) -> TokenStream {
    let parse = |input: syn::parse::ParseStream<'_>| CallArgs::parse(kind, input);
    syn::parse::Parser::parse(parse, args)
        .map_or_else(syn::Error::into_compile_error, |args| expand::call(kind, &args))
        .into()
}
