//! What all wires of lines share: items go in one behind the other, as many as fit.

use std::borrow::Cow;

use super::protocol::Encoded;

/// Adds what `put` writes of as many of the first items as fit into so many bytes, but of one at least. An item that it refuses is
/// left out, with its reason, and nothing of it stays.
pub(super) fn put_items<T>(
    body: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    max_bytes: usize,
    mut put: impl FnMut(&mut Vec<u8>, T) -> Result<(), Cow<'static, str>>,
) -> Encoded {
    let (start, mut encoded) = (body.len(), Encoded::default());
    for item in items {
        let before = body.len();
        if let Err(reason) = put(body, item) {
            body.truncate(before);
            encoded.reject(reason);
            continue;
        }
        if before > start && body.len() - start > max_bytes {
            body.truncate(before);
            break;
        }
        encoded.items += 1;
    }
    encoded
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
    fn nothing_of_a_refused_item_stays() {
        let want = Encoded { items: 4, rejected: 2, reason: "`!`".into() };
        assert_eq!(put(4, &["a", "!", "b", "c!", "c"]), ("a\nb\n".to_owned(), want));
        let want = Encoded { items: 1, rejected: 1, reason: "`!`".into() };
        assert_eq!(put(4, &["!"]), (String::new(), want));
    }
}
