//! Whole `impl` blocks and modules: each function in them gets the attribute, but those that say `#[skip]`, that are
//! `const`, or that have the attribute already.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Error, ImplItem, Item, ItemImpl, ItemMod, Result, Signature, Type, parse_quote};

use crate::args::{AttributeArgs, Kind};
use crate::tokens::root;

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
        Ok(Self { args, path: root(&parsed.common), kind })
    }

    pub(crate) fn of_impl(&self, mut item: ItemImpl) -> TokenStream {
        self.change_impl(&mut item, true);
        item.into_token_stream()
    }

    pub(crate) fn of_module(&self, mut item: ItemMod) -> Result<TokenStream> {
        let Some((_, items)) = &mut item.content else {
            return Err(Error::new_spanned(
                &item,
                "the module's functions are elsewhere: put the attribute on them there",
            ));
        };
        let is_last = !item.attrs.iter().any(is_ours);
        items.iter_mut().for_each(|item| self.change(item, is_last));
        Ok(item.into_token_stream())
    }

    fn change(&self, item: &mut Item, is_last: bool) {
        let skips = match item {
            Item::Impl(block) => skips(&mut block.attrs, is_last),
            Item::Mod(module) => skips(&mut module.attrs, is_last),
            _ => false,
        };
        match item {
            _ if skips => {}
            Item::Fn(function) => self.annotate(&mut function.attrs, &function.sig, None, is_last),
            Item::Impl(block) => self.change_impl(block, is_last),
            Item::Mod(module) => {
                module
                    .content
                    .iter_mut()
                    .flat_map(|(_, items)| items)
                    .for_each(|item| self.change(item, is_last));
            }
            _ => {}
        }
    }

    fn change_impl(&self, block: &mut ItemImpl, is_last: bool) {
        let of_type = match &*block.self_ty {
            Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        let is_last = is_last && !block.attrs.iter().any(is_ours);
        for item in &mut block.items {
            if let ImplItem::Fn(function) = item {
                self.annotate(&mut function.attrs, &function.sig, of_type.as_deref(), is_last);
            }
        }
    }

    fn annotate(
        &self,
        attributes: &mut Vec<Attribute>,
        signature: &Signature,
        of_type: Option<&str>,
        is_last: bool,
    ) {
        let name = if self.kind == Kind::Time { "time_me" } else { "count_me" };
        let has =
            |attribute: &Attribute| attribute.path().segments.last().is_some_and(|last| last.ident == name);
        if skips(attributes, is_last) || signature.constness.is_some() || attributes.iter().any(has) {
            return;
        }
        let (path, args) = (&self.path, self.args);
        let name = proc_macro2::Ident::new(name, proc_macro2::Span::call_site());
        let comma = (!args.is_empty() && !args.to_string().trim_end().ends_with(',')).then(|| quote!(,));
        let of_type = of_type.map(|of_type| quote!(#comma __type = #of_type));
        attributes.push(parse_quote!(#[#path::#name(#args #of_type)]));
    }
}

/// Whether there is a `#[skip]`. The last of our attributes on a block takes it away: those before leave it to be seen.
fn skips(attributes: &mut Vec<Attribute>, is_last: bool) -> bool {
    let is_skip = |attribute: &Attribute| attribute.path().is_ident("skip");
    let skips = attributes.iter().any(is_skip);
    if is_last {
        attributes.retain(|attribute| !is_skip(attribute));
    }
    skips
}

fn is_ours(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "time_me" || last.ident == "count_me")
}
