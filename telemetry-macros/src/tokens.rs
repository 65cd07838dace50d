//! Pieces that all expansions are made of: paths, names that no name of the user can meet, tags. They know nothing of
//! functions and metrics.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Expr, Type};

use crate::args::Common;

/// Where `telemetry_layer` is.
pub(crate) fn root(common: &Common) -> TokenStream {
    common.path.as_ref().map_or_else(|| quote!(::telemetry_layer), |path| quote!(#path))
}

/// Where the expansion finds everything.
pub(crate) fn private(common: &Common) -> TokenStream {
    let root = root(common);
    quote!(#root::__private)
}

/// The same, where what is wrong there is said of a value.
pub(crate) fn private_at(common: &Common, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    private(common).into_iter().map(at).collect()
}

/// The place of a value, for what the user does not see of it.
pub(crate) fn place(value: &Expr) -> Span {
    Span::mixed_site().located_at(syn::spanned::Spanned::span(value))
}

/// A name that no name of the user can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
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

/// The tags whose values are known only when the program runs.
pub(crate) fn dynamic_tags(common: &Common) -> TokenStream {
    let p = private(common);
    let tags = common.tags.iter().filter(|tag| tag.literal().is_none()).map(|tag| {
        let (key, value) = (&tag.key, &tag.value);
        // What is wrong with the value is said where it stands.
        quote_spanned!(place(value)=> (#key, &*(&#p::Tag(&(#value))).text()))
    });
    quote!(&[#(#tags),*])
}

/// The call, with what its dynamic tags need in scope.
pub(crate) fn in_scope(common: &Common, call: &TokenStream) -> TokenStream {
    imports(common).map_or_else(|| call.clone(), |imports| quote!({ #imports #call }))
}

pub(crate) fn imports(common: &Common) -> Option<TokenStream> {
    let p = private(common);
    has_dynamic_tags(common).then(|| quote!(use #p::{DisplayTag as _, OtherTag as _, TextTag as _};))
}

/// Whether the values of some tags are known only when the program runs.
pub(crate) fn has_dynamic_tags(common: &Common) -> bool {
    common.tags.iter().any(|tag| tag.literal().is_none())
}
