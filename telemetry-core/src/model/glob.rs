//! Patterns for names: globs with `*` and `?`.

/// Whether a name is like a pattern with `*` and `?`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    match pattern.next() {
        None => name.is_empty(),
        Some('*') => {
            let mut starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            starts.any(|at| matches(pattern.as_str(), &name[at..]))
        }
        Some(wanted) => {
            let mut name = name.chars();
            let is_there = name.next().is_some_and(|found| wanted == '?' || wanted == found);
            is_there && matches(pattern.as_str(), name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in
            [("a.b", "a.b"), ("a.*", "a."), ("*", ""), ("*b*", "abc"), ("a?c", "aßc"), ("*.d", "a.b.d")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("a.b", "a.bc"), ("a.*", "a"), ("?", ""), ("b*", "abc"), ("a?c", "abbc"), ("", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
