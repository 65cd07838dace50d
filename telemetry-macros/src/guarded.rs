//! Functions that are measured by something that is dropped when the call is over.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericArgument, LitStr, PathArguments, ReturnType, Type, TypeParamBound};

use crate::args::{AttributeArgs, Common, ErrorType};
use crate::function::Function;
use crate::kind::Kind;
use crate::site::{Metric, outcome_sites, site};
use crate::tokens::{dynamic_tags, has_dynamic_tags, in_scope, local, nameable, private};

const ACTIVE: &str = "__active";
const TIMER: &str = "__timer";
const RESULT: &str = "__result";

pub(crate) struct Guarded<'a> {
    kind: Kind,
    args: &'a AttributeArgs,
    function: &'a Function,
    flow: Flow,
    /// Where the expansion finds everything.
    p: TokenStream,
    has_span: bool,
    metric: Metric<'a>,
}

/// How a call runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Sync,
    Async,
    /// It returns a future: what is measured lasts until that is done.
    Future {
        boxed: bool,
    },
}

impl<'a> Guarded<'a> {
    pub(crate) fn new(kind: Kind, args: &'a AttributeArgs, function: &'a Function) -> Self {
        Self {
            kind,
            args,
            function,
            flow: Flow::of(function),
            p: private(&args.common),
            has_span: kind == Kind::Time && !args.no_span,
            metric: Metric::of(args, function),
        }
    }

    pub(crate) fn expand(&self) -> TokenStream {
        if let Flow::Future { boxed } = self.flow {
            return self.function.with_body(self.returned(boxed));
        }
        let (timer, mutable) = (local(TIMER), self.mutable());
        // Futures hold the timer of their span.
        let start = (self.flow == Flow::Sync || !self.has_span).then(|| {
            let start = self.start();
            quote!(let #mutable #timer = #start;)
        });
        let (begin, run) = (self.active(), self.run());
        self.function.with_body(quote!(#begin #start #run))
    }

    /// The future that the function returns, in one that holds it and what measures it: an `async` block would hold it
    /// twice, where it comes from and where it waits for it.
    fn returned(&self, boxed: bool) -> TokenStream {
        let (p, timer, active, mutable) = (&self.p, local(TIMER), local(ACTIVE), self.mutable());
        let (begin, future) = (self.active(), self.in_span(&self.call()));
        let kept = begin.is_some().then(|| quote!(let #active = #active;));
        let (start, held) = if self.has_span {
            (None, None)
        } else {
            let start = self.start();
            (Some(quote!(let #timer = #start;)), Some(quote!(let #mutable #timer = #timer;)))
        };
        let (told, end) = (self.told(), self.end());
        let whole = quote!(#p::Returned::new(#future, move |#told| { #kept #held #end }));
        let whole = if boxed { quote!(::std::boxed::Box::pin(#whole)) } else { whole };
        quote!(#begin #start #whole)
    }

    /// What is told how a call ended changes.
    fn mutable(&self) -> Option<TokenStream> {
        self.args.outcome.then(|| quote!(mut))
    }

    /// Whether the result is looked at.
    fn looks(&self) -> bool {
        self.args.outcome || (self.args.err.is_some() && self.has_span)
    }

    /// Whether its span has nothing that the site of its timer does not know.
    fn has_usual_span(&self) -> bool {
        let args = self.args;
        let has_fields = args.fields.as_ref().is_some_and(|fields| !fields.is_empty());
        let is_known = matches!(self.flow, Flow::Sync | Flow::Async);
        let is_plain = args.name.is_none()
            && args.span_name.is_none()
            && args.err.is_none()
            && args.error_type.is_none()
            && !has_fields;
        self.has_span && is_known && is_plain && !has_dynamic_tags(&args.common)
    }

    /// How many run now.
    fn active(&self) -> Option<TokenStream> {
        if !self.args.active {
            return None;
        }
        let Self { p, args, .. } = self;
        let named =
            args.name.as_ref().map(|name| LitStr::new(&format!("{}.active", name.value()), name.span()));
        let metric = match (&self.metric, &named) {
            (Metric::OfFunction(function), _) => Metric::OfFunction(function.clone()),
            (Metric::Named(name), named) => Metric::Named(named.as_ref().unwrap_or(name)),
        };
        let common =
            Common { level: args.common.level.clone(), path: args.common.path.clone(), ..Common::default() };
        let site = site(Some("UpDownCounter"), &metric, &common);
        let guard = local(ACTIVE);
        Some(quote!(let #guard = #p::Active::start(#site);))
    }

    /// The timer or the counter; on one thread with its span, where both end together.
    fn start(&self) -> TokenStream {
        let Self { kind, args, p, .. } = self;
        let (tags, is_tagged) = (dynamic_tags(&args.common), has_dynamic_tags(&args.common));
        let timer = match (self.flow, self.has_span, args.outcome) {
            (Flow::Sync, true, false) if self.has_usual_span() => quote!(in_span),
            (Flow::Sync, true, true) if self.has_usual_span() => quote!(in_span_with_outcome),
            (Flow::Sync, true, false) => quote!(SpanTimer::start),
            (Flow::Sync, true, true) => quote!(SpanOutcomeTimer::start),
            (Flow::Sync, false, false) => quote!(CallTimer::start),
            (Flow::Sync, false, true) => quote!(OutcomeTimer::start),
            (_, _, false) => quote!(FutureTimer::start),
            (_, _, true) => quote!(FutureOutcomeTimer::start),
        };
        let sites = self.sites();
        let start = match (args.outcome, kind) {
            (true, Kind::Count) => {
                let value = args.value.as_ref().map_or_else(|| quote!(1), |value| quote!(#value));
                quote!(#p::OutcomeCounter::start(#sites, #tags, #value))
            }
            (true, _) if is_tagged => quote!(#p::TaggedOutcomeTimer::start(#sites, #tags)),
            (false, _) if is_tagged => quote!(#p::start(#sites, #tags)),
            _ => quote!(#p::#timer(#sites)),
        };
        let start = in_scope(&args.common, &start);
        if !self.has_span || self.has_usual_span() {
            return start;
        }
        let timer = quote!(#p::announced(#start));
        if self.flow != Flow::Sync {
            return timer;
        }
        let open = self.open_span();
        quote!(#p::Spanned::new(#timer, #open))
    }

    /// Opens a span of which more is to be said than the site of its timer knows.
    fn open_span(&self) -> TokenStream {
        let Self { args, p, .. } = self;
        let name = args.span_name.as_ref().or(args.name.as_ref());
        let name = name.cloned().unwrap_or_else(|| self.function.name());
        let level = args.common.level.clone().unwrap_or_else(|| Ident::new("INFO", Span::call_site()));
        // By the first one the layer knows that the span is measured already.
        let own = ["telemetry.timed"].into_iter();
        let own = own.chain(args.outcome.then_some("otel.status_code"));
        let own = own.chain(args.err.as_ref().map(|_| "error"));
        let own = own.chain(args.error_type.as_ref().map(|_| "error.type"));
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

    /// Its site, or one for each outcome.
    fn sites(&self) -> TokenStream {
        let of = if self.args.outcome { outcome_sites } else { site };
        of(self.kind.cell(), &self.metric, &self.args.common)
    }

    /// The future in its span, measured.
    fn in_span(&self, future: &TokenStream) -> TokenStream {
        let p = &self.p;
        if !self.has_span {
            return future.clone();
        }
        if self.has_usual_span() {
            let sites = self.sites();
            let begin = if self.args.outcome { quote!(told) } else { quote!(timed) };
            return quote!(#p::InSpan::new(#p::#begin(#sites), #future));
        }
        let (start, open) = (self.start(), self.open_span());
        let begin = if self.looks() { quote!(told_in) } else { quote!(timed_in) };
        quote!(#p::InSpan::new(#p::#begin(#start, #p::begun(#open)), #future))
    }

    /// The call, and what is said of its end.
    fn run(&self) -> TokenStream {
        let call = match self.flow {
            // A guard is all that it takes.
            Flow::Sync if !self.looks() => return self.function.last(),
            Flow::Async if !self.looks() && !self.has_span => return self.function.last(),
            Flow::Sync => self.call(),
            _ => self.in_span(&self.future()),
        };
        let wait = (self.flow != Flow::Sync).then(|| quote!(.await));
        if !self.looks() {
            return quote!(#call #wait);
        }
        let (told, end) = (self.told(), self.end());
        quote!(let #told = #call #wait; #end)
    }

    /// What a call gives: with the timer that a future held, where there is more to be said.
    fn told(&self) -> TokenStream {
        let (timer, result, mutable) = (local(TIMER), local(RESULT), self.mutable());
        if self.flow != Flow::Sync && self.has_span && self.looks() {
            quote!((#result, #mutable #timer))
        } else {
            quote!(#result)
        }
    }

    /// What is said of that, before it is handed on.
    fn end(&self) -> TokenStream {
        let (error, ended, result) = (self.error(), self.ended(), local(RESULT));
        quote!(#error #ended #result)
    }

    /// Gives the span its error.
    fn error(&self) -> Option<TokenStream> {
        let (p, err) = (&self.p, self.args.err.as_ref().filter(|_| self.has_span)?);
        let (timer, result) = (local(TIMER), at(&local(RESULT), err));
        Some(quote_spanned!(err.span()=> #p::record_error(#timer.span(), &#result);))
    }

    /// Says how it ended.
    fn ended(&self) -> Option<TokenStream> {
        let Self { p, args, .. } = self;
        if !args.outcome {
            return None;
        }
        let (timer, result, outcome) = (local(TIMER), local(RESULT), local("__outcome"));
        let stop = match &args.error_type {
            None => quote!(#timer.end(#outcome);),
            Some(ErrorType { key, of }) => {
                let (kind, result) = (local("__kind"), at(&result, key));
                let of = of.as_ref().map_or_else(|| quote!(#p::type_name), |of| quote!(#of));
                let find = quote_spanned!(key.span()=> let #kind = #p::error_type(&#result, #of););
                quote!(#find #timer.end_with(#outcome, #kind);)
            }
        };
        Some(quote! {
            let #outcome = { use #p::AnyOutcome as _; #p::Probe(&#result).outcome() };
            #stop
        })
    }

    /// The body in a closure: an early return then ends the closure.
    fn call(&self) -> TokenStream {
        let (p, body, last) = (&self.p, &self.function.body, self.function.last());
        let ty = match &self.function.signature.output {
            ReturnType::Default => quote!(-> ()),
            ReturnType::Type(_, ty) => nameable(ty).map(|ty| quote!(-> #ty)).unwrap_or_default(),
        };
        let body = if ty.is_empty() { quote!({ #last }) } else { quote!(#body) };
        quote!(#p::call(move || #ty #body))
    }

    /// The body as a future. A branch that is never taken tells the compiler its type, so that `?` and early
    /// returns convert as they did.
    fn future(&self) -> TokenStream {
        let body = self.function.last();
        let hint = match &self.function.signature.output {
            ReturnType::Default => Some(quote!(())),
            ReturnType::Type(_, ty) => nameable(ty).map(|ty| quote!(#ty)),
        };
        let p = &self.p;
        let hint = hint.map(|ty| quote!(if false { return #p::never::<#ty>(); }));
        quote!(async move { #hint #body })
    }
}

/// The same name, where what is wrong with it is said of that argument.
fn at(name: &Ident, argument: &Ident) -> Ident {
    Ident::new(&name.to_string(), name.span().located_at(argument.span()))
}

impl Flow {
    fn of(function: &Function) -> Self {
        if function.signature.asyncness.is_some() {
            // What waits for nothing ends on the thread on which it began, when it is first polled.
            return if function.may_wait() { Self::Async } else { Self::Sync };
        }
        match &function.signature.output {
            ReturnType::Type(_, ty) => Self::returning(ty).unwrap_or(Self::Sync),
            ReturnType::Default => Self::Sync,
        }
    }

    /// By how the type is written: `impl Future`, `Pin<Box<dyn Future>>` (what `#[async_trait]` makes), `BoxFuture`.
    fn returning(ty: &Type) -> Option<Self> {
        match ty {
            Type::ImplTrait(ty) => {
                let boxed = has_bound(&ty.bounds, "Unpin");
                has_bound(&ty.bounds, "Future").then_some(Self::Future { boxed })
            }
            Type::Path(path) => {
                let last = path.path.segments.last()?;
                let is_box_future = last.ident == "BoxFuture" || last.ident == "LocalBoxFuture";
                let is_pinned = last.ident == "Pin"
                    && matches!(only_argument(ty, "Pin").and_then(|ty| only_argument(ty, "Box")),
                        Some(Type::TraitObject(ty)) if has_bound(&ty.bounds, "Future"));
                (is_box_future || is_pinned).then_some(Self::Future { boxed: true })
            }
            _ => None,
        }
    }
}

/// The type in `name<..>`.
fn only_argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    match &last.arguments {
        PathArguments::AngleBracketed(list) => list.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    }
}

fn has_bound<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>, name: &str) -> bool {
    bounds.into_iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == name),
        _ => false,
    })
}
