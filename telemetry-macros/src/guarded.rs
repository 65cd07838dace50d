//! Functions that are measured by something that is dropped when the call is over.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericArgument, LitStr, PathArguments, ReturnType, Type, TypeParamBound};

use crate::args::{AttributeArgs, Common, ErrorType, Kind};
use crate::expand::{
    Metric, dynamic_tags, has_dynamic_tags, has_usual_span, in_scope, local, nameable, one_site, open_span,
    outcome_sites, private, site,
};
use crate::function::Function;

pub(crate) struct Guarded<'a> {
    kind: Kind,
    args: &'a AttributeArgs,
    function: &'a Function,
    flow: Flow,
    /// Where the expansion finds everything.
    p: TokenStream,
    /// What opens its span, if it has one.
    span: Option<TokenStream>,
    metric: Metric<'a>,
    names: Names,
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

/// What no name of the user can meet.
struct Names {
    active: Ident,
    timer: Ident,
    span: Ident,
    future: Ident,
    result: Ident,
    outcome: Ident,
}

impl<'a> Guarded<'a> {
    pub(crate) fn new(kind: Kind, args: &'a AttributeArgs, function: &'a Function) -> Self {
        let names = Names {
            active: local("__active"),
            timer: local("__timer"),
            span: local("__span"),
            future: local("__future"),
            result: local("__result"),
            outcome: local("__outcome"),
        };
        Self {
            kind,
            args,
            function,
            flow: Flow::of(function),
            p: private(&args.common),
            span: (kind == Kind::Time && !args.no_span).then(|| open_span(args, function)),
            metric: Metric::of(args, function),
            names,
        }
    }

    pub(crate) fn expand(&self) -> TokenStream {
        let Names { active, timer, span, future, .. } = &self.names;
        let begin = self.active();
        if self.flow == Flow::Async && self.has_usual_span() && !self.looks() {
            let (p, future) = (&self.p, self.future());
            let site = site(Kind::Time, &self.metric, &self.args.common);
            return self.function.with_body(quote!(#begin #p::InSpan::timed(#site, #future).await.0));
        }
        let start = self.start();
        let run = self.run();
        let mutable = self.args.outcome.then(|| quote!(mut));
        let Flow::Future { boxed } = self.flow else {
            return self.function.with_body(quote!(#begin let #mutable #timer = #start; #run));
        };
        let (open, call) = (self.open().map(|open| quote!(let #span = #open;)), self.call());
        let kept = begin.is_some().then(|| quote!(let #active = #active;));
        let opened = open.is_some().then(|| quote!(let #span = #span;));
        let whole = quote!(async move { #kept let #mutable #timer = #timer; #opened #run });
        let whole = if boxed { quote!(::std::boxed::Box::pin(#whole)) } else { whole };
        self.function.with_body(quote!(#begin let #timer = #start; #open let #future = #call; #whole))
    }

    /// Whether the result is looked at.
    fn looks(&self) -> bool {
        self.args.outcome || (self.args.err.is_some() && self.span.is_some())
    }

    /// Whether its span has nothing that the site of its timer does not know.
    fn has_usual_span(&self) -> bool {
        let is_known = matches!(self.flow, Flow::Sync | Flow::Async);
        self.span.is_some() && is_known && has_usual_span(self.args)
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
        let site = one_site(Some("UpDownCounter"), &metric, &common);
        let guard = &self.names.active;
        Some(quote!(let #guard = #p::Active::start(#site);))
    }

    /// The timer or the counter; with its span, where both end together.
    fn start(&self) -> TokenStream {
        let Self { kind, args, p, metric, .. } = self;
        let (tags, is_tagged) = (dynamic_tags(&args.common), has_dynamic_tags(&args.common));
        let (timer, outcome_timer) = match self.span {
            _ if self.flow != Flow::Sync => (quote!(FutureTimer::start), quote!(FutureOutcomeTimer::start)),
            Some(_) if self.has_usual_span() => (quote!(in_span), quote!(in_span_with_outcome)),
            Some(_) => (quote!(SpanTimer::start), quote!(SpanOutcomeTimer::start)),
            None => (quote!(CallTimer::start), quote!(OutcomeTimer::start)),
        };
        let start = if args.outcome {
            let sites = outcome_sites(kind.cell(), metric, &args.common);
            if *kind == Kind::Count {
                let value = args.value.as_ref().map_or_else(|| quote!(1), |value| quote!(#value));
                quote!(#p::OutcomeCounter::start(#sites, #tags, #value))
            } else if is_tagged {
                quote!(#p::TaggedOutcomeTimer::start(#sites, #tags))
            } else {
                quote!(#p::#outcome_timer(#sites))
            }
        } else {
            let site = site(Kind::Time, metric, &args.common);
            if is_tagged { quote!(#p::start(#site, #tags)) } else { quote!(#p::#timer(#site)) }
        };
        let start = in_scope(&args.common, &start);
        match &self.span {
            None => start,
            // It is there already, or comes with the future.
            Some(_) if self.has_usual_span() => start,
            Some(open) if self.flow == Flow::Sync => quote!(#p::Spanned::new(#p::announced(#start), #open)),
            Some(_) => quote!(#p::announced(#start)),
        }
    }

    /// Opens the span of a future.
    fn open(&self) -> Option<TokenStream> {
        let (p, span) = (&self.p, self.span.as_ref()?);
        Some(quote!(#p::begun(#span)))
    }

    /// The call, and what is said of its end.
    fn run(&self) -> TokenStream {
        let Self { p, names: Names { timer, span, future, result, .. }, .. } = self;
        let (looks, body) = (self.looks(), self.function.last());
        match self.flow {
            Flow::Sync if looks => {
                let (call, error, ended) = (self.call(), self.error(), self.ended());
                return quote!(let #result = #call; #error #ended #result);
            }
            // A guard is all that it takes.
            Flow::Sync => return body,
            Flow::Async if !looks && self.span.is_none() => return body,
            Flow::Async | Flow::Future { .. } => {}
        }
        let is_async = self.flow == Flow::Async;
        let future = if is_async { self.future() } else { quote!(#future) };
        let open = if is_async { self.open() } else { self.span.is_some().then(|| quote!(#span)) };
        let in_span = open.map(|open| {
            if self.has_usual_span() {
                quote!(#p::InSpan::of(&#timer, #future))
            } else {
                quote!(#p::InSpan::new(#open, #future))
            }
        });
        let (error, ended) = (self.error(), self.ended());
        match in_span {
            None if looks => quote!(let #result = #future.await; #error #ended #result),
            None => quote!(#future.await),
            Some(in_span) if looks => quote!(let (#result, #span) = #in_span.await; #error #ended #result),
            Some(in_span) => quote!(#in_span.await.0),
        }
    }

    /// The span, where the result is looked at.
    fn opened(&self) -> TokenStream {
        let Names { timer, span, .. } = &self.names;
        if self.flow == Flow::Sync { quote!(#timer.span()) } else { quote!(&#span) }
    }

    /// Gives the span its error.
    fn error(&self) -> Option<TokenStream> {
        let (p, err) = (&self.p, self.args.err.as_ref().filter(|_| self.span.is_some())?);
        let (span, result) = (self.opened(), at(&self.names.result, err));
        Some(quote_spanned!(err.span()=> #p::record_error(#span, &#result);))
    }

    /// Says how it ended.
    fn ended(&self) -> Option<TokenStream> {
        let Self { p, args, names: Names { timer, span, result, outcome, .. }, .. } = self;
        if !args.outcome {
            return None;
        }
        let (returned, timer) = match (&self.span, self.flow) {
            (None, _) => (None, quote!(#timer)),
            (Some(_), Flow::Sync) => (Some(quote!(#timer.returned(#outcome);)), quote!(#timer.timer)),
            (Some(_), _) => (Some(quote!(#p::set_status(&#span, #outcome);)), quote!(#timer)),
        };
        let stop = match &args.error_type {
            None => quote!(#returned #timer.end(#outcome);),
            Some(ErrorType { key, of }) => {
                let (kind, result) = (local("__kind"), at(result, key));
                let of = of.as_ref().map_or_else(|| quote!(#p::type_name), |of| quote!(#of));
                let find = quote_spanned!(key.span()=> let #kind = #p::error_type(&#result, #of););
                quote!(#find #returned #timer.end_with(#outcome, #kind);)
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
            return Self::Async;
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
