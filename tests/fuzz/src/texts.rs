//! Texts of any length up to one that no record cuts.

use arbitrary::Arbitrary;

/// A text, repeated: long ones take few bytes of an input.
#[derive(Arbitrary, Clone, Debug)]
pub struct Words {
    part: String,
    times: u8,
}

impl Words {
    /// Ten fields with names and values of this length are still less than a record keeps.
    const MOST: usize = 1500;

    /// The text.
    pub fn text(&self) -> String {
        // Mostly once.
        let mut text = self.part.repeat(usize::from(self.times.saturating_sub(200)).max(1));
        text.truncate(text.floor_char_boundary(Self::MOST));
        text
    }
}
