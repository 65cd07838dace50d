//! What the macros become.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Expr;

use crate::args::{AttributeArgs, CallArgs, Common};
use crate::function::Function;
use crate::guarded::Guarded;
use crate::kind::Kind;
use crate::site::{Metric, site};
use crate::tokens::{dynamic_tags, imports, in_scope, private};

pub(crate) fn call(kind: Kind, args: &CallArgs) -> TokenStream {
    let p = private(&args.common);
    let name = &args.name;
    let site = site(kind.cell(), &Metric::Named(name), &args.common);
    let tags = dynamic_tags(&args.common);
    let run = match (kind, &args.value) {
        (Kind::Time, _) => quote!(#p::start(#site, #tags)),
        (Kind::Count, value) => add(&args.common, &site, value.as_ref()),
        (Kind::Gauge, value) => quote!(#p::record(#site, #tags, #value)),
        (Kind::Histogram, value) => quote!(#p::observe(#site, #tags, #value)),
        (Kind::Record, value) => return quote!(#p::record_point(#name, #value)),
    };
    in_scope(&args.common, &run)
}

pub(crate) fn attribute(kind: Kind, args: &AttributeArgs, function: &Function) -> TokenStream {
    if kind == Kind::Time || args.outcome {
        Guarded::new(kind, args, function).expand()
    } else {
        count(args, function)
    }
}

fn count(args: &AttributeArgs, function: &Function) -> TokenStream {
    let metric = Metric::of(args, function);
    let site = site(Kind::Count.cell(), &metric, &args.common);
    let add = add(&args.common, &site, args.value.as_ref());
    let body = function.last();
    let imports = imports(&args.common);
    function.with_body(quote! {
        {
            #add;
            #imports
        }
        #body
    })
}

/// Adds to a counter; without tags that are known only now it is the quick way.
fn add(common: &Common, site: &TokenStream, value: Option<&Expr>) -> TokenStream {
    let p = private(common);
    let value = value.map_or_else(|| quote!(1), |value| quote!(#value));
    if imports(common).is_none() {
        return quote!(#p::count(#site, #value));
    }
    let tags = dynamic_tags(common);
    quote!(#p::count_with(#site, #tags, #value))
}
