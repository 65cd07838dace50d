//! A function whose body is not looked into: half-typed code still expands.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{
    AttrStyle, Attribute, Error, LitStr, Result, ReturnType, Signature, Type, Visibility, parse_quote,
};

use crate::args::AttributeArgs;

const NEEDS_BODY: &str = "this attribute needs a function with a body";

pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// In the braces of its author, whose edition says when temporaries of the last expression are dropped.
    pub(crate) body: Group,
    /// What runs before anything else.
    first: Option<TokenStream>,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Self> {
        let mut head: Vec<TokenTree> = item.into_iter().collect();
        let last = head.pop();
        if let (true, Some(TokenTree::Group(whole))) = (head.is_empty(), &last)
            && whole.delimiter() == Delimiter::None
        {
            return Self::parse(whole.stream());
        }
        let end = last.as_ref().map_or_else(Span::call_site, TokenTree::span);
        let parse = |input: ParseStream<'_>| parse_head(input, end);
        let (mut attributes, visibility, signature) = parse.parse2(head.into_iter().collect())?;
        let body = last.map_or_else(|| Err(Error::new(signature.ident.span(), NEEDS_BODY)), body)?;
        let stream = body.stream();
        let mut first = stream.clone().into_iter();
        let starts =
            |token: Option<TokenTree>, c| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == c);
        let body = if starts(first.next(), '#') && starts(first.next(), '!') {
            let split = |body: ParseStream<'_>| Ok((body.call(Attribute::parse_inner)?, body.parse()?));
            let (inner, rest): (Vec<_>, TokenStream) = split.parse2(stream)?;
            attributes.extend(inner.into_iter().map(|inner| Attribute { style: AttrStyle::Outer, ..inner }));
            let mut without = Group::new(Delimiter::Brace, rest);
            without.set_span(body.span());
            without
        } else {
            body
        };
        Ok(Self { attributes, visibility, signature, body, first: None })
    }

    /// Whether the arguments make sense for it.
    pub(crate) fn fits(&self, args: &AttributeArgs) -> Result<()> {
        match &self.signature.output {
            ReturnType::Type(_, ty) if args.outcome && matches!(**ty, Type::Never(_)) => {
                Err(Error::new_spanned(ty, "a function that never returns has no outcome"))
            }
            _ => Ok(()),
        }
    }

    /// What its author calls it.
    pub(crate) fn name(&self) -> LitStr {
        let name = &self.signature.ident;
        LitStr::new(&name.unraw().to_string(), name.span())
    }

    /// Its body as the last expression of another one.
    pub(crate) fn last(&self) -> TokenStream {
        let body = &self.body;
        quote!(#[allow(unused_braces)] #body)
    }

    /// The same function with another body. Its braces stay those of its author: lints look at where an item ends, and
    /// are silent of one that is a macro's.
    pub(crate) fn with_body(&self, body: impl ToTokens) -> TokenStream {
        let Self { attributes, visibility, signature, first, .. } = self;
        let mut braces = Group::new(Delimiter::Brace, quote!(#first #body));
        braces.set_span(self.body.span());
        quote! { #(#attributes)* #visibility #signature #braces }
    }

    /// The same, where it is a `main`: that says when it begins, as telemetry may begin in it.
    pub(crate) fn tell_of_main(&mut self, private: &TokenStream, attribute: &str) {
        if self.signature.ident == "main" {
            self.first = Some(quote!(#private::main_begins(::core::module_path!(), #attribute);));
        }
    }

    /// Whether it may wait for a future: it says so, or a macro in it may.
    pub(crate) fn may_wait(&self) -> bool {
        self.signature.asyncness.is_some() && may_wait(self.body.stream())
    }

    /// Says in its documentation, where it has one, which metric it feeds.
    pub(crate) fn document(&mut self, metric: &str) {
        if self.attributes.iter().any(|attribute| attribute.path().is_ident("doc")) {
            let line = format!(" Feeds the metric `{metric}`.");
            self.attributes.push(parse_quote!(#[doc = ""]));
            self.attributes.push(parse_quote!(#[doc = #line]));
        }
    }
}

/// All before the body, which begins at `end`.
fn parse_head(input: ParseStream<'_>, end: Span) -> Result<(Vec<Attribute>, Visibility, Signature)> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let not_a_function = |_| {
        let place = if input.is_empty() { end } else { input.span() };
        Error::new(place, "this attribute goes on a function, an `impl` block or a module")
    };
    let signature: Signature = input.parse().map_err(not_a_function)?;
    if let Some(constant) = signature.constness {
        let text = "a `const fn` can run when nothing can be recorded; take `const` or this attribute away";
        return Err(Error::new_spanned(constant, text));
    }
    Ok((attributes, visibility, signature))
}

/// Whether these tokens may wait for a future. What stands in an `async` block is waited for elsewhere.
fn may_wait(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Ident(word) => word == "await",
        TokenTree::Group(group) => {
            let before = &tokens[..at];
            let is_block = group.delimiter() == Delimiter::Brace
                && (ends_with(before, &["async"]) || ends_with(before, &["async", "move"]));
            !is_block && (is_macro_that_may_wait(before) || may_wait(group.stream()))
        }
        _ => false,
    })
}

/// Whether these are followed by the brackets of a macro that may wait, whatever stands in them.
fn is_macro_that_may_wait(before: &[TokenTree]) -> bool {
    /// Of the standard library; those of `tracing` and what our own attributes make don't wait either.
    const PLAIN: [&str; 21] = [
        "assert",
        "assert_eq",
        "assert_ne",
        "dbg",
        "debug_assert",
        "debug_assert_eq",
        "debug_assert_ne",
        "eprint",
        "eprintln",
        "format",
        "format_args",
        "matches",
        "panic",
        "print",
        "println",
        "todo",
        "unimplemented",
        "unreachable",
        "vec",
        "write",
        "writeln",
    ];
    let [path @ .., TokenTree::Ident(name), TokenTree::Punct(mark)] = before else { return false };
    let is_of = |root| ends_with(path, &[root, ":", ":"]);
    let is_plain = || PLAIN.iter().any(|plain| name == plain) || is_of("tracing") || is_of("__private");
    mark.as_char() == '!' && !is_plain()
}

fn ends_with(tokens: &[TokenTree], texts: &[&str]) -> bool {
    let is_same = |(token, text): (&TokenTree, &&str)| token.to_string() == **text;
    tokens.len() >= texts.len() && tokens[tokens.len() - texts.len()..].iter().zip(texts).all(is_same)
}

/// One that came through `macro_rules!` stands in an invisible group.
fn body(last: TokenTree) -> Result<Group> {
    match last {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let inner = group.stream().into_iter().next();
            inner.map_or_else(|| Err(Error::new(group.span(), NEEDS_BODY)), body)
        }
        other => Err(Error::new(other.span(), NEEDS_BODY)),
    }
}
