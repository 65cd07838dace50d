//! What stands in the brackets.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{
    Error, Expr, ExprLit, Ident, Lit, LitBool, LitStr, Path, Result, Token, parenthesized, parse_quote,
};

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Count,
    Time,
    Gauge,
    Histogram,
    Record,
}

impl Kind {
    /// The metric of a function that got no name.
    pub(crate) fn unnamed(self) -> &'static str {
        if self == Self::Time { "function.duration" } else { "function.calls" }
    }

    /// Where its values go; a timer's name says that.
    pub(crate) fn cell(self) -> Option<&'static str> {
        match self {
            Self::Count => Some("Counter"),
            Self::Time => None,
            Self::Histogram => Some("Histogram"),
            Self::Gauge | Self::Record => Some("Gauge"),
        }
    }

    fn has_buckets(self) -> bool {
        matches!(self, Self::Time | Self::Histogram)
    }

    /// What an attribute of this kind takes.
    fn takes(self) -> &'static str {
        match self {
            Self::Time => {
                "`name`, `level`, `source`, `tags(..)`, `unit`, `description`, `buckets`, `span`, `fields(..)`, `outcome`, \
                 `error_type`, `err`, `active`, `crate`"
            }
            _ => {
                "`name`, `value`, `level`, `source`, `tags(..)`, `unit`, `description`, `outcome`, `error_type`, `crate`"
            }
        }
    }
}

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
        while !input.is_empty() {
            if input.peek(LitStr) {
                return Err(input.error("write `name = \"..\"`"));
            }
            let key = input.call(Ident::parse_any)?;
            once(&mut seen, &key)?;
            match key.to_string().as_str() {
                "name" => args.name = Some(name(&assigned(input, &key)?)?),
                "value" if kind == Kind::Count => args.value = Some(assigned(input, &key)?),
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
        if let (true, Some(_)) = (args.no_span, &args.fields) {
            return Err(Error::new(
                Span::call_site(),
                "`fields(..)` are those of the span, and `span = false` takes it away",
            ));
        }
        Ok(args)
    }
}

impl CallArgs {
    pub(crate) fn parse(kind: Kind, input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Err(Error::new(Span::call_site(), "the metric's name is missing: a string literal"));
        }
        let name = name(&input.parse()?)?;
        comma(input)?;
        let mut args = Self { common: Common::default(), name, value: None };
        let keyword = |input: ParseStream<'_>| {
            input.peek(Ident::peek_any)
                && (input.peek2(Token![=]) && !input.peek2(Token![==]) || is_tags(input))
        };
        if kind != Kind::Time && !input.is_empty() && !keyword(input) {
            args.value = Some(input.parse()?);
            comma(input)?;
        }
        let mut seen = Vec::new();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            once(&mut seen, &key)?;
            if !args.common.take(kind, &key, input)? {
                let buckets = if kind.has_buckets() { "`buckets`, " } else { "" };
                let known = format!("`level`, `source`, `tags(..)`, `unit`, `description`, {buckets}`crate`");
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
            "unit" => {
                self.unit = Some(assigned_as(input, key, "a unit in quotes, in UCUM: `\"s\"`, `\"By\"`")?);
            }
            "description" => self.description = Some(assigned_as(input, key, "a text in quotes")?),
            "buckets" if kind.has_buckets() => self.buckets = Some(assigned(input, key)?),
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

fn name(value: &Expr) -> Result<LitStr> {
    let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = ungrouped(value) else {
        let text = "a metric's name is a string literal; for one known only at run time call `counter(name)`, `timer(name)` or `gauge(name)`";
        return Err(Error::new_spanned(value, text));
    };
    if !valid(&name.value()) {
        let text = "a metric's name has letters, digits and `. - _ /` only, and at least one of them";
        return Err(Error::new(name.span(), text));
    }
    Ok(name.clone())
}

/// The expression itself: one that came through `macro_rules!` stands in an invisible group.
fn ungrouped(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}

fn valid(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
}

fn level(text: &LitStr) -> Result<Ident> {
    let upper = text.value().to_uppercase();
    if !matches!(upper.as_str(), "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE") {
        let text_of = format!("`{}` is no level; known are error, warn, info, debug, trace", text.value());
        return Err(Error::new(text.span(), text_of));
    }
    Ok(Ident::new(&upper, text.span()))
}

/// `"any.key"`, or words with dots between them.
fn tag_key(input: ParseStream<'_>) -> Result<(String, Span)> {
    if input.peek(LitStr) {
        let key: LitStr = input.parse()?;
        if !valid(&key.value()) {
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
