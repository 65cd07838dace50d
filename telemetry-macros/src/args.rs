//! What stands in the brackets.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{
    Error, Expr, ExprLit, Ident, Lit, LitBool, LitStr, Path, Result, Token, parenthesized, parse_quote,
};

use crate::kind::Kind;
use crate::values::{amount, bounds, is_name, level, metric_name, ungrouped};

/// What attributes and macros have in common.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) level: Option<Ident>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) unit: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) buckets: Option<Expr>,
    /// Where `telemetry_layer` is.
    pub(crate) path: Option<Path>,
}

impl Common {
    pub(crate) fn says_nothing_of_the_metric(&self) -> bool {
        let Self { level, tags, unit, description, buckets, path: _ } = self;
        let no_text = unit.is_none() && description.is_none();
        level.is_none() && tags.is_empty() && no_text && buckets.is_none()
    }
}

pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Expr,
}

/// What the tag `error.type` says.
pub(crate) struct ErrorType {
    pub(crate) key: Ident,
    /// A closure over the error; the name of its type where there is none.
    pub(crate) of: Option<Expr>,
}

#[derive(Default)]
pub(crate) struct AttributeArgs {
    pub(crate) common: Common,
    pub(crate) name: Option<LitStr>,
    pub(crate) value: Option<Expr>,
    pub(crate) no_span: bool,
    /// Of the span, where it is not that of the metric.
    pub(crate) span_name: Option<LitStr>,
    /// Of the span, as `tracing` takes them.
    pub(crate) fields: Option<TokenStream>,
    pub(crate) outcome: bool,
    pub(crate) error_type: Option<ErrorType>,
    pub(crate) err: Option<Ident>,
    pub(crate) active: bool,
    /// The type that a method belongs to, where a whole block is annotated.
    pub(crate) of_type: Option<LitStr>,
}

pub(crate) struct CallArgs {
    pub(crate) common: Common,
    pub(crate) name: LitStr,
    pub(crate) value: Option<Expr>,
}

impl AttributeArgs {
    pub(crate) fn parse(kind: Kind, input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();
        let mut seen = Vec::new();
        let mut within = None;
        while !input.is_empty() {
            if input.peek(LitStr) {
                return Err(input.error("write `name = \"..\"`"));
            }
            let key = input.call(Ident::parse_any)?;
            once(&mut seen, &key)?;
            match key.to_string().as_str() {
                "name" => args.name = Some(metric_name(&assigned(input, &key)?)?),
                "value" if kind == Kind::Count => args.value = Some(amount(kind, assigned(input, &key)?)?),
                "span_name" if kind == Kind::Time => {
                    args.span_name = Some(assigned_as(input, &key, "a text in quotes")?);
                }
                "span" if kind == Kind::Time => {
                    args.no_span = !assigned_as::<LitBool>(input, &key, "`true` or `false`")?.value;
                }
                "outcome" => args.outcome = flag(input, &key)?,
                "error_type" => {
                    let of = if input.peek(Token![=]) { Some(assigned(input, &key)?) } else { None };
                    args.error_type = Some(ErrorType { key, of });
                }
                "active" if kind == Kind::Time => args.active = flag(input, &key)?,
                "err" if kind == Kind::Time => args.err = flag(input, &key)?.then_some(key),
                "fields" if kind == Kind::Time => {
                    if !input.peek(syn::token::Paren) {
                        return Err(Error::new(key.span(), "fields are given as `fields(name = value, ..)`"));
                    }
                    let list;
                    parenthesized!(list in input);
                    args.fields = Some(list.parse()?);
                }
                "__type" => args.of_type = Some(assigned_as(input, &key, "a text")?),
                "__within" => within = Some(assigned_as::<LitStr>(input, &key, "a text")?),
                _ if args.common.take(kind, &key, input)? => {}
                _ => return Err(unknown(&key, kind.takes())),
            }
            comma(input)?;
        }
        if let (false, Some(ErrorType { key, .. })) = (args.outcome, &args.error_type) {
            return Err(Error::new(
                key.span(),
                "`error_type` goes with `outcome`: it is a tag of the outcome `error`",
            ));
        }
        let of_the_span = |key: &&Ident| *key == "fields" || *key == "span_name";
        if let (true, Some(key)) = (args.no_span, seen.iter().find(of_the_span)) {
            let text = format!("`{key}` is said of the span, and `span = false` takes it away");
            return Err(Error::new(key.span(), text));
        }
        if let (Some(name), Some(within)) = (&mut args.name, within) {
            let prefix = name.value();
            let prefix = prefix.trim_end_matches('.');
            *name = LitStr::new(&format!("{prefix}.{}", within.value()), name.span());
        }
        Ok(args)
    }
}

impl CallArgs {
    pub(crate) fn parse(kind: Kind, input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(Error::new(Span::call_site(), "the metric's name is missing: a string literal"));
        }
        let name = metric_name(&input.parse()?)?;
        comma(input)?;
        let mut args = Self { common: Common::default(), name, value: None };
        let keyword = |input: ParseStream<'_>| {
            input.peek(Ident::peek_any)
                && (input.peek2(Token![=]) && !input.peek2(Token![==]) || is_tags(input))
        };
        if kind != Kind::Time && !input.is_empty() && !keyword(input) {
            args.value = Some(amount(kind, input.parse()?)?);
            comma(input)?;
        }
        let mut seen = Vec::new();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            once(&mut seen, &key)?;
            if !args.common.take(kind, &key, input)? {
                let unit = if kind == Kind::Time { "" } else { "`unit`, " };
                let buckets = if kind.has_buckets() { "`buckets`, " } else { "" };
                let known = format!("`level`, `source`, `tags(..)`, {unit}`description`, {buckets}`crate`");
                return Err(unknown(&key, &known));
            }
            comma(input)?;
        }
        let needs = match kind {
            Kind::Gauge => "a gauge needs a value: gauge!(\"name\", value)",
            Kind::Histogram => "a histogram needs a value: histogram!(\"name\", value)",
            Kind::Record => "a value is missing: record!(\"name\", value)",
            Kind::Count | Kind::Time => "",
        };
        if args.value.is_none() && !needs.is_empty() {
            return Err(Error::new(args.name.span(), needs));
        }
        Ok(args)
    }
}

impl Common {
    /// Takes the argument if it is one of the common ones.
    fn take(&mut self, kind: Kind, key: &Ident, input: ParseStream<'_>) -> Result<bool> {
        match key.to_string().as_str() {
            "unit" if kind == Kind::Time => {
                let text = "a timer measures seconds, and its unit is `s`: take `unit` away. To record in another \
                            unit, measure by hand: `histogram!(\"name\", value, unit = \"ms\")`";
                return Err(Error::new(key.span(), text));
            }
            "unit" => {
                self.unit = Some(assigned_as(input, key, "a unit in quotes, in UCUM: `\"s\"`, `\"By\"`")?);
            }
            "description" => self.description = Some(assigned_as(input, key, "a text in quotes")?),
            "buckets" if kind.has_buckets() => self.buckets = Some(bounds(assigned(input, key)?)?),
            "crate" => {
                input.parse::<Token![=]>()?;
                self.path = Some(input.call(Path::parse_mod_style)?);
            }
            "level" => self.level = Some(level(&assigned_as(input, key, "a level in quotes")?)?),
            "source" => {
                let value = assigned(input, key)?;
                self.add(Tag { key: "source".to_owned(), value }, key.span())?;
            }
            "tags" => {
                if !input.peek(syn::token::Paren) {
                    return Err(Error::new(key.span(), "tags are given as `tags(key = value, ..)`"));
                }
                let list;
                parenthesized!(list in input);
                while !list.is_empty() {
                    let short: Option<Ident> = list.fork().parse().ok();
                    let (key, span) = tag_key(&list)?;
                    let value = match short {
                        // `tags(user)` is `tags(user = user)`, as in `tracing`.
                        Some(name) if list.is_empty() || list.peek(Token![,]) => parse_quote!(#name),
                        _ => {
                            list.parse::<Token![=]>()?;
                            list.parse()?
                        }
                    };
                    self.add(Tag { key, value }, span)?;
                    comma(&list)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add(&mut self, tag: Tag, span: Span) -> Result<()> {
        if self.tags.iter().any(|t| t.key == tag.key) {
            return Err(Error::new(span, format!("the tag `{}` is given twice", tag.key)));
        }
        self.tags.push(tag);
        Ok(())
    }
}

impl Tag {
    /// The value, if it is known when the program is compiled.
    pub(crate) fn literal(&self) -> Option<String> {
        match ungrouped(&self.value) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            Expr::Lit(ExprLit { lit: Lit::Bool(b), .. }) => Some(b.value.to_string()),
            Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) if n.suffix().is_empty() => {
                Some(n.base10_digits().to_owned())
            }
            _ => None,
        }
    }
}

/// `key`, `key = true` or `key = false`.
fn flag(input: ParseStream<'_>, key: &Ident) -> Result<bool> {
    Ok(!input.peek(Token![=]) || assigned_as::<LitBool>(input, key, "`true` or `false`")?.value)
}

fn is_tags(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    fork.call(Ident::parse_any).is_ok_and(|key| key == "tags") && fork.peek(syn::token::Paren)
}

fn once(seen: &mut Vec<Ident>, key: &Ident) -> Result<()> {
    if seen.contains(key) {
        return Err(Error::new(key.span(), format!("`{key}` is given twice")));
    }
    seen.push(key.clone());
    Ok(())
}

fn unknown(key: &Ident, takes: &str) -> Error {
    Error::new(key.span(), format!("`{key}` is no argument here; known are {takes}"))
}

fn comma(input: ParseStream<'_>) -> Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

fn assigned(input: ParseStream<'_>, key: &Ident) -> Result<Expr> {
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("a value is missing: `{key} = ..`")));
    }
    input.parse::<Token![=]>()?;
    input.parse()
}

fn assigned_as<T: syn::parse::Parse>(input: ParseStream<'_>, key: &Ident, needed: &str) -> Result<T> {
    let value = assigned(input, key)?;
    let wrong = Error::new_spanned(&value, format!("`{key}` needs {needed}"));
    syn::parse2(quote::ToTokens::into_token_stream(value)).map_err(|_| wrong)
}

/// `"any.key"`, or words with dots between them.
fn tag_key(input: ParseStream<'_>) -> Result<(String, Span)> {
    if input.peek(LitStr) {
        let key: LitStr = input.parse()?;
        if !is_name(&key.value()) {
            let text = "a tag's key has letters, digits and `. - _ /` only, and at least one of them";
            return Err(Error::new(key.span(), text));
        }
        return Ok((key.value(), key.span()));
    }
    let first = input.call(Ident::parse_any)?;
    let mut key = first.unraw().to_string();
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        key.push('.');
        key.push_str(&input.call(Ident::parse_any)?.unraw().to_string());
    }
    Ok((key, first.span()))
}
