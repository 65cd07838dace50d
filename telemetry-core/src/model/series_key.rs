//! What names a series, as text and back: `name{key="value",other="value"}`.

use std::fmt;
use std::str::FromStr;

use super::tags::valid_key;
use super::{Tags, TagsError, Text, cut};
use crate::text::{Clean, Quoted};

/// A metric's name and its tags: what tells one series from another. A name is cut as tags are, at [`Tags::MAX_BYTES`].
///
/// ```
/// use telemetry_core::model::SeriesKey;
///
/// let key: SeriesKey = r#"node.cpu{type="idle"}"#.parse()?;
/// assert_eq!((key.name(), key.tags().get("type")), ("node.cpu", Some("idle")));
/// assert_eq!(key.to_string(), r#"node.cpu{type="idle"}"#);
/// # Ok::<(), telemetry_core::model::SeriesKeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[must_use = "a key names what is sent with it"]
pub struct SeriesKey {
    name: Text,
    tags: Tags,
}

/// Why something names no series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesKeyError {
    /// The name is empty, or has a character that no name may have.
    #[error("`{}` is no metric name: letters, digits and `. - _ /` only, and at least one of them", Clean(.0))]
    BadName(String),
    /// A tag is wrong.
    #[error(transparent)]
    Tags(#[from] TagsError),
    /// The text does not have the form `name{key="value",..}`.
    #[error("`{}` is no series: at byte {at}, {needed} is needed", Clean(.text))]
    Syntax {
        /// The whole text.
        text: String,
        /// Where it goes wrong.
        at: usize,
        /// What should stand there.
        needed: &'static str,
    },
}

impl SeriesKey {
    /// A series without tags.
    pub fn new(name: impl Into<Text>) -> Result<Self, SeriesKeyError> {
        let name = name.into();
        let is_valid = valid_key(&name);
        let name = cut::kept_name(name);
        if is_valid {
            Ok(Self { name, tags: Tags::new() })
        } else {
            Err(SeriesKeyError::BadName(name.into_owned()))
        }
    }

    /// The same with that tag.
    pub fn tag(mut self, key: impl Into<Text>, value: impl Into<Text>) -> Result<Self, SeriesKeyError> {
        self.tags.insert(key, value)?;
        Ok(self)
    }

    /// The same with those tags instead of its own.
    pub fn with_tags(self, tags: Tags) -> Self {
        Self { tags, ..self }
    }

    /// The metric.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its tags.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    pub(crate) fn into_parts(self) -> (Text, Tags) {
        (self.name, self.tags)
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (i, (key, value)) in self.tags.iter().enumerate() {
            write!(f, "{}{key}={}", if i == 0 { '{' } else { ',' }, Quoted::always(value))?;
        }
        if self.tags.is_empty() { Ok(()) } else { f.write_str("}") }
    }
}

impl FromStr for SeriesKey {
    type Err = SeriesKeyError;

    fn from_str(text: &str) -> Result<Self, SeriesKeyError> {
        let (name, list) = text.split_once('{').map_or((text, None), |(name, list)| (name, Some(list)));
        let mut key = Self::new(name.to_owned())?;
        let Some(mut rest) = list else { return Ok(key) };
        let wrong = |rest: &str, needed| SeriesKeyError::Syntax {
            text: text.to_owned(),
            at: text.len() - rest.len(),
            needed,
        };
        loop {
            let (tag, value) = rest.split_once("=\"").ok_or_else(|| wrong(rest, "`key=\"value\"`"))?;
            let tag = cut::name(tag);
            if key.tags.get(&tag).is_some() {
                return Err(TagsError::Twice(tag.into_owned()).into());
            }
            let (value, behind) = unquote(value).ok_or_else(|| wrong(value, "a text that ends with `\"`"))?;
            key.tags.insert(tag.into_owned(), value)?;
            match (behind.strip_prefix(','), behind) {
                (Some(next), _) => rest = next,
                (None, "}") => return Ok(key),
                (None, _) => return Err(wrong(behind, "`,` or a last `}`")),
            }
        }
    }
}

/// The text up to the closing quote, and what stands behind it. Escapes are those of Rust; any other character is itself.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (digits, behind) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                    chars = behind.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                c => c,
            }),
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[\\p{L}0-9._/-]{1,20}",
            tags in prop::collection::btree_map("[\\p{L}0-9._/-]{1,8}", "\\PC{0,12}|[\"\\\\\n\t\u{1b}\u{2028}\u{e0041}{},=]{0,6}", 0..5),
        ) {
            let mut key = SeriesKey::new(name).unwrap();
            for (k, v) in tags {
                key = key.tag(k, v).unwrap();
            }
            prop_assert_eq!(key.to_string().parse::<SeriesKey>().unwrap(), key);
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}") {
            if let Ok(key) = text.parse::<SeriesKey>() {
                prop_assert_eq!(key.to_string().parse::<SeriesKey>(), Ok(key));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("", "`` is no metric name"),
            ("a b", "`a b` is no metric name"),
            ("a{", "at byte 2, `key=\"value\"`"),
            ("a{k=\"v}", "at byte 5, a text that ends"),
            ("a{k=\"v\"", "at byte 7, `,` or a last `}`"),
            ("a{k=\"v\"} ", "at byte 7"),
            ("a{k k=\"v\"}", "`k k` is no tag key"),
            ("a{k=\"v\",k=\"w\"}", "`k` is given twice"),
        ] {
            let said = text.parse::<SeriesKey>().unwrap_err().to_string();
            assert!(said.contains(named), "{text}: {said}");
        }
    }
}
