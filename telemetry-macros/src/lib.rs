//! The attributes and macros of `telemetry-layer`, which re-exports them; nobody depends on this crate alone.
//!
//! What comes in is parsed (`args` with what can be said of `values`, `function`) and expanded (`expand`, `guarded`, `block`,
//! of the pieces that `tokens` and `site` make) to calls of `telemetry_layer::__private`. When an argument is wrong, the function is emitted as it
//! was, beside the error.

mod args;
mod block;
mod expand;
mod function;
mod guarded;
mod kind;
mod site;
#[cfg(test)]
mod tests;
mod tokens;
mod values;

use proc_macro::TokenStream;
use proc_macro2::{Delimiter, TokenTree};

use crate::args::{AttributeArgs, CallArgs};
use crate::block::Block;
use crate::function::Function;
use crate::kind::Kind;

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
/// - `unit = ".."`, `description = ".."`: of the metric; the unit in UCUM.
/// - `outcome`, `error_type`: as for `#[time_me]`; the call is then counted when it is over, not when it happens.
/// - `crate = path`: where `telemetry_layer` is, if it has another name.
///
/// On an `impl` block or a module it holds for each function in it, but for those that say `#[skip]` and for `const`
/// ones; `name = "shop.cart"` is then what the names of all their metrics begin with: `shop.cart.add`, and in a module
/// `shop.cart.Cart.add` for methods. Methods of the same name on different types in one module share the tag `code.function.name` where each is
/// annotated by itself; annotated blocks put the type's name into it.
///
/// ```
/// # use telemetry_layer::prelude::*;
/// struct Cart;
///
/// #[count_me]
/// impl Cart {
///     fn add(&mut self) {}
///
///     #[skip]
///     fn len(&self) -> usize { 0 }
/// }
/// ```
///
/// The call of a `main` that starts telemetry itself begins too early to be counted or measured; that is said once, on
/// standard error.
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
/// - `buckets = [0.01, 0.1, 1.0]`: upper bounds in seconds, in place of exponential buckets; `description = ".."`,
///   `crate = path`, blocks and modules: as for `#[count_me]`.
/// - `span = false`: no span. `span_name = ".."`: that of the span, whatever that of the metric is.
/// - `fields(name = expr, ..)`: of the span, as `tracing` writes them.
/// - `err`: an `Err` is the field `error` of the span, as `Display` shows it, and its status.
/// - `active`: how many calls run now, as `function.active`, or `NAME.active`.
/// - `outcome`: adds the tag `outcome`, `ok`, `error` (an `Err` is returned), `panic` or `cancelled`, and gives
///   the span of an error the status error. An `Err` is known where the return type is a `Result` or an alias of
///   one; anything else, also a generic type, counts as `ok`.
///
/// - `error_type`, `error_type = |error| ..`: with `outcome`, adds OpenTelemetry's tag `error.type` to the outcome `error`:
///   the name of the error's type, or what the closure makes of the error, which it may borrow from that. Few different
///   ones, please: each is a series. The span has it as the field `error.type`.
///
/// On an `async fn` the whole future is measured, until it is done or dropped; on a function that says that it returns a
/// future (`-> impl Future`, `-> Pin<Box<dyn Future>>`, what `#[async_trait]` makes, `-> BoxFuture`), from the call until
/// that is done or dropped.
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

/// Starts a timer: `let _timer = time!("name");`, with `level = ".."`, `source = ".."`, `tags(key = expr)` and
/// `buckets = [..]` behind the name. It measures seconds. It measures until the guard is dropped.
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

/// Records a value of a histogram: `histogram!("name", value)`, and behind these `level = ".."`, `source = ".."`,
/// `tags(key = expr)`, `unit = ".."`, `buckets = [..]`.
#[proc_macro]
pub fn histogram(args: TokenStream) -> TokenStream {
    call(Kind::Histogram, args)
}

/// Sends a finished data point to the current collector: `record!("name", value)`.
#[proc_macro]
pub fn record(args: TokenStream) -> TokenStream {
    call(Kind::Record, args)
}

fn attribute(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let (args, item) = (proc_macro2::TokenStream::from(args), proc_macro2::TokenStream::from(item));
    expanded(kind, &args, &item)
        .unwrap_or_else(|error| {
            let mut both = error.into_compile_error();
            both.extend(item);
            both
        })
        .into()
}

fn expanded(
    kind: Kind,
    tokens: &proc_macro2::TokenStream,
    item: &proc_macro2::TokenStream,
) -> syn::Result<proc_macro2::TokenStream> {
    let parse = |input: syn::parse::ParseStream<'_>| AttributeArgs::parse(kind, input);
    let args = syn::parse::Parser::parse2(parse, tokens.clone())?;
    match keyword(item.clone()).as_deref() {
        Some("impl") => return Ok(Block::new(kind, tokens, &args)?.of_impl(syn::parse2(item.clone())?)),
        Some("mod") => return Block::new(kind, tokens, &args)?.of_module(syn::parse2(item.clone())?),
        _ => {}
    }
    let mut function = Function::parse(item.clone())?;
    function.fits(&args)?;
    function.document(&args.name.as_ref().map_or_else(|| kind.unnamed().to_owned(), syn::LitStr::value));
    function.tell_of_main(&tokens::private(&args.common), kind.attribute());
    Ok(expand::attribute(kind, &args, &function))
}

/// What kind of item it is: a look costs less than to parse in vain.
fn keyword(item: proc_macro2::TokenStream) -> Option<String> {
    const ITEMS: [&str; 10] =
        ["fn", "impl", "mod", "struct", "enum", "union", "trait", "type", "use", "static"];
    item.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) => ITEMS.iter().any(|item| word == item).then(|| word.to_string()),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => keyword(group.stream()),
        _ => None,
    })
}

fn call(kind: Kind, args: TokenStream) -> TokenStream {
    let parse = |input: syn::parse::ParseStream<'_>| CallArgs::parse(kind, input);
    syn::parse::Parser::parse(parse, args)
        .map_or_else(syn::Error::into_compile_error, |args| expand::call(kind, &args))
        .into()
}
