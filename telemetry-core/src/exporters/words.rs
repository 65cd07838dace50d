//! How settings are written, in URLs and variables: a text goes in, a value or what is needed instead comes out.

use tracing_core::Level;

pub(crate) const ABOVE_0: &str = "a whole number above 0 is needed";

/// One of a few words, in any case.
pub(crate) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("one of {} is needed", known.join(", "))
    })
}

/// The word that a text differs least from, in any case, by at most so many mistakes: a character that is wrong, missing or too
/// much, or two that stand in each other's place.
pub fn nearest<'a, W: AsRef<str>>(text: &str, words: &'a [W], most: usize) -> Option<&'a str> {
    let near = words.iter().map(AsRef::as_ref).filter(|word| word.len().abs_diff(text.len()) <= most);
    let mistakes = near.map(|word| (mistakes(word, text), word)).filter(|(mistakes, _)| *mistakes <= most);
    mistakes.min_by_key(|(mistakes, _)| *mistakes).map(|(_, word)| word)
}

/// What is said behind a word that is nearly one of these.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    const MOST_WRONG: usize = 2;
    let meant = nearest(word, known, MOST_WRONG.min(word.len() / 3));
    meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default()
}

/// How many mistakes lie between two texts: their distance of optimal string alignment.
fn mistakes(one: &str, other: &str) -> usize {
    let [one, other] = [one, other].map(str::to_ascii_uppercase);
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut rows = [Vec::new(), Vec::new(), (0..=other.len()).collect::<Vec<_>>()];
    for (i, a) in one.iter().enumerate() {
        rows.rotate_left(1);
        let [before, above, row] = &mut rows;
        row.clear();
        row.push(i + 1);
        for (j, b) in other.iter().enumerate() {
            let is_swapped = i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b;
            let swapped = if is_swapped { before[j - 1] + 1 } else { usize::MAX };
            let step = (above[j + 1] + 1).min(row[j] + 1).min(above[j] + usize::from(a != b));
            row.push(step.min(swapped));
        }
    }
    rows[2][other.len()]
}

pub(crate) fn level(text: &str) -> Result<Level, String> {
    text.parse().map_err(|_| "one of error, warn, info, debug, trace is needed".to_owned())
}

pub(crate) fn above_0(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| ABOVE_0.to_owned())
}

/// A key that another tag has not, instead of one that means something on a wire: the prefix stands before it as often as that
/// takes.
#[cfg(any(feature = "graphite", feature = "statsd"))]
pub(super) fn free_key(prefix: &str, key: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut free = format!("{prefix}{key}");
    while is_taken(&free) {
        free.insert_str(0, prefix);
    }
    free
}

/// Whether each node of a dotted name has something in it. A dot may stand at its end.
#[cfg(any(feature = "graphite", feature = "statsd"))]
pub(super) fn has_full_nodes(name: &str) -> bool {
    name.strip_suffix('.').unwrap_or(name).split('.').all(|node| !node.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(feature = "graphite", feature = "statsd"))]
    #[test]
    fn no_node_is_empty() {
        for name in ["a", "a.", "a.b", "a.b."] {
            assert!(has_full_nodes(name), "{name}");
        }
        for name in ["", ".", "..", "a..", ".a", "a..b"] {
            assert!(!has_full_nodes(name), "{name}");
        }
    }

    #[test]
    fn mistakes_are_counted() {
        for (one, other, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("auto", "AUTO", 0),
            ("auto", "atuo", 1),
            ("auto", "autoo", 1),
            ("auto", "uto", 1),
            ("auto", "aufo", 1),
            ("auto", "otto", 2),
            ("abcd", "badc", 2),
            ("sample", "sampling", 3),
        ] {
            assert_eq!((mistakes(one, other), mistakes(other, one)), (count, count), "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_word_is_found_unless_it_is_far() {
        let words = ["TELEMETRY_TAGS", "TELEMETRY_SAMPLE_RATE"];
        assert_eq!(nearest("TELEMETRY_SAMPEL_RATE", &words, 2), Some(words[1]));
        assert_eq!(nearest("telemetry_tag", &words, 1), Some(words[0]));
        assert_eq!(nearest("TELEMETRY_RATE", &words, 2), None);
    }
}
