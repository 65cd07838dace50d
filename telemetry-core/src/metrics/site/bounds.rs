//! Bounds of buckets that somebody chose: checked once, kept for ever, found by a number without a lock.

use std::sync::OnceLock;

use crate::sync::{AsItIs, ForkLock, Mutex, lock};

/// Upper bounds, finite and ascending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    number: usize,
    pub(crate) list: &'static [f64],
}

/// Why bounds were refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub(crate) enum BoundsError {
    #[error("they must be finite and ascending")]
    NotAscending,
    #[error("there are more than {MOST_BOUNDS}")]
    TooMany,
    #[error("the program has {MOST} different ones already")]
    TooManyLists,
}

/// A histogram has at most that many.
pub(crate) const MOST_BOUNDS: usize = 256;
/// A program has at most that many different lists.
const MOST: usize = 256;

static ALL: [OnceLock<Box<[f64]>>; MOST] = [const { OnceLock::new() }; MOST];
static ADDING: Mutex<()> = Mutex::new(());

pub(crate) fn hold() -> Box<dyn ForkLock> {
    Box::new(AsItIs(lock(&ADDING)))
}

impl Bounds {
    /// None for an empty list.
    pub(crate) fn new(list: &[f64]) -> Result<Option<Self>, BoundsError> {
        if list.is_empty() {
            return Ok(None);
        }
        if list.len() > MOST_BOUNDS {
            return Err(BoundsError::TooMany);
        }
        if !list.iter().all(|bound| bound.is_finite()) || !list.is_sorted_by(|a, b| a < b) {
            return Err(BoundsError::NotAscending);
        }
        let _adding = lock(&ADDING);
        let number = ALL.iter().position(|known| known.get().is_none_or(|known| **known == *list));
        let number = number.ok_or(BoundsError::TooManyLists)?;
        Ok(Some(Self { number, list: ALL[number].get_or_init(|| list.into()) }))
    }

    pub(crate) fn number(self) -> usize {
        self.number
    }

    pub(crate) fn numbered(number: usize) -> Option<Self> {
        Some(Self { number, list: ALL.get(number)?.get()? })
    }

    /// The bucket of a value, which is the last one above all bounds.
    pub(crate) fn place(self, x: f64) -> usize {
        self.list.partition_point(|bound| *bound < x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_one_and_wrong_ones_are_refused() {
        let (one, two) =
            (Bounds::new(&[1.0, 2.5]).unwrap().unwrap(), Bounds::new(&[1.0, 2.5]).unwrap().unwrap());
        assert_eq!((one.number(), one.list), (two.number(), two.list));
        assert_eq!(Bounds::numbered(one.number()).unwrap().list, [1.0, 2.5]);
        assert_eq!([0.0, 1.0, 1.1, 2.5, 3.0].map(|x| one.place(x)), [0, 0, 1, 1, 2]);
        assert!(Bounds::new(&[]).unwrap().is_none());
        for wrong in [&[2.0, 1.0][..], &[1.0, 1.0], &[f64::NAN], &[0.0, f64::INFINITY]] {
            assert_eq!(Bounds::new(wrong).unwrap_err(), BoundsError::NotAscending);
        }
        let many: Vec<f64> = (0..300).map(f64::from).collect();
        assert_eq!(Bounds::new(&many).unwrap_err(), BoundsError::TooMany);
    }
}
