//! What is measured: the name of a metric, and the `static` that an expansion keeps for it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;

use crate::args::{AttributeArgs, Common};
use crate::function::Function;
use crate::tokens::{has_dynamic_tags, place, private, private_at};

/// What a metric is called.
pub(crate) enum Metric<'a> {
    Named(&'a LitStr),
    /// As that of all functions, each with a tag of its own: this is the last part of its path.
    OfFunction(LitStr),
}

impl<'a> Metric<'a> {
    pub(crate) fn of(args: &'a AttributeArgs, function: &Function) -> Self {
        if let Some(name) = &args.name {
            return Self::Named(name);
        }
        let own = function.name();
        let of_type = args.of_type.as_ref().map(|name| format!("{}::", name.value())).unwrap_or_default();
        Self::OfFunction(LitStr::new(&format!("{of_type}{}", own.value()), own.span()))
    }
}

/// A reference to a site in a `static` that no expression of the user can see.
pub(crate) fn site(cell: Option<&str>, metric: &Metric<'_>, common: &Common) -> TokenStream {
    let p = private(common);
    if let Some(site) = function_site(cell, metric, common) {
        return quote!(#p::site!(#site));
    }
    let site = site_value(cell, metric, common);
    quote!(&#p::sites!(1, [#site])[0])
}

/// The same for each outcome.
pub(crate) fn outcome_sites(cell: Option<&str>, metric: &Metric<'_>, common: &Common) -> TokenStream {
    let p = private(common);
    if let Some(site) = function_site(cell, metric, common) {
        return quote!(#p::outcome_sites!(#site));
    }
    let site = site_value(cell, metric, common);
    quote!(#p::sites!(4, #site.outcomes()))
}

/// Of a function of which nothing else is said: its sites are made when they are first used.
fn function_site(cell: Option<&str>, metric: &Metric<'_>, common: &Common) -> Option<TokenStream> {
    let Metric::OfFunction(name) = metric else { return None };
    let kind = of_function(cell);
    common.says_nothing_of_the_metric().then(|| quote!(#kind, #name))
}

/// What makes the site of a function.
fn of_function(cell: Option<&str>) -> TokenStream {
    match cell {
        None => quote!(timed),
        Some("UpDownCounter") => quote!(active),
        Some(_) => quote!(counted),
    }
}

/// A site; a timer where it is for no certain kind of cell.
fn site_value(cell: Option<&str>, metric: &Metric<'_>, common: &Common) -> TokenStream {
    let p = private(common);
    let unit = common.unit.as_ref().filter(|_| cell.is_some()).map(|unit| quote!(.unit(#unit)));
    let description = common.description.as_ref().map(|text| quote!(.description(#text)));
    let buckets = common.buckets.as_ref().map(|bounds| {
        let (p, span) = (private_at(common, place(bounds)), place(bounds));
        quote_spanned!(span=> .buckets(#p::bounds(&#bounds)))
    });
    let level = common.level.as_ref().map(|level| quote!(.level(#p::Level::#level)));
    let later = has_dynamic_tags(common).then(|| quote!(.tagged_later()));
    let tags = common.tags.iter().filter_map(|tag| {
        let (key, value) = (&tag.key, tag.literal()?);
        Some(quote!((#key, #value)))
    });
    let tags: Vec<_> = tags.collect();
    let site = match (metric, cell) {
        (Metric::Named(name), None) => quote!(timer(#name, &[#(#tags),*])),
        (Metric::Named(name), Some(cell)) => {
            let kind = Ident::new(cell, Span::call_site());
            quote!(here(#p::CellKind::#kind, #name, &[#(#tags),*]))
        }
        (Metric::OfFunction(name), cell) => {
            let constructor = of_function(cell);
            let tags = (!tags.is_empty()).then(|| quote!(.tags(&[#(#tags),*])));
            quote!(#constructor(::core::module_path!(), #name) #tags)
        }
    };
    quote!(#p::Site::#site #level #description #buckets #unit #later)
}
