//! What the macros become.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, LitStr, ReturnType, Type};

use crate::args::{AttributeArgs, CallArgs, Common, Kind};
use crate::function::Function;

const OUTCOMES: [&str; 4] = ["ok", "error", "panic", "cancelled"];

/// Where the expansion finds everything.
fn private(common: &Common) -> TokenStream {
    let path = common.path.as_ref().map_or_else(|| quote!(::telemetry_layer), |path| quote!(#path));
    quote!(#path::__private)
}

/// A name that no name of the user can meet.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

pub(crate) fn call(kind: Kind, args: &CallArgs) -> TokenStream {
    let p = private(&args.common);
    let name = &args.name;
    let site = site(kind, &quote!(#name), &args.common, &[]);
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

impl AttributeArgs {
    /// Whether the result is looked at.
    fn looks(&self) -> bool {
        self.outcome || (self.err.is_some() && !self.no_span)
    }
}

pub(crate) fn attribute(kind: Kind, args: &AttributeArgs, function: &Function) -> TokenStream {
    match kind {
        Kind::Time => time(args, function),
        _ => count(args, function),
    }
}

fn count(args: &AttributeArgs, function: &Function) -> TokenStream {
    let (name, own_tags) = metric("function.calls", args, function);
    let site = site(Kind::Count, &name, &args.common, &own_tags);
    let add = add(&args.common, &site, args.value.as_ref());
    let body = &function.body;
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

fn time(args: &AttributeArgs, function: &Function) -> TokenStream {
    let p = private(&args.common);
    let (timer, span) = (local("__timer"), local("__span"));
    let (name, own_tags) = metric("function.duration", args, function);
    let tags = dynamic_tags(&args.common);
    let is_static = imports(&args.common).is_none();
    let start = if args.outcome {
        let sites = OUTCOMES.map(|outcome| {
            let with_outcome = [&own_tags[..], &[("outcome", quote!(#outcome))]].concat();
            site_value(Kind::Time, &name, &args.common, &with_outcome)
        });
        let sites = quote!({ static SITES: [#p::Site; 4] = [#(#sites),*]; &SITES });
        if is_static {
            quote!(#p::OutcomeTimer::start(#sites))
        } else {
            quote!(#p::TaggedOutcomeTimer::start(#sites, #tags))
        }
    } else {
        let site = site(Kind::Time, &name, &args.common, &own_tags);
        if is_static { quote!(#p::CallTimer::start(#site)) } else { quote!(#p::start(#site, #tags)) }
    };
    let open = (!args.no_span).then(|| open_span(args, function));
    let is_async = function.signature.asyncness.is_some();
    // A future holds its span once, unless it is asked after its end.
    let moves_span = is_async && !args.looks();
    let run = match (is_async, &open) {
        (false, _) => run_sync(args, function),
        (true, Some(open)) => {
            let future = future(function);
            let announced = quote!({ #p::announce(&#timer); let #span = #open; #p::opened(); #span });
            let span = if moves_span { announced } else { quote!(::core::clone::Clone::clone(&#span)) };
            quote!(#p::Instrument::instrument(#future, #span).await)
        }
        (true, None) => {
            let future = future(function);
            quote!(#future.await)
        }
    };
    let end = local("__end");
    let open = open.filter(|_| !moves_span).map(|open| {
        let opened = if is_async {
            quote!(let #span = #open; #p::opened();)
        } else {
            quote!(let #span = #open.entered(); let #end = #p::End::of(&#timer);)
        };
        quote!(#p::announce(&#timer); #opened)
    });
    let run = if args.looks() {
        let (result, outcome) = (local("__result"), local("__outcome"));
        let error = args.err.as_ref().filter(|_| open.is_some()).map(|err| {
            let at = |name: &Ident| Ident::new(&name.to_string(), name.span().located_at(err.span()));
            let (span, result) = (at(&span), at(&result));
            quote_spanned!(err.span()=> #p::record_error(&#span, &#result);)
        });
        let ended = args.outcome.then(|| {
            let status = open.is_some().then(|| quote!(#p::set_status(&#span, #outcome);));
            let drop_end = (open.is_some() && !is_async).then(|| quote!(::core::mem::drop(#end);));
            quote! {
                let #outcome = { use #p::AnyOutcome as _; #p::Probe(&#result).outcome() };
                #status
                #drop_end
                #timer.end(#outcome);
            }
        });
        quote! {
            let #result = #run;
            #error
            #ended
            #result
        }
    } else {
        run
    };
    let start = in_scope(&args.common, &start);
    let active = args.active.then(|| {
        let tags = if args.name.is_some() { Vec::new() } else { own_tags.clone() };
        let name = args
            .name
            .as_ref()
            .map_or("function.active".to_owned(), |name| format!("{}.active", name.value()));
        let common =
            Common { level: args.common.level.clone(), path: args.common.path.clone(), ..Common::default() };
        let site = site_of(&quote!(UpDownCounter), &quote!(#name), &common, &tags);
        let guard = local("__active");
        quote!(let #guard = #p::Active::start({ static SITE: #p::Site = #site; &SITE });)
    });
    let mutable = args.outcome.then(|| quote!(mut));
    function.with_body(quote!(#active let #mutable #timer = #start; #open #run))
}

/// The body as it is, or, where its result is looked at, in a closure: an early return then ends the closure.
fn run_sync(args: &AttributeArgs, function: &Function) -> TokenStream {
    let body = &function.body;
    if !args.looks() {
        return quote!(#body);
    }
    let p = private(&args.common);
    let ty = match &function.signature.output {
        ReturnType::Default => quote!(-> ()),
        ReturnType::Type(_, ty) => nameable(ty).map(|ty| quote!(-> #ty)).unwrap_or_default(),
    };
    quote!(#p::call(move || #ty { #body }))
}

/// The body as a future. A branch that is never taken tells the compiler its type, so that `?` and early
/// returns convert as they did.
fn future(function: &Function) -> TokenStream {
    let body = &function.body;
    let hint = match &function.signature.output {
        ReturnType::Default => Some(quote!(())),
        ReturnType::Type(_, ty) => nameable(ty).map(|ty| quote!(#ty)),
    };
    let hint = hint.map(|ty| {
        let never = local("__never");
        quote! {
            #[allow(unreachable_code, clippy::all, clippy::pedantic)]
            if false {
                let #never: #ty = loop {};
                return #never;
            }
        }
    });
    quote!(async move { #hint #body })
}

/// The type, unless it has no name (`impl Trait`) or no value (`!`).
fn nameable(ty: &Type) -> Option<&Type> {
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

fn open_span(args: &AttributeArgs, function: &Function) -> TokenStream {
    let p = private(&args.common);
    let name = args.name.as_ref().map_or_else(|| function_name(function), LitStr::clone);
    let level = args.common.level.clone().unwrap_or_else(|| Ident::new("INFO", Span::call_site()));
    let status = args.outcome.then(|| quote!(, otel.status_code = #p::tracing::field::Empty));
    let error = args.err.as_ref().map(|_| quote!(, error = #p::tracing::field::Empty));
    let fields = args.fields.as_ref().filter(|fields| !fields.is_empty()).map(|fields| quote!(, #fields));
    // The field by which the layer knows that the span is measured already.
    let timed = quote!(telemetry.timed = #p::tracing::field::Empty);
    quote!(#p::tracing::span!(target: ::core::module_path!(), #p::Level::#level, #name, #timed #status #error #fields))
}

fn function_name(function: &Function) -> LitStr {
    let name = &function.signature.ident;
    LitStr::new(&syn::ext::IdentExt::unraw(name).to_string(), name.span())
}

/// The metric's name, and the tags it has because nobody named it.
fn metric(
    unnamed: &str,
    args: &AttributeArgs,
    function: &Function,
) -> (TokenStream, Vec<(&'static str, TokenStream)>) {
    if let Some(name) = &args.name {
        return (quote!(#name), Vec::new());
    }
    let own = function_name(function);
    let of_type = args.of_type.as_ref().map(|name| quote!(#name, "::",));
    let path = quote_spanned!(own.span()=> ::core::concat!(::core::module_path!(), "::", #of_type #own));
    (quote!(#unnamed), vec![("code.function.name", path)])
}

/// A reference to a site in a `static` that no expression of the user can see.
fn site(kind: Kind, name: &TokenStream, common: &Common, own: &[(&str, TokenStream)]) -> TokenStream {
    let (p, value) = (private(common), site_value(kind, name, common, own));
    quote!({ static SITE: #p::Site = #value; &SITE })
}

fn site_value(kind: Kind, name: &TokenStream, common: &Common, own: &[(&str, TokenStream)]) -> TokenStream {
    let (cell, unit) = match kind {
        Kind::Count => (quote!(Counter), None),
        Kind::Time => (quote!(Histogram), Some(quote!(.unit("s")))),
        Kind::Histogram => (quote!(Histogram), None),
        Kind::Gauge | Kind::Record => (quote!(Gauge), None),
    };
    let site = site_of(&cell, name, common, own);
    // A timer's unit is the second, whatever is said.
    quote!(#site #unit)
}

fn site_of(
    cell: &TokenStream,
    name: &TokenStream,
    common: &Common,
    own: &[(&str, TokenStream)],
) -> TokenStream {
    let p = private(common);
    let unit = common.unit.as_ref().map(|unit| quote!(.unit(#unit)));
    let description = common.description.as_ref().map(|text| quote!(.description(#text)));
    let buckets = common.buckets.as_ref().map(|bounds| quote!(.buckets(&#bounds)));
    let level = common.level.as_ref().map(|level| quote!(.level(#p::Level::#level)));
    let own = own.iter().map(|(key, value)| quote!((#key, #value)));
    let literal = common.tags.iter().filter_map(|tag| {
        let (key, value) = (&tag.key, tag.literal()?);
        Some(quote!((#key, #value)))
    });
    let tags = own.chain(literal);
    let place = quote!(.at(::core::file!(), ::core::line!()));
    quote!(#p::Site::new(#p::CellKind::#cell, #name, &[#(#tags),*])#place #level #description #buckets #unit)
}

/// The tags whose values are known only when the program runs.
fn dynamic_tags(common: &Common) -> TokenStream {
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
fn in_scope(common: &Common, call: &TokenStream) -> TokenStream {
    imports(common).map_or_else(|| call.clone(), |imports| quote!({ #imports #call }))
}

fn imports(common: &Common) -> Option<TokenStream> {
    let p = private(common);
    let dynamic = common.tags.iter().any(|tag| tag.literal().is_none());
    dynamic.then(|| quote!(use #p::{DisplayTag as _, TextTag as _};))
}
