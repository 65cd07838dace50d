//! Memory of the bodies of requests, for the next ones: pages that were used before cost nothing.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::sync::{Mutex, lock};

/// Keeps the memory of some bodies that are done with.
#[derive(Debug)]
pub(super) struct Bodies(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    bodies: Mutex<Vec<Vec<u8>>>,
    most: usize,
}

/// A body that is out.
struct Lent {
    body: Vec<u8>,
    back: Weak<Kept>,
}

/// Smaller ones cost little.
const LEAST: usize = 64 << 10;

impl Bodies {
    /// At most so many are kept.
    pub(super) fn keeping(most: usize) -> Self {
        Self(Arc::new(Kept { bodies: Mutex::default(), most }))
    }

    /// An empty one, for about so many bytes. What grows as it is written leaves holes in the heap behind.
    pub(super) fn take(&self, bytes: usize) -> Vec<u8> {
        let kept = lock(&self.0.bodies).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(if bytes < LEAST { 0 } else { bytes }))
    }

    /// Its memory comes back when the last clone is gone.
    pub(super) fn lend(&self, body: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { body, back: Arc::downgrade(&self.0) })
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut body = std::mem::take(&mut self.body);
        // When bodies become small, the memory of large ones goes.
        if body.capacity() < LEAST || body.capacity() / 4 > body.len() {
            return;
        }
        let Some(back) = self.back.upgrade() else { return };
        body.clear();
        let mut kept = lock(&back.bodies);
        if kept.len() < back.most {
            kept.push(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(bodies: &Bodies, len: usize) -> usize {
        let mut body = bodies.take(len);
        body.resize(len, 1);
        let lent = bodies.lend(body);
        assert_eq!(lent.len(), len);
        lent.as_ptr().addr()
    }

    #[test]
    fn memory_is_used_again_when_a_request_is_over() {
        let bodies = Bodies::keeping(2);
        let first = place(&bodies, 300_000);
        assert_eq!([place(&bodies, 200_000), place(&bodies, 300_000)], [first; 2]);
        let out = bodies.lend(vec![1; 300_000]);
        assert_ne!(place(&bodies, 300_000), out.as_ptr().addr(), "it is still out");
    }

    #[test]
    fn what_is_kept_follows_what_is_needed() {
        let bodies = Bodies::keeping(2);
        drop([3, 4, 5].map(|n| bodies.lend(vec![n; 1 << 20])));
        assert_eq!(lock(&bodies.0.bodies).len(), 2);
        for _ in 0..2 {
            place(&bodies, 1000);
        }
        assert!(lock(&bodies.0.bodies).is_empty());
        let late = bodies.lend(vec![1; 1 << 20]);
        drop(bodies);
        drop(late);
    }
}
