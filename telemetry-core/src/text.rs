//! Text that others see: what a program, its users or a backend wrote comes in, and what goes out is one line in which nothing
//! moves the cursor, turns text around or stands there unseen, and nothing looks like what it is not.
//!
//! What has nothing of that kind goes through as it is, and is not copied. The time is linear.

use std::fmt::{self, Arguments, Debug, Display, Formatter, Write};

/// Whether nobody sees a character, or it changes how others are seen: the controls (C0, C1), the separators of lines and
/// paragraphs, the marks of direction, interlinear annotation, and what else Unicode calls default-ignorable; but for the
/// two selectors that choose how the character before them is drawn, which emoji need.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text in pieces: what can be seen, and the hidden character behind it, if there is one.
pub(crate) fn pieces(mut text: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let (piece, hidden) = match first_hidden(text) {
            Some((at, c)) => ((&text[..at], Some(c)), at + c.len_utf8()),
            None => ((text, None), text.len()),
        };
        text = &text[hidden..];
        Some(piece)
    })
}

fn first_hidden(text: &str) -> Option<(usize, char)> {
    // Mostly there is nothing else than these.
    let ascii = text.bytes().position(|byte| !matches!(byte, b' '..=b'~'))?;
    let found = text[ascii..].char_indices().find(|(_, c)| is_hidden(*c));
    found.map(|(at, c)| (ascii + at, c))
}

/// Shows something without hidden characters: escapes of Rust stand in their place.
pub(crate) struct Clean<T>(pub(crate) T);

impl<T: Display> Display for Clean<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Cleaner(f), "{}", self.0)
    }
}

impl<T: Debug> Debug for Clean<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Cleaner(f), "{:?}", self.0)
    }
}

/// Writes without hidden characters.
struct Cleaner<'a, 'f>(&'a mut Formatter<'f>);

impl Write for Cleaner<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (seen, hidden) in pieces(text) {
            self.0.write_str(seen)?;
            if let Some(c) = hidden {
                write!(self.0, "{}", c.escape_default())?;
            }
        }
        Ok(())
    }
}

/// Shows a text that stands among others: as it is, or in quotes, with the escapes of Rust, where it could not be told from what
/// is beside it. That is where it is empty, has something hidden, a quote, or one of `ends`.
pub(crate) struct Quoted<'a> {
    text: &'a str,
    /// None for one that stands in quotes always.
    ends: Option<&'static str>,
}

impl<'a> Quoted<'a> {
    /// A text within a line. A blank among `ends` is any white space.
    pub(crate) fn new(text: &'a str, ends: &'static str) -> Self {
        Self { text, ends: Some(ends) }
    }

    /// A name, a key or a value.
    pub(crate) fn word(text: &'a str) -> Self {
        Self::new(text, " \\=,{}[]()")
    }

    /// A text that stands in quotes always.
    pub(crate) fn always(text: &'a str) -> Self {
        Self { text, ends: None }
    }

    fn is_plain(&self) -> bool {
        let Some(ends) = self.ends else { return false };
        let takes_blanks = !ends.contains(' ');
        let is_end = |c: char| c == '"' || ends.contains(c) || c.is_whitespace() && !takes_blanks;
        !self.text.is_empty() && !self.text.contains(is_end) && first_hidden(self.text).is_none()
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return f.write_str(self.text);
        }
        f.write_char('"')?;
        for part in self.text.split_inclusive(['"', '\\']) {
            let seen = part.trim_end_matches(['"', '\\']);
            Cleaner(f).write_str(seen)?;
            part[seen.len()..].chars().try_for_each(|quote| write!(f, "\\{quote}"))?;
        }
        f.write_char('"')
    }
}

/// At most so many bytes of a text, as one line. What comes behind them is not even formatted.
pub(crate) fn line(text: Arguments<'_>, most: usize) -> String {
    Cut { text: String::new(), most, has_lines: false, is_full: false }.of(text)
}

/// The same for a text of ours that has several lines.
pub(crate) fn lines(text: Arguments<'_>, most: usize) -> String {
    Cut { text: String::new(), most, has_lines: true, is_full: false }.of(text)
}

/// Takes so many bytes, and perhaps one escape more.
struct Cut {
    text: String,
    most: usize,
    has_lines: bool,
    /// There was more; what code of the program makes of the error that it is given is its own matter.
    is_full: bool,
}

impl Cut {
    fn of(mut self, text: Arguments<'_>) -> String {
        if self.write_fmt(text).is_err() || self.is_full {
            self.text.push_str(" ..");
        }
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (seen, hidden) in pieces(text) {
            let room = self.most.saturating_sub(self.text.len());
            self.text.push_str(&seen[..seen.floor_char_boundary(room)]);
            if seen.len() > room || hidden.is_some() && self.text.len() >= self.most {
                self.is_full = true;
                return Err(fmt::Error);
            }
            match hidden {
                Some('\n') if self.has_lines => self.text.push('\n'),
                hidden => self.text.extend(hidden.into_iter().flat_map(char::escape_default)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts in which what is hidden is not rare.
    fn texts() -> impl Strategy<Value = String> {
        let hidden = prop::sample::select(
            "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{200b}\u{200f}\u{2028}\u{202e}\u{2066}\u{feff}\u{fff9}\u{e0041}"
                .chars()
                .collect::<Vec<_>>(),
        );
        let visible = prop::sample::select("ab\"\\=,{}[]() \u{a0}é\u{fe0f}😀".chars().collect::<Vec<_>>());
        prop::collection::vec(prop_oneof![hidden, visible, any::<char>()], 0..30).prop_map(String::from_iter)
    }

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in ["", "a b", "größe = 1 \\n \"x\"", "日本 \u{a0}😀 \u{2764}\u{fe0f}"] {
            assert_eq!(Clean(text).to_string(), text);
            assert_eq!(line(format_args!("{text}"), 100), text);
        }
    }

    #[test]
    fn hidden_characters_become_escapes() {
        for (text, clean) in [
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{1b}[2J\u{7f}\u{9b}", "\\u{1b}[2J\\u{7f}\\u{9b}"),
            ("\u{2028}é\u{202e}", "\\u{2028}é\\u{202e}"),
            ("\u{e0041}x\u{ad}", "\\u{e0041}x\\u{ad}"),
        ] {
            assert_eq!(Clean(text).to_string(), clean);
        }
    }

    #[test]
    fn what_could_be_something_else_stands_in_quotes() {
        for (text, word) in [
            ("a.b-c/d:e@f", "a.b-c/d:e@f"),
            ("", "\"\""),
            ("a b=c", "\"a b=c\""),
            ("x,admin=true} 7", "\"x,admin=true} 7\""),
            ("\"", "\"\\\"\""),
            ("a\\", "\"a\\\\\""),
            ("a\u{a0}b", "\"a\u{a0}b\""),
            ("a\\n\n\"", "\"a\\\\n\\n\\\"\""),
        ] {
            assert_eq!(Quoted::word(text).to_string(), word);
        }
        assert_eq!(Quoted::new("a b, c\u{2028}", "=").to_string(), "\"a b, c\\u{2028}\"");
        assert_eq!(Quoted::new("a b, c", "=").to_string(), "a b, c");
    }

    #[test]
    fn a_line_is_cut_and_what_is_cut_is_not_formatted() {
        struct Bomb;
        impl Display for Bomb {
            fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
                panic!("it is formatted")
            }
        }
        struct Deaf;
        impl Display for Deaf {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                (0..50).for_each(|_| {
                    let _ = f.write_str("y");
                });
                Ok(())
            }
        }
        assert_eq!(line(format_args!("{}{}", "y".repeat(50), Bomb), 10), format!("{} ..", "y".repeat(10)));
        assert_eq!(line(format_args!("{Deaf}"), 10), format!("{} ..", "y".repeat(10)));
        assert_eq!(line(format_args!("éé"), 3), "é ..");
        assert_eq!(line(format_args!("ab\n"), 2), "ab ..");
        assert_eq!(line(format_args!("{}", "y".repeat(10)), 10), "y".repeat(10));
        assert_eq!(lines(format_args!("a\u{1b}\nb\n"), 100), "a\\u{1b}\nb");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in texts(), most in 0..40_usize) {
            let line = line(format_args!("{text}"), most);
            prop_assert!(first_hidden(&line).is_none() && line.len() <= most + 13, "{line:?}");
            for shown in [Clean(&text).to_string(), Quoted::word(&text).to_string()] {
                prop_assert!(first_hidden(&shown).is_none(), "{shown:?}");
            }
        }

        #[test]
        fn what_stands_in_quotes_is_read_back(text in texts()) {
            let shown = Quoted::word(&text).to_string();
            let Some(inner) = shown.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
                prop_assert_eq!(shown, text);
                return Ok(());
            };
            prop_assert_eq!(unquoted(inner), text);
        }
    }

    /// What the escapes of Rust stand for.
    fn unquoted(quoted: &str) -> String {
        let (mut text, mut rest) = (String::new(), quoted.chars());
        while let Some(c) = rest.next() {
            assert_ne!(c, '"', "it ends too early: {quoted}");
            text.push(match c {
                '\\' => match rest.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => {
                        let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                    }
                    quote => quote,
                },
                c => c,
            });
        }
        text
    }
}
