//! Tags: the few, short, text-valued names that tell one series from another.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::{Text, cut};
use crate::sync::prefetch;
use crate::text::{Clean, Quoted};

/// A sorted set of tags, at most [`Tags::MAX`], each key once.
///
/// A key or a value of more than [`Tags::MAX_BYTES`] is cut: it ends in `..` and a hash of the whole then, so that two which
/// differ only beyond that stay two.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
#[must_use = "tags say nothing before they are given to what they describe"]
pub struct Tags(
    /// Each tag: the lengths of its key and of its value, then both. Whoever walks them finds all in one place.
    String,
);

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
        Self(String::new())
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
        let (found, len) = (self.find(&key), self.len());
        if found.is_err() && len >= Self::MAX {
            return Err(TagsError::TooMany(len + 1));
        }
        self.put(found, &key, &value);
        Ok(())
    }

    /// A tag in place of the one that stands there, or where it belongs.
    fn put(&mut self, at: Result<Range<usize>, usize>, key: &str, value: &str) {
        let at = at.unwrap_or_else(|at| at..at);
        let mut tag = String::with_capacity(LENGTHS + key.len() + value.len());
        for len in [key.len(), value.len()] {
            tag.extend([len & 0x7f, len >> 7].map(|digit| char::from(digit as u8)));
        }
        tag.extend([key, value]);
        self.0.reserve_exact(tag.len().saturating_sub(at.len()));
        self.0.replace_range(at, &tag);
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let tag = &self.0[self.find(key).ok()?];
        first(tag).map(|(_, value, _)| value)
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

    /// Tells `changed` of each tag that has another value than in a set before: which one it is, and its value. False where the two
    /// differ in more than values: in keys, or in which values are empty.
    #[cfg(feature = "points")]
    pub(crate) fn changes<'a>(&'a self, before: &Self, mut changed: impl FnMut(usize, &'a str)) -> bool {
        let (mut rest, mut old) = (&*self.0, &*before.0);
        for at in 0.. {
            // Mostly a single tag is another one.
            if rest == old {
                break;
            }
            let (Some((key, value, behind)), Some((old_key, old_value, old_behind))) =
                (first(rest), first(old))
            else {
                return false;
            };
            if key != old_key || value.is_empty() != old_value.is_empty() {
                return false;
            }
            if value != old_value {
                changed(at, value);
            }
            (rest, old) = (behind, old_behind);
        }
        true
    }

    /// About how much memory it takes beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (key, value, behind) = first(rest)?;
            rest = behind;
            Some((key, value))
        })
    }

    /// The same in bytes, for who need not know where their characters begin.
    #[cfg(feature = "prometheus")]
    pub(crate) fn in_bytes(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let mut rest = self.0.as_bytes();
        std::iter::from_fn(move || {
            let (lengths, behind) = rest.split_first_chunk()?;
            let [key, value] = lengths_of(*lengths);
            let (key, behind) = behind.split_at_checked(key)?;
            let (value, behind) = behind.split_at_checked(value)?;
            rest = behind;
            Some((key, value))
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These tags, and those of `under` whose keys are not among them.
    pub fn or(&self, under: &Tags) -> Tags {
        let mut all = under.clone();
        for (key, value) in self.iter() {
            all.put(all.find(key), key, value);
        }
        all
    }

    /// Asks for their texts.
    pub(crate) fn prefetch(&self) {
        prefetch::to_read(&*self.0);
    }

    /// Where the tag of that key is, or where it belongs.
    fn find(&self, key: &str) -> Result<Range<usize>, usize> {
        let mut rest = &*self.0;
        while let Some((known, _, behind)) = first(rest) {
            let at = self.0.len() - rest.len();
            match known.cmp(key) {
                Ordering::Less => rest = behind,
                Ordering::Equal => return Ok(at..self.0.len() - behind.len()),
                Ordering::Greater => return Err(at),
            }
        }
        Err(self.0.len())
    }
}

/// What stands before a key: two lengths, of which each has two digits of seven bits, the lower one first.
const LENGTHS: usize = 4;
const _: () = assert!(Tags::MAX_BYTES < 1 << 14, "it has to fit into them");

/// The key and the value of the first tag, and what is behind it.
#[inline]
fn first(tags: &str) -> Option<(&str, &str, &str)> {
    let [key, value] = lengths_of(*tags.as_bytes().first_chunk()?);
    let (key, rest) = tags.get(LENGTHS..)?.split_at_checked(key)?;
    let (value, rest) = rest.split_at_checked(value)?;
    Some((key, value, rest))
}

/// Of a key and of its value.
#[inline]
fn lengths_of([a, b, c, d]: [u8; LENGTHS]) -> [usize; 2] {
    [[a, b], [c, d]].map(|[low, high]| usize::from(low) | usize::from(high) << 7)
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// By the first key that differs, then by its value.
impl Ord for Tags {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Tags {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_a_sorted_map(
            sets in prop::collection::vec(prop::collection::vec(("[a-cß]{1,2}", "[a-zß]{0,3}"), 0..12), 2),
        ) {
            let made = sets.into_iter().map(|set| {
                let (mut tags, mut map) = (Tags::new(), BTreeMap::new());
                for (key, value) in set {
                    tags.insert(key.clone(), value.clone()).unwrap();
                    map.insert(key, value);
                }
                (tags, map)
            });
            let made: Vec<_> = made.collect();
            let texts = |map: &BTreeMap<String, String>| -> Vec<(String, String)> {
                map.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
            };
            let of = |tags: &Tags| -> Vec<(String, String)> {
                tags.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
            };
            for (tags, map) in &made {
                prop_assert_eq!(of(tags), texts(map));
                prop_assert_eq!(tags.len(), map.len());
                prop_assert!(map.iter().all(|(key, value)| tags.get(key) == Some(value)));
                prop_assert_eq!(tags.get("cc"), map.get("cc").map(String::as_str));
            }
            let [(one, one_map), (other, other_map)] = &made[..] else { unreachable!() };
            let mut both = other_map.clone();
            both.extend(one_map.clone());
            prop_assert_eq!(of(&one.or(other)), texts(&both));
            prop_assert_eq!(one.cmp(other), texts(one_map).cmp(&texts(other_map)));
            prop_assert_eq!(one == other, one_map == other_map);
        }
    }

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
