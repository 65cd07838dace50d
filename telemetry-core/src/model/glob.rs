//! Patterns for names: globs with `*` and `?`.

/// Whether a name is like a pattern with `*` and `?`. It takes no more steps than the product of their lengths: names may come
/// from outside.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    // What stands behind the last `*`, and what it does not stand for.
    let mut star = None;
    loop {
        let at = name.clone();
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                name = at.clone();
                star = Some((pattern.clone(), at));
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            _ => {
                // It stands for one more character.
                let Some((behind, left)) = &mut star else { return false };
                if left.next().is_none() {
                    return false;
                }
                (pattern, name) = (behind.clone(), left.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [
            ("a.b", "a.b"),
            ("a.*", "a."),
            ("*", ""),
            ("*b*", "abc"),
            ("a?c", "aßc"),
            ("*.d", "a.b.d"),
            ("a*b*c", "a.b.b.c"),
            ("**", "a"),
            ("*?", "ab"),
            ("", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a.b", "a.bc"),
            ("a.*", "a"),
            ("?", ""),
            ("b*", "abc"),
            ("a?c", "abbc"),
            ("", "a"),
            ("*a*b", "ab.c"),
            ("a*", ""),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_and_a_long_name_take_no_time() {
        let name = "a".repeat(4 << 10);
        assert!(!matches(&format!("{}b", "*a".repeat(40)), &name));
    }
}
