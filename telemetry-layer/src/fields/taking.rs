//! Code of the program that runs while its fields are taken down, and may panic.

/// Lets `take` write into `taken`. Where code of the program panics meanwhile, `left` is told what there is by then, and the
/// panic goes on.
#[expect(clippy::inline_always, reason = "what is only for a panic costs nothing then")]
#[inline(always)]
pub(crate) fn taking<T, R>(taken: &mut T, take: impl FnOnce(&mut T) -> R, left: impl FnOnce(&mut T)) -> R {
    let mut unfinished = Unfinished { taken, left: Some(left) };
    let result = take(unfinished.taken);
    unfinished.left = None;
    result
}

struct Unfinished<'a, T, F: FnOnce(&mut T)> {
    taken: &'a mut T,
    left: Option<F>,
}

impl<T, F: FnOnce(&mut T)> Drop for Unfinished<'_, T, F> {
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            left(self.taken);
        }
    }
}
