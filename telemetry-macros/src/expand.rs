//! What the macros become.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, LitStr, Type};

use crate::args::{AttributeArgs, CallArgs, Common, Kind};
use crate::function::Function;
use crate::guarded::Guarded;

/// Where `telemetry_layer` is.
pub(crate) fn root(common: &Common) -> TokenStream {
    common.path.as_ref().map_or_else(|| quote!(::telemetry_layer), |path| quote!(#path))
}

/// Where the expansion finds everything.
pub(crate) fn private(common: &Common) -> TokenStream {
    let root = root(common);
    quote!(#root::__private)
}

/// A name that no name of the user can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

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
            #imports
            #add;
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

/// The type, unless it has no name (`impl Trait`) or no value (`!`).
pub(crate) fn nameable(ty: &Type) -> Option<&Type> {
    fn has_impl(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Ident(ident) => ident == "impl",
            proc_macro2::TokenTree::Group(group) => has_impl(group.stream()),
            _ => false,
        })
    }
    let unnamed = matches!(ty, Type::Never(_)) || has_impl(quote!(#ty));
    (!unnamed).then_some(ty)
}

pub(crate) fn open_span(args: &AttributeArgs, function: &Function) -> TokenStream {
    let p = private(&args.common);
    let name = args.name.as_ref().map_or_else(|| function_name(function), LitStr::clone);
    let level = args.common.level.clone().unwrap_or_else(|| Ident::new("INFO", Span::call_site()));
    // By the first one the layer knows that the span is measured already.
    let own = ["telemetry.timed"].into_iter();
    let own = own.chain(args.outcome.then_some("otel.status_code")).chain(args.err.as_ref().map(|_| "error"));
    if let Some(fields) = args.fields.as_ref().filter(|fields| !fields.is_empty()) {
        let own = own.map(|name| quote!(#name = #p::tracing::field::Empty));
        return quote!(#p::tracing::span!(
            target: ::core::module_path!(), #p::Level::#level, #name, #(#own,)* #fields
        ));
    }
    quote!({
        static SPAN: #p::SpanSite =
            #p::SpanSite::new(::core::module_path!(), #name, #p::Level::#level, &[#(#own),*]);
        #p::open(&SPAN)
    })
}

/// Whether its span has nothing that the site of its timer does not know.
pub(crate) fn has_usual_span(args: &AttributeArgs) -> bool {
    let has_fields = args.fields.as_ref().is_some_and(|fields| !fields.is_empty());
    args.name.is_none() && args.err.is_none() && !has_fields && !has_dynamic_tags(&args.common)
}

fn function_name(function: &Function) -> LitStr {
    let name = &function.signature.ident;
    LitStr::new(&syn::ext::IdentExt::unraw(name).to_string(), name.span())
}

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
        let own = function_name(function);
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
    let buckets = common.buckets.as_ref().map(|bounds| quote!(.buckets(&#bounds)));
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

/// The tags whose values are known only when the program runs.
pub(crate) fn dynamic_tags(common: &Common) -> TokenStream {
    let p = private(common);
    let tags = common.tags.iter().filter(|tag| tag.literal().is_none()).map(|tag| {
        let (key, value) = (&tag.key, &tag.value);
        // What is wrong with the value is said where it stands.
        let span = Span::mixed_site().located_at(syn::spanned::Spanned::span(value));
        quote_spanned!(span=> (#key, &*(&#p::Tag(&(#value))).text()))
    });
    quote!(&[#(#tags),*])
}

/// The call, with what its dynamic tags need in scope.
pub(crate) fn in_scope(common: &Common, call: &TokenStream) -> TokenStream {
    imports(common).map_or_else(|| call.clone(), |imports| quote!({ #imports #call }))
}

fn imports(common: &Common) -> Option<TokenStream> {
    let p = private(common);
    has_dynamic_tags(common).then(|| quote!(use #p::{DisplayTag as _, TextTag as _};))
}

/// Whether the values of some tags are known only when the program runs.
pub(crate) fn has_dynamic_tags(common: &Common) -> bool {
    common.tags.iter().any(|tag| tag.literal().is_none())
}
