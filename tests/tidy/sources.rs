//! A crate as `syn` reads it: its modules, what each of them defines and imports, and every path that is written in it.
//!
//! What only tests compile is left out. Nothing is resolved here: that is `arrows`' part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, Lit, Meta, Token, UseTree};

/// The text of a file, by its path from where the crate was looked for.
pub(crate) type Texts = BTreeMap<PathBuf, String>;

/// The number of a module.
pub(crate) type Id = usize;

/// What a name stands for in a module.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// Something that this module defines.
    Item(Id),
    Module(Id),
    Import(Vec<String>),
}

/// One of a file, or one that stands in another's text.
#[derive(Debug)]
pub(crate) struct Module {
    pub name: String,
    pub parent: Option<Id>,
    /// The module that is all of the file.
    pub file: Id,
    pub path: PathBuf,
    pub names: BTreeMap<String, Vec<Name>>,
    /// What is imported with `*`.
    pub globs: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// `use`, and whether others see it under this module's name.
    Import { visible: bool },
    /// A path in code.
    Path,
    /// A method called on `self`: the path is that of the type, then the method's name.
    OwnMethod,
}

/// A path where it is written.
#[derive(Debug)]
pub(crate) struct Mention {
    pub module: Id,
    pub path: Vec<String>,
    pub line: usize,
    pub kind: Kind,
}

/// A method of a type's own (`impl Type`), wherever that stands.
#[derive(Debug)]
pub(crate) struct Method {
    pub module: Id,
    pub of: Vec<String>,
    pub name: String,
}

/// Where functions are kept to be called later: `fn` or `dyn Fn` in a static, a field or an alias.
#[derive(Debug)]
pub(crate) struct Hook {
    pub module: Id,
    pub item: String,
    pub line: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Crate {
    /// The first one is the crate's root.
    pub modules: Vec<Module>,
    pub mentions: Vec<Mention>,
    pub methods: Vec<Method>,
    pub hooks: Vec<Hook>,
    /// Files that only tests compile.
    pub of_tests: Vec<PathBuf>,
}

impl Crate {
    /// Reads the crate that has this root.
    pub(crate) fn read(root: &str, texts: &Texts) -> Self {
        let mut krate = Self::default();
        krate.file(texts, Path::new(root), "crate", None, true);
        krate
    }

    fn file(&mut self, texts: &Texts, path: &Path, name: &str, parent: Option<Id>, owns_folder: bool) -> Id {
        let text = texts.get(path).unwrap_or_else(|| panic!("{} is not there", path.display()));
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = path.parent().unwrap();
        let folder = if owns_folder { folder.to_owned() } else { folder.join(name) };
        self.module(texts, name, parent, (self.modules.len(), path), &folder, &file.items)
    }

    fn module(
        &mut self,
        texts: &Texts,
        name: &str,
        parent: Option<Id>,
        (file, path): (Id, &Path),
        folder: &Path,
        items: &[Item],
    ) -> Id {
        let id = self.modules.len();
        let (name, path) = (name.to_owned(), path.to_owned());
        let (names, globs) = (BTreeMap::new(), Vec::new());
        self.modules.push(Module { name, parent, file, path: path.clone(), names, globs });
        for item in items {
            let Item::Mod(inner) = item else {
                Reader { krate: self, module: id, types: Vec::new(), bound: Vec::new() }.visit_item(item);
                continue;
            };
            let name = inner.ident.to_string();
            let child = match &inner.content {
                Some(_) if only_in_tests(&inner.attrs) => continue,
                Some((_, items)) => {
                    self.module(texts, &name, Some(id), (file, &path), &folder.join(&name), items)
                }
                None => {
                    let given = path_attribute(&inner.attrs).map(|given| path.parent().unwrap().join(given));
                    let (single, nested) =
                        (folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs"));
                    let owns_folder = given.is_some() || !texts.contains_key(&single);
                    let at = given.unwrap_or(if owns_folder { nested } else { single });
                    if only_in_tests(&inner.attrs) {
                        self.of_tests.push(at);
                        continue;
                    }
                    self.file(texts, &at, &name, Some(id), owns_folder)
                }
            };
            self.define(id, name, Name::Module(child));
        }
        id
    }

    fn define(&mut self, module: Id, name: String, what: Name) {
        self.modules[module].names.entry(name).or_default().push(what);
    }

    fn import(&mut self, module: Id, tree: &UseTree, mut path: Vec<String>, visible: bool) {
        let (last, name) = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.import(module, &tree.tree, path, visible);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(module, tree, path.clone(), visible));
            }
            UseTree::Glob(_) => return self.modules[module].globs.push(path),
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let mut name = name.to_string();
        if last == "self" {
            name = if name == "self" { path.last().unwrap().clone() } else { name };
        } else {
            path.push(last.to_string());
        }
        let line = last.span().start().line;
        self.mentions.push(Mention { module, path: path.clone(), line, kind: Kind::Import { visible } });
        if name != "_" {
            self.define(module, name, Name::Import(path));
        }
    }
}

/// Whether `cfg` or `test` leaves it out of everything but tests.
fn only_in_tests(attributes: &[Attribute]) -> bool {
    fn holds(meta: &Meta) -> bool {
        let nested = |list: &syn::MetaList| {
            list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default()
        };
        match meta {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => nested(list).iter().any(holds),
            Meta::List(list) if list.path.is_ident("any") => nested(list).iter().all(holds),
            _ => false,
        }
    }
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(|meta| holds(&meta))
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// A path's names; one that begins with `::` is another crate's.
fn written(path: &syn::Path) -> Vec<String> {
    let names = path.segments.iter().map(|segment| segment.ident.to_string());
    path.leading_colon.iter().map(|_| String::new()).chain(names).collect()
}

/// The attributes of what may be left out.
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Reads the items of one module.
struct Reader<'a> {
    krate: &'a mut Crate,
    module: Id,
    /// The types of the `impl` blocks around.
    types: Vec<Vec<String>>,
    /// The variables of the function around: their names are no paths.
    bound: Vec<String>,
}

impl Reader<'_> {
    fn define(&mut self, name: &impl ToString) {
        self.krate.define(self.module, name.to_string(), Name::Item(self.module));
    }

    fn mention(&mut self, mut path: Vec<String>, at: Span, kind: Kind) {
        if path.first().is_some_and(|first| first == "Self") {
            let Some(of) = self.types.last().filter(|of| !of.is_empty()) else { return };
            path.splice(..1, of.iter().cloned());
        }
        if path.len() > 1 || !self.bound.contains(&path[0]) {
            let line = at.start().line;
            self.krate.mentions.push(Mention { module: self.module, path, line, kind });
        }
    }

    /// Looks for functions that are kept in the item.
    fn kept(&mut self, name: &syn::Ident, look: impl FnOnce(&mut Callables)) {
        let mut found = Callables(false);
        look(&mut found);
        if found.0 {
            let (item, line) = (name.to_string(), name.span().start().line);
            self.krate.hooks.push(Hook { module: self.module, item, line });
        }
    }

    /// Within a function: what it binds is no path.
    fn within(&mut self, bound: Bound, look: impl FnOnce(&mut Self)) {
        let before = self.bound.len();
        self.bound.extend(bound.0);
        look(self);
        self.bound.truncate(before);
    }

    /// The paths in what a macro is given, and the items that it makes.
    fn tokens(&mut self, tokens: TokenStream) {
        const ITEMS: [&str; 7] = ["struct", "enum", "union", "fn", "static", "const", "type"];
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, what: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == what);
        let word = |at: usize| match tokens.get(at) {
            Some(TokenTree::Ident(word)) => Some(word),
            _ => None,
        };
        let mut at = 0;
        while at < tokens.len() {
            if let TokenTree::Group(group) = &tokens[at] {
                self.tokens(group.stream());
            }
            let Some(first) = word(at) else {
                at += 1;
                continue;
            };
            let before = at;
            let mut path = vec![first.to_string()];
            at += 1;
            while is(at, ':') && is(at + 1, ':') && word(at + 2).is_some() {
                path.extend(word(at + 2).map(ToString::to_string));
                at += 3;
            }
            let outside = before >= 2 && is(before - 1, ':') && is(before - 2, ':');
            let member = before >= 1 && is(before - 1, '.');
            let variable = before >= 1 && is(before - 1, '$') && first != "crate";
            if let Some(name) = word(at)
                && ITEMS.contains(&path[0].as_str())
            {
                self.define(&name);
            } else if !outside && !member && !variable {
                self.mention(path, first.span(), Kind::Path);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if only_in_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Const(item) => self.define(&item.ident),
            Item::Enum(item) => {
                self.define(&item.ident);
                self.kept(&item.ident, |found| found.visit_item_enum(item));
            }
            Item::ExternCrate(_) | Item::ForeignMod(_) | Item::Impl(_) | Item::Use(_) => {}
            Item::Fn(item) => self.define(&item.sig.ident),
            Item::Macro(item) => {
                if let Some(name) = &item.ident {
                    self.define(name);
                    if item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) {
                        self.krate.define(0, name.to_string(), Name::Item(self.module));
                    }
                }
            }
            Item::Mod(item) => panic!("a module in a function: {}", item.ident),
            Item::Static(item) => {
                self.define(&item.ident);
                self.kept(&item.ident, |found| found.visit_type(&item.ty));
            }
            Item::Struct(item) => {
                self.define(&item.ident);
                self.kept(&item.ident, |found| found.visit_fields(&item.fields));
            }
            Item::Trait(item) => self.define(&item.ident),
            Item::Type(item) => {
                self.define(&item.ident);
                self.kept(&item.ident, |found| found.visit_type(&item.ty));
            }
            Item::Union(item) => self.define(&item.ident),
            _ => panic!("an item of an unknown kind in {}", self.krate.modules[self.module].path.display()),
        }
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() {
            let visible = !matches!(item.vis, syn::Visibility::Inherited);
            self.krate.import(self.module, &item.tree, Vec::new(), visible);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of = match &*item.self_ty {
            syn::Type::Path(of) => written(&of.path),
            _ => Vec::new(),
        };
        if item.trait_.is_none() {
            for part in &item.items {
                let name = match part {
                    syn::ImplItem::Fn(function) => &function.sig.ident,
                    syn::ImplItem::Const(constant) => &constant.ident,
                    _ => continue,
                };
                let method = Method { module: self.module, of: of.clone(), name: name.to_string() };
                self.krate.methods.push(method);
            }
        }
        self.types.push(of);
        visit::visit_item_impl(self, item);
        self.types.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let mut bound = Bound::default();
        bound.visit_item_fn(item);
        self.within(bound, |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !only_in_tests(&item.attrs) {
            let mut bound = Bound::default();
            bound.visit_impl_item_fn(item);
            self.within(bound, |reader| visit::visit_impl_item_fn(reader, item));
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        let mut bound = Bound::default();
        bound.visit_trait_item_fn(item);
        self.within(bound, |reader| visit::visit_trait_item_fn(reader, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let Expr::Path(receiver) = &*call.receiver
            && receiver.path.is_ident("self")
            && let Some(of) = self.types.last().filter(|of| !of.is_empty())
        {
            let path = of.iter().cloned().chain([call.method.to_string()]).collect();
            self.mention(path, call.method.span(), Kind::OwnMethod);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if !path.is_ident("self") {
            self.mention(written(path), path.segments[0].ident.span(), Kind::Path);
        }
        visit::visit_path(self, path);
    }

    /// `pub(in path)` allows others to look in; it uses nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        // What is quoted is another program's text.
        let quotes = call.path.segments.last().is_some_and(|name| name.ident.to_string().contains("quote"));
        if !quotes {
            self.tokens(call.tokens.clone());
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") || attribute.path().is_ident("cfg") {
            return;
        }
        // serde takes paths as text.
        if let Meta::List(list) = &attribute.meta {
            for token in list.tokens.clone() {
                if let TokenTree::Literal(literal) = token
                    && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                    && let Ok(path) = text.parse::<syn::Path>()
                {
                    self.mention(written(&path), literal.span(), Kind::Path);
                }
            }
        }
    }
}

/// The names that patterns bind.
#[derive(Default)]
struct Bound(Vec<String>);

impl<'ast> Visit<'ast> for Bound {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        let name = pattern.ident.to_string();
        // A capital one is a constant.
        if !name.starts_with(char::is_uppercase) {
            self.0.push(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// Whether a function is kept in a type.
struct Callables(bool);

impl<'ast> Visit<'ast> for Callables {
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {
        self.0 = true;
    }

    fn visit_type_trait_object(&mut self, object: &'ast syn::TypeTraitObject) {
        let is_function = |bound: &syn::TypeParamBound| match bound {
            syn::TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|name| name.ident.to_string().starts_with("Fn"))
            }
            _ => false,
        };
        self.0 |= object.bounds.iter().any(is_function);
        visit::visit_type_trait_object(self, object);
    }
}
