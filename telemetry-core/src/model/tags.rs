//! Tags: the few, short, text-valued names that tell one series from another.

use std::fmt;

use super::{Text, cut};
use crate::text::{Clean, Quoted};

/// A sorted set of tags, at most [`Tags::MAX`], each key once.
///
/// A key or a value of more than [`Tags::MAX_BYTES`] is cut: it ends in `..` and a hash of the whole then, so that two which
/// differ only beyond that stay two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[must_use = "tags say nothing before they are given to what they describe"]
pub struct Tags(Vec<(Text, Text)>);

/// Why tags were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagsError {
    /// A part of the list has no colon between key and value.
    #[error(
        "`{}` is no tag: a colon between key and value is missing (expected `key: value, key2: value2`)",
        Clean(.0)
    )]
    NoColon(String),
    /// A key is empty or has a character that no key may have.
    #[error("`{}` is no tag key: letters, digits and `. - _ /` only, and at least one of them", Clean(.0))]
    BadKey(String),
    /// A key stands in the list twice.
    #[error("the tag `{}` is given twice", Clean(.0))]
    Twice(String),
    /// More than [`Tags::MAX`].
    #[error("{0} tags are too many: at most {max} are taken", max = Tags::MAX)]
    TooMany(usize),
}

impl Tags {
    /// More tags than this are refused.
    pub const MAX: usize = 25;
    /// A longer key or value is cut.
    pub const MAX_BYTES: usize = cut::MAX_NAME;

    /// No tags.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads `key: value, key2: value2`; the spaces are optional, an empty text is no tags.
    pub fn parse(text: &str) -> Result<Self, TagsError> {
        let mut tags = Self::new();
        if text.trim().is_empty() {
            return Ok(tags);
        }
        for part in text.split(',') {
            let (key, value) = part
                .split_once(':')
                .ok_or_else(|| TagsError::NoColon(cut::name(part.trim()).into_owned()))?;
            let key = cut::name(key.trim());
            if tags.get(&key).is_some() {
                return Err(TagsError::Twice(key.into_owned()));
            }
            tags.insert(key.into_owned(), value.trim().to_owned())?;
        }
        Ok(tags)
    }

    /// Adds a tag; the last value of a key wins.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Text>) -> Result<(), TagsError> {
        let key = key.into();
        let is_valid = valid_key(&key);
        let (key, value) = (cut::kept_name(key), cut::kept_name(value.into()));
        if !is_valid {
            return Err(TagsError::BadKey(key.into_owned()));
        }
        match self.find(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(_) if self.0.len() >= Self::MAX => return Err(TagsError::TooMany(self.0.len() + 1)),
            Err(at) => self.0.insert(at, (key, value)),
        }
        Ok(())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.find(key).ok().map(|at| &*self.0[at].1)
    }

    /// Its tags and those of another set, sorted by key; of a key that both have, its own value.
    pub(crate) fn with<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let (mut own, mut others) = (self.iter().peekable(), other.iter().peekable());
        std::iter::from_fn(move || match (own.peek(), others.peek()) {
            (Some((own_key, _)), Some((key, _))) if own_key > key => others.next(),
            (Some((own_key, _)), Some((key, _))) => {
                if own_key == key {
                    others.next();
                }
                own.next()
            }
            (Some(_), None) => own.next(),
            (None, _) => others.next(),
        })
    }

    /// About how much memory it takes beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = self.0.iter().map(|(k, v)| k.len() + v.len());
        self.0.capacity() * size_of::<(Text, Text)>() + texts.sum::<usize>()
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// The one that so many others come before.
    pub(crate) fn at(&self, at: usize) -> Option<(&str, &str)> {
        self.0.get(at).map(|(k, v)| (&**k, &**v))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These tags, and those of `under` whose keys are not among them.
    pub fn or(&self, under: &Tags) -> Tags {
        let mut all = under.clone();
        for (key, value) in &self.0 {
            match all.find(key) {
                Ok(at) => all.0[at].1.clone_from(value),
                Err(at) => all.0.insert(at, (key.clone(), value.clone())),
            }
        }
        all
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| (**k).cmp(key))
    }
}

/// What may name a tag: Unicode letters, digits and `. - _ /`.
pub(crate) fn valid_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
}

/// `key: value, key2: value2`; a value that could be taken for more tags stands in quotes.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.iter().enumerate() {
            write!(f, "{}{key}: {}", if i == 0 { "" } else { ", " }, Quoted::new(value, ",{}"))?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Tags {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Tags {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<String, String>::deserialize(d)?;
        let mut tags = Tags::new();
        for (key, value) in map {
            tags.insert(key, value).map_err(serde::de::Error::custom)?;
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_and_without_spaces() {
        let tags = Tags::parse("env: prod,region:eu-west , größe/x: a b").unwrap();
        assert_eq!(
            tags.iter().collect::<Vec<_>>(),
            [("env", "prod"), ("größe/x", "a b"), ("region", "eu-west")]
        );
        assert_eq!(tags.to_string().parse_back(), tags);
        assert_eq!(Tags::parse("url: http://x:1").unwrap().get("url"), Some("http://x:1"));
    }

    trait ParseBack {
        fn parse_back(&self) -> Tags;
    }
    impl ParseBack for String {
        fn parse_back(&self) -> Tags {
            Tags::parse(self).unwrap()
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(Tags::parse("env: a, prod"), Err(TagsError::NoColon("prod".into())));
        assert_eq!(Tags::parse("a b: c"), Err(TagsError::BadKey("a b".into())));
        assert_eq!(Tags::parse("a: b, a: c"), Err(TagsError::Twice("a".into())));
        let many: Vec<String> = (0..=Tags::MAX).map(|i| format!("k{i}: v")).collect();
        assert_eq!(Tags::parse(&many.join(",")), Err(TagsError::TooMany(Tags::MAX + 1)));
    }

    #[test]
    fn own_tags_win_over_those_below() {
        let (own, under) = (Tags::parse("a: 1, b: 2").unwrap(), Tags::parse("b: 3, c: 4").unwrap());
        assert_eq!(own.or(&under), Tags::parse("a: 1, b: 2, c: 4").unwrap());
    }
}
