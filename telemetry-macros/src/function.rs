//! A function whose body is not looked into: half-typed code still expands.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{AttrStyle, Attribute, Error, Result, ReturnType, Signature, Type, Visibility, parse_quote};

use crate::args::AttributeArgs;

pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// In the braces of its author, whose edition says when temporaries of the last expression are dropped.
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let not_a_function =
            |_| input.error("this attribute goes on a function, an `impl` block or a module");
        let signature: Signature = input.parse().map_err(not_a_function)?;
        if let Some(constant) = signature.constness {
            let text =
                "a `const fn` can run when nothing can be recorded; take `const` or this attribute away";
            return Err(Error::new_spanned(constant, text));
        }
        let mut body: TokenTree =
            input.parse().map_err(|e| Error::new(e.span(), "this attribute needs a function with a body"))?;
        // One that came through `macro_rules!` stands in an invisible group.
        while let TokenTree::Group(group) = &body
            && group.delimiter() == Delimiter::None
            && let Some(inner) = group.stream().into_iter().next()
        {
            body = inner;
        }
        let body = match body {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => group,
            other => return Err(Error::new(other.span(), "a body in braces is needed")),
        };
        let split =
            |body: ParseStream<'_>| Ok((body.call(Attribute::parse_inner)?, body.parse::<TokenStream>()?));
        let braces = body.span();
        let (inner, body) = split.parse2(body.stream())?;
        let mut body = Group::new(Delimiter::Brace, body);
        body.set_span(braces);
        let outer = inner.into_iter().map(|attribute| Attribute { style: AttrStyle::Outer, ..attribute });
        let attributes = attributes.into_iter().chain(outer).collect();
        Ok(Self { attributes, visibility, signature, body })
    }
}

impl Function {
    /// Whether the arguments make sense for it.
    pub(crate) fn fits(&self, args: &AttributeArgs) -> Result<()> {
        match &self.signature.output {
            ReturnType::Type(_, ty) if args.outcome && matches!(**ty, Type::Never(_)) => {
                Err(Error::new_spanned(ty, "a function that never returns has no outcome"))
            }
            _ => Ok(()),
        }
    }

    /// Its body as the last expression of another one.
    pub(crate) fn last(&self) -> TokenStream {
        let body = &self.body;
        quote!(#[allow(unused_braces)] #body)
    }

    /// The same function with another body.
    pub(crate) fn with_body(&self, body: impl ToTokens) -> TokenStream {
        let Self { attributes, visibility, signature, .. } = self;
        quote! { #(#attributes)* #visibility #signature { #body } }
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
