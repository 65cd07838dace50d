//! Texts, of which a part is kept.

/// A text longer than this is cut where it is recorded.
pub const MAX_TEXT: usize = 8 << 10;

/// A text as it is kept: at most [`MAX_TEXT`] of it.
pub fn capped(text: std::fmt::Arguments<'_>) -> String {
    let mut kept = String::new();
    write_capped(|part| kept.push_str(part), text);
    kept
}

struct Capped<F> {
    put: F,
    left: usize,
    is_cut: bool,
}

impl<F: FnMut(&str)> std::fmt::Write for Capped<F> {
    #[inline]
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        if s.len() <= self.left {
            self.left -= s.len();
            (self.put)(s);
        } else if !self.is_cut {
            self.is_cut = true;
            (self.put)(&s[..s.floor_char_boundary(self.left)]);
            self.left = 0;
        }
        Ok(())
    }
}

/// Hands out the parts of a text, of which [`MAX_TEXT`] are kept, and says whether there was more.
#[inline]
pub(super) fn write_capped(put: impl FnMut(&str), text: std::fmt::Arguments<'_>) -> bool {
    let mut capped = Capped { put, left: MAX_TEXT, is_cut: false };
    // An error of the user's own `Debug` leaves what it had printed by then.
    let _ = std::fmt::write(&mut capped, text);
    capped.is_cut
}
