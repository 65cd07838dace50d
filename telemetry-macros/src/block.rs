//! Whole `impl` blocks and modules: each function in them gets the attribute, but those that say `#[skip]`, that are
//! `const`, or that have the attribute already. A name of the block is what the names of their metrics begin with.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, Error, ImplItem, Item, ItemImpl, ItemMod, Result, Signature, Type, parse_quote};

use crate::args::AttributeArgs;
use crate::kind::Kind;
use crate::tokens::root;

pub(crate) struct Block<'a> {
    /// As they stand in the brackets.
    args: &'a TokenStream,
    path: TokenStream,
    kind: Kind,
    has_name: bool,
}

/// Where a function stands.
#[derive(Clone, Default)]
struct Place {
    /// The type that it is a method of.
    of_type: Option<String>,
    /// Modules and type on the way from the block to it, each followed by a dot.
    path: String,
}

impl<'a> Block<'a> {
    /// For those arguments, which hold for all functions.
    pub(crate) fn new(kind: Kind, args: &'a TokenStream, parsed: &AttributeArgs) -> Result<Self> {
        if let Some(name) = &parsed.span_name {
            let text =
                "a `span_name` would be that of all functions: give it to each of them, or leave it away";
            return Err(Error::new(name.span(), text));
        }
        Ok(Self { args, path: root(&parsed.common), kind, has_name: parsed.name.is_some() })
    }

    pub(crate) fn of_impl(&self, mut item: ItemImpl) -> TokenStream {
        let place = Place { of_type: type_name(&item), ..Place::default() };
        self.change_impl(&mut item, &place, true);
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
        items.iter_mut().for_each(|item| self.change(item, &Place::default(), is_last));
        Ok(item.into_token_stream())
    }

    fn change(&self, item: &mut Item, place: &Place, is_last: bool) {
        let skips = match item {
            Item::Impl(block) => skips(&mut block.attrs, is_last),
            Item::Mod(module) => skips(&mut module.attrs, is_last),
            _ => false,
        };
        match item {
            _ if skips => {}
            Item::Fn(function) => self.annotate(&mut function.attrs, &function.sig, place, is_last),
            Item::Impl(block) => {
                let of_type = type_name(block);
                let within = of_type.as_deref().map_or_else(|| place.clone(), |name| place.within(name));
                self.change_impl(block, &Place { of_type, ..within }, is_last);
            }
            Item::Mod(module) => {
                let place = place.within(&module.ident.unraw().to_string());
                module
                    .content
                    .iter_mut()
                    .flat_map(|(_, items)| items)
                    .for_each(|item| self.change(item, &place, is_last));
            }
            _ => {}
        }
    }

    fn change_impl(&self, block: &mut ItemImpl, place: &Place, is_last: bool) {
        let is_last = is_last && !block.attrs.iter().any(is_ours);
        for item in &mut block.items {
            if let ImplItem::Fn(function) = item {
                self.annotate(&mut function.attrs, &function.sig, place, is_last);
            }
        }
    }

    fn annotate(&self, attributes: &mut Vec<Attribute>, signature: &Signature, place: &Place, is_last: bool) {
        let name = self.kind.attribute();
        let has =
            |attribute: &Attribute| attribute.path().segments.last().is_some_and(|last| last.ident == name);
        if skips(attributes, is_last) || signature.constness.is_some() || attributes.iter().any(has) {
            return;
        }
        let (path, args) = (&self.path, self.args);
        let name = proc_macro2::Ident::new(name, proc_macro2::Span::call_site());
        let comma = (!args.is_empty() && !args.to_string().trim_end().ends_with(',')).then(|| quote!(,));
        let of_type = place.of_type.as_ref().map(|of_type| quote!(__type = #of_type,));
        let within = self.has_name.then(|| {
            let within = format!("{}{}", place.path, signature.ident.unraw());
            quote!(__within = #within,)
        });
        attributes.push(parse_quote!(#[#path::#name(#args #comma #of_type #within)]));
    }
}

impl Place {
    fn within(&self, name: &str) -> Self {
        Self { of_type: None, path: format!("{}{name}.", self.path) }
    }
}

fn type_name(block: &ItemImpl) -> Option<String> {
    match &*block.self_ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.unraw().to_string()),
        _ => None,
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
