//! Whole `impl` blocks and modules: each function in them gets the attribute, but those that say `#[skip]`, that are
//! `const`, or that have the attribute already.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Error, ImplItem, Item, ItemImpl, ItemMod, Result, Signature, Type, parse_quote};

use crate::args::{AttributeArgs, Kind};

pub(crate) struct Block<'a> {
    /// As they stand in the brackets.
    args: &'a TokenStream,
    path: TokenStream,
    kind: Kind,
}

impl<'a> Block<'a> {
    /// For those arguments, which hold for all functions.
    pub(crate) fn new(kind: Kind, args: &'a TokenStream, parsed: &AttributeArgs) -> Result<Self> {
        if let Some(name) = &parsed.name {
            let text = "a `name` would be that of all functions: give it to each of them, or leave it away";
            return Err(Error::new(name.span(), text));
        }
        let path =
            parsed.common.path.as_ref().map_or_else(|| quote!(::telemetry_layer), |path| quote!(#path));
        Ok(Self { args, path, kind })
    }

    pub(crate) fn of_impl(&self, mut item: ItemImpl) -> TokenStream {
        self.change_impl(&mut item);
        item.into_token_stream()
    }

    pub(crate) fn of_module(&self, mut item: ItemMod) -> Result<TokenStream> {
        let Some((_, items)) = &mut item.content else {
            return Err(Error::new_spanned(
                &item,
                "the module's functions are elsewhere: put the attribute on them there",
            ));
        };
        items.iter_mut().for_each(|item| self.change(item));
        Ok(item.into_token_stream())
    }

    fn change(&self, item: &mut Item) {
        let skips = match item {
            Item::Impl(block) => take_skip(&mut block.attrs),
            Item::Mod(module) => take_skip(&mut module.attrs),
            _ => false,
        };
        match item {
            _ if skips => {}
            Item::Fn(function) => self.annotate(&mut function.attrs, &function.sig, None),
            Item::Impl(block) => self.change_impl(block),
            Item::Mod(module) => {
                module.content.iter_mut().flat_map(|(_, items)| items).for_each(|item| self.change(item));
            }
            _ => {}
        }
    }

    fn change_impl(&self, block: &mut ItemImpl) {
        let of_type = match &*block.self_ty {
            Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        for item in &mut block.items {
            if let ImplItem::Fn(function) = item {
                self.annotate(&mut function.attrs, &function.sig, of_type.as_deref());
            }
        }
    }

    fn annotate(&self, attributes: &mut Vec<Attribute>, signature: &Signature, of_type: Option<&str>) {
        let name = if self.kind == Kind::Time { "time_me" } else { "count_me" };
        let has =
            |attribute: &Attribute| attribute.path().segments.last().is_some_and(|last| last.ident == name);
        if take_skip(attributes) || signature.constness.is_some() || attributes.iter().any(has) {
            return;
        }
        let (path, args) = (&self.path, self.args);
        let name = proc_macro2::Ident::new(name, proc_macro2::Span::call_site());
        let comma = (!args.is_empty() && !args.to_string().trim_end().ends_with(',')).then(|| quote!(,));
        let of_type = of_type.map(|of_type| quote!(#comma __type = #of_type));
        attributes.push(parse_quote!(#[#path::#name(#args #of_type)]));
    }
}

/// Takes `#[skip]` away, and says whether it was there.
fn take_skip(attributes: &mut Vec<Attribute>) -> bool {
    let before = attributes.len();
    attributes.retain(|attribute| !attribute.path().is_ident("skip"));
    attributes.len() < before
}
