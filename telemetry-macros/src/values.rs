//! What can be said of values before the compiler looks at them: each wrong one is named where it stands.

use syn::{Error, Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Result, UnOp};

use crate::kind::Kind;

/// The name of a metric.
pub(crate) fn metric_name(value: &Expr) -> Result<LitStr> {
    let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = ungrouped(value) else {
        let text = "a metric's name is a string literal; for one known only at run time call `counter(name)`, `timer(name)` or `gauge(name)`";
        return Err(Error::new_spanned(value, text));
    };
    if !is_name(&name.value()) {
        let text = "a metric's name has letters, digits and `. - _ /` only, and at least one of them";
        return Err(Error::new(name.span(), text));
    }
    Ok(name.clone())
}

/// Whether metrics and tags may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
}

pub(crate) fn level(text: &LitStr) -> Result<Ident> {
    let upper = text.value().to_uppercase();
    if !matches!(upper.as_str(), "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE") {
        let text_of = format!("`{}` is no level; known are error, warn, info, debug, trace", text.value());
        return Err(Error::new(text.span(), text_of));
    }
    Ok(Ident::new(&upper, text.span()))
}

/// What is recorded, as far as it can be seen: a number, and one that a counter may add.
pub(crate) fn amount(kind: Kind, value: Expr) -> Result<Expr> {
    match literal(&value) {
        Some((_, Lit::Int(_) | Lit::Float(_))) | None => {}
        Some(_) => return Err(Error::new_spanned(&value, "a value is a number")),
    }
    if kind == Kind::Count && matches!(literal(&value), Some((true, _))) {
        let text = "a counter only grows; what goes up and down is an `up_down_counter(name)` or a `gauge!(name, value)`";
        return Err(Error::new_spanned(&value, text));
    }
    Ok(value)
}

/// The upper bounds of buckets, as far as they can be seen. The compiler looks at those that stand elsewhere.
pub(crate) fn bounds(list: Expr) -> Result<Expr> {
    const LIST: &str = "`buckets` are a list of upper bounds, ascending: `[0.01, 0.1, 1.0]`";

    let mut seen = ungrouped(&list);
    while let Expr::Reference(reference) = seen {
        seen = ungrouped(&reference.expr);
    }
    match seen {
        Expr::Lit(_) | Expr::Tuple(_) | Expr::Unary(_) => return Err(Error::new_spanned(&list, LIST)),
        Expr::Array(array) if array.elems.is_empty() => return Err(Error::new_spanned(&list, LIST)),
        Expr::Array(array) => {
            let mut last = f64::NEG_INFINITY;
            for bound in &array.elems {
                let Some((is_negative, literal)) = literal(bound) else { continue };
                let Lit::Float(literal) = literal else {
                    return Err(Error::new_spanned(bound, "a bound of a bucket is a float: `1.0`"));
                };
                let value = literal.base10_parse::<f64>()? * if is_negative { -1.0 } else { 1.0 };
                if !value.is_finite() || value <= last {
                    return Err(Error::new_spanned(bound, "the bounds of buckets are finite and ascending"));
                }
                last = value;
            }
        }
        _ => {}
    }
    Ok(list)
}

/// A literal, and whether a minus stands before it.
fn literal(value: &Expr) -> Option<(bool, &Lit)> {
    match ungrouped(value) {
        Expr::Lit(ExprLit { lit, .. }) => Some((false, lit)),
        Expr::Paren(inner) => literal(&inner.expr),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => {
            literal(expr).map(|(is_negative, literal)| (!is_negative, literal))
        }
        _ => None,
    }
}

/// The expression itself: one that came through `macro_rules!` stands in an invisible group.
pub(crate) fn ungrouped(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}
