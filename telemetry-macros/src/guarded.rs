//! Functions that are measured by something that is dropped when the call is over.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound};

use crate::args::{AttributeArgs, Common, ErrorType, Kind};
use crate::expand::{
    dynamic_tags, has_dynamic_tags, in_scope, listed, local, metric, nameable, one_site, open_span, private,
    site, site_of, site_value,
};
use crate::function::Function;

const OUTCOMES: [&str; 4] = ["ok", "error", "panic", "cancelled"];

pub(crate) struct Guarded<'a> {
    kind: Kind,
    args: &'a AttributeArgs,
    function: &'a Function,
    flow: Flow,
    /// Where the expansion finds everything.
    p: TokenStream,
    /// What opens its span, if it has one.
    span: Option<TokenStream>,
    /// The metric's name, and the tags it has because nobody named it.
    metric: (TokenStream, Vec<(&'static str, TokenStream)>),
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
    end: Ident,
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
            end: local("__end"),
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
            metric: metric(kind.unnamed(), args, function),
            names,
        }
    }

    pub(crate) fn expand(&self) -> TokenStream {
        let Names { active, timer, span, future, .. } = &self.names;
        let (begin, start, open, run) = (self.active(), self.start(), self.open(), self.run());
        let mutable = self.args.outcome.then(|| quote!(mut));
        let Flow::Future { boxed } = self.flow else {
            let over = self.over();
            return self.function.with_body(quote!(#begin #over let #mutable #timer = #start; #open #run));
        };
        let call = self.call();
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

    /// Whether span and timer end with one reading of the clock.
    fn ends_together(&self) -> bool {
        self.span.is_some() && self.flow == Flow::Sync
    }

    /// A future holds its span once, unless it is asked after its end.
    fn moves_span(&self) -> bool {
        self.flow == Flow::Async && !self.looks()
    }

    /// How many run now.
    fn active(&self) -> Option<TokenStream> {
        if !self.args.active {
            return None;
        }
        let (Self { p, args, .. }, (_, tags)) = (self, &self.metric);
        let name = args
            .name
            .as_ref()
            .map_or("function.active".to_owned(), |name| format!("{}.active", name.value()));
        let tags = if args.name.is_some() { &[][..] } else { tags };
        let common =
            Common { level: args.common.level.clone(), path: args.common.path.clone(), ..Common::default() };
        let site = one_site(&common, &site_of(Some(&quote!(UpDownCounter)), &quote!(#name), &common, tags));
        let guard = &self.names.active;
        Some(quote!(let #guard = #p::Active::start(#site);))
    }

    /// The timer or the counter.
    fn start(&self) -> TokenStream {
        let Self { kind, args, p, metric: (name, own_tags), .. } = self;
        let (tags, is_tagged) = (dynamic_tags(&args.common), has_dynamic_tags(&args.common));
        let (timer, outcome_timer) = match self.span {
            _ if self.flow != Flow::Sync => (quote!(FutureTimer), quote!(FutureOutcomeTimer)),
            Some(_) => (quote!(SpanTimer), quote!(SpanOutcomeTimer)),
            None => (quote!(CallTimer), quote!(OutcomeTimer)),
        };
        let start = if args.outcome {
            let sites = OUTCOMES.map(|outcome| {
                let with_outcome = [&own_tags[..], &[("outcome", quote!(#outcome))]].concat();
                site_value(*kind, name, &args.common, &with_outcome)
            });
            let sites = quote!(static SITES: [#p::Site; 4] = [#(#sites),*];);
            let sites = listed(&args.common, &sites, &quote!(&SITES));
            let sites = quote!({ #sites &SITES });
            if *kind == Kind::Count {
                let value = args.value.as_ref().map_or_else(|| quote!(1), |value| quote!(#value));
                quote!(#p::OutcomeCounter::start(#sites, #tags, #value))
            } else if is_tagged {
                quote!(#p::TaggedOutcomeTimer::start(#sites, #tags))
            } else {
                quote!(#p::#outcome_timer::start(#sites))
            }
        } else {
            let site = site(Kind::Time, name, &args.common, own_tags);
            if is_tagged { quote!(#p::start(#site, #tags)) } else { quote!(#p::#timer::start(#site)) }
        };
        in_scope(&args.common, &start)
    }

    /// The span, where it is not opened on the way into its future.
    fn open(&self) -> Option<TokenStream> {
        let Self { p, names: Names { timer, span, end, .. }, .. } = self;
        let open = self.span.as_ref().filter(|_| !self.moves_span())?;
        let opened = if self.ends_together() {
            quote!(let #span = #open.entered(); let #end = #p::End::of(&#timer);)
        } else {
            quote!(let #span = #open; #p::opened();)
        };
        Some(quote!(#p::announce(&#timer); #opened))
    }

    /// What lets the clock run again after its timer has stopped: in front of that, to be dropped behind it.
    fn over(&self) -> Option<TokenStream> {
        let (p, over) = (&self.p, local("__over"));
        self.ends_together().then(|| quote!(let #over = #p::Over;))
    }

    /// The call, and what is said of its end.
    fn run(&self) -> TokenStream {
        let Self { p, names: Names { timer, span, future, .. }, .. } = self;
        let future = match self.flow {
            Flow::Sync => None,
            Flow::Async => Some(self.future()),
            Flow::Future { .. } => Some(quote!(#future)),
        };
        let body = self.function.last();
        let run = match (future, &self.span) {
            (None, _) if self.looks() => self.call(),
            (None, _) => quote!(#body),
            (Some(future), None) => quote!(#future.await),
            (Some(future), Some(open)) if self.moves_span() => {
                let opened = quote!({ #p::announce(&#timer); let #span = #open; #p::opened(); #span });
                quote!(#p::Instrument::instrument(#future, #opened).await)
            }
            (Some(future), Some(_)) => {
                quote!(#p::Instrument::instrument(#future, ::core::clone::Clone::clone(&#span)).await)
            }
        };
        if !self.looks() {
            return run;
        }
        let (result, error, ended) = (&self.names.result, self.error(), self.ended());
        quote!(let #result = #run; #error #ended #result)
    }

    /// Gives the span its error.
    fn error(&self) -> Option<TokenStream> {
        let (p, err) = (&self.p, self.args.err.as_ref().filter(|_| self.span.is_some())?);
        let (span, result) = (at(&self.names.span, err), at(&self.names.result, err));
        Some(quote_spanned!(err.span()=> #p::record_error(&#span, &#result);))
    }

    /// Says how it ended.
    fn ended(&self) -> Option<TokenStream> {
        let Self { p, args, names: Names { timer, span, end, result, outcome, .. }, .. } = self;
        let status = self.span.is_some().then(|| quote!(#p::set_status(&#span, #outcome);));
        let over = self.ends_together().then(|| quote!(::core::mem::drop(#end);));
        let stop = match &args.error_type {
            None => quote!(#over #timer.end(#outcome);),
            Some(ErrorType { key, of }) => {
                let (kind, result) = (local("__kind"), at(result, key));
                let of = of.as_ref().map_or_else(|| quote!(#p::type_name), |of| quote!(#of));
                let find = quote_spanned!(key.span()=> let #kind = #p::error_type(&#result, #of););
                quote!(#find #over #timer.end_with(#outcome, #kind);)
            }
        };
        args.outcome.then(|| {
            quote! {
                let #outcome = { use #p::AnyOutcome as _; #p::Probe(&#result).outcome() };
                #status
                #stop
            }
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
