//! The values of tags, as text.

use std::borrow::Cow;

use crate::model::cut;

/// Turns the value of a tag into text: what is text already is borrowed, anything else is displayed. The two
/// traits are told apart by how often the receiver is borrowed; the third one is for what is neither.
#[derive(Debug)]
pub struct Tag<'a, T: ?Sized>(pub &'a T);

pub trait TextTag {
    fn text(&self) -> Cow<'_, str>;
}

impl<T: AsRef<str> + ?Sized> TextTag for Tag<'_, T> {
    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.0.as_ref())
    }
}

pub trait DisplayTag {
    fn text(&self) -> Cow<'_, str>;
}

impl<T: std::fmt::Display + ?Sized> DisplayTag for &Tag<'_, T> {
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(cut::formatted(format_args!("{}", self.0), cut::MAX_NAME))
    }
}

/// Found last, and for all types: so the compiler says of a value what it lacks.
pub trait OtherTag<T: ?Sized> {
    fn text(self) -> Cow<'static, str>
    where
        T: std::fmt::Display;
}

impl<T: ?Sized> OtherTag<T> for Tag<'_, T> {
    fn text(self) -> Cow<'static, str>
    where
        T: std::fmt::Display,
    {
        Cow::Owned(self.0.to_string())
    }
}
