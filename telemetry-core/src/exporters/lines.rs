//! What all wires of lines share: items go in one behind the other, as many as fit.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::protocol::Encoded;

/// Adds what `put` writes of as many of the first items as fit into so many bytes, but of one at least. An item that it refuses is
/// left out, with its reason, and nothing of it stays.
pub(super) fn put_items<T>(
    body: &mut Vec<u8>,
    mut items: impl Iterator<Item = T>,
    max_bytes: usize,
    mut put: impl FnMut(&mut Vec<u8>, T) -> Result<(), Cow<'static, str>>,
) -> Encoded {
    let (start, mut encoded) = (body.len(), Encoded::default());
    // Batches have several parts: a loop inside is faster than one that asks for each item.
    let _: ControlFlow<()> = items.try_for_each(|item| {
        let before = body.len();
        if let Err(reason) = put(body, item) {
            body.truncate(before);
            encoded.reject(reason);
            return ControlFlow::Continue(());
        }
        if before > start && body.len() - start > max_bytes {
            body.truncate(before);
            return ControlFlow::Break(());
        }
        encoded.items += 1;
        ControlFlow::Continue(())
    });
    encoded
}

/// A set of bytes, from a pattern: for each byte, whether it is in it.
macro_rules! byte_set {
    ($are:pat) => {{
        let (mut all, mut byte) = ([false; 256], 0);
        while byte < all.len() {
            all[byte] = matches!(byte as u8, $are);
            byte += 1;
        }
        all
    }};
}
pub(super) use byte_set;

/// Adds what stands in front of the first byte that is not in the set, and returns the rest, which mostly is nothing. A set has all
/// bytes above ASCII or none, so that no character is torn.
#[inline]
pub(super) fn put_while<'a>(out: &mut Vec<u8>, text: &'a str, plain: &[bool; 256]) -> &'a str {
    let end = text.bytes().position(|byte| !plain[usize::from(byte)]).unwrap_or(text.len());
    let (plain, rest) = text.split_at(end);
    out.extend_from_slice(plain.as_bytes());
    rest
}

/// Writes the tags of point after point. Points are sorted, so neighbours have much in common: tags that stand where they stood in the
/// point before are copied from there, all that follow each other at once.
#[derive(Default)]
pub(super) struct TagRuns<'a> {
    /// Of the point before, each tag and where it ends.
    before: Vec<(&'a str, &'a str, usize)>,
    start: usize,
}

impl<'a> TagRuns<'a> {
    /// Nothing is copied from the point before: it was taken off again, or what its tags became depends on more than themselves.
    pub(super) fn forget(&mut self) {
        self.before.clear();
    }

    /// Adds them; `put` writes one that is not there yet, always the same way.
    #[inline]
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        tags: impl Iterator<Item = (&'a str, &'a str)>,
        mut put: impl FnMut(&mut Vec<u8>, &'a str, &'a str),
    ) {
        let start = out.len();
        // Where the tag stood that is looked at, and what is to be copied: as far as that was all the same.
        let (mut from, mut run, mut many) = (self.start, 0..0, 0);
        for (key, value) in tags {
            let Some((old_key, old_value, end)) = self.before.get_mut(many) else {
                out.extend_from_within(std::mem::take(&mut run));
                put(out, key, value);
                self.before.push((key, value, out.len()));
                many += 1;
                continue;
            };
            let old = from..*end;
            from = *end;
            if is_same(key, old_key) && is_same(value, old_value) {
                if run.is_empty() {
                    run = old;
                } else {
                    run.end = old.end;
                }
                *end = out.len() + run.len();
            } else {
                out.extend_from_within(std::mem::take(&mut run));
                put(out, key, value);
                (*old_key, *old_value, *end) = (key, value, out.len());
            }
            many += 1;
        }
        out.extend_from_within(run);
        self.before.truncate(many);
        self.start = start;
    }
}

/// Mostly they are one text.
#[inline]
fn is_same(a: &str, b: &str) -> bool {
    std::ptr::eq(a, b) || a == b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(max_bytes: usize, items: &[&'static str]) -> (String, Encoded) {
        let mut body = b"before\n".to_vec();
        let encoded = put_items(&mut body, items.iter(), max_bytes, |out, item| {
            out.extend_from_slice(item.as_bytes());
            out.push(b'\n');
            if item.contains('!') { Err(format!("`{item}`").into()) } else { Ok(()) }
        });
        (String::from_utf8(body.split_off(7)).unwrap(), encoded)
    }

    #[test]
    fn as_many_items_as_fit_are_taken() {
        assert_eq!(put(4, &["a", "b", "c"]), ("a\nb\n".to_owned(), 2.into()));
        assert_eq!(put(3, &["long", "b"]), ("long\n".to_owned(), 1.into()));
        assert_eq!(put(0, &[]), (String::new(), 0.into()));
    }

    #[test]
    fn what_is_copied_is_what_would_have_been_written() {
        type Tags = &'static [(&'static str, &'static str)];
        let points: [Tags; 9] = [
            &[("a", "1"), ("b", "2"), ("c", "3")],
            &[("a", "1"), ("b", "2"), ("c", "3")],
            &[("a", "1"), ("b", "long"), ("c", "3")],
            &[("a", ""), ("b", "long"), ("c", "3")],
            &[("b", "long"), ("c", "3")],
            &[],
            &[("b", "long"), ("c", "3"), ("d", "4"), ("e", "5")],
            &[("a", "x"), ("c", "3"), ("e", "4"), ("e", "5")],
            &[("a", "x"), ("c", "3")],
        ];
        let put = |out: &mut Vec<u8>, key: &str, value: &str| {
            out.extend_from_slice(format!(" {key}={value}").as_bytes());
        };
        let (mut copied, mut whole, mut runs) = (Vec::new(), Vec::new(), TagRuns::default());
        for tags in points {
            copied.extend_from_slice(b"point");
            runs.put(&mut copied, tags.iter().copied(), put);
            whole.extend_from_slice(b"point");
            tags.iter().for_each(|(key, value)| put(&mut whole, key, value));
        }
        assert_eq!(String::from_utf8(copied).unwrap(), String::from_utf8(whole).unwrap());
    }

    #[test]
    fn nothing_of_a_refused_item_stays() {
        let want = Encoded { items: 4, rejected: 2, reason: "`!`".into() };
        assert_eq!(put(4, &["a", "!", "b", "c!", "c"]), ("a\nb\n".to_owned(), want));
        let want = Encoded { items: 1, rejected: 1, reason: "`!`".into() };
        assert_eq!(put(4, &["!"]), (String::new(), want));
    }
}
