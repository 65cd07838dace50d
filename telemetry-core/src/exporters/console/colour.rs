//! Whether lines are coloured: the conventions of <https://no-color.org> and <https://bixense.com/clicolors> decide, by
//! variables and by whether the stream is a terminal.

use std::ffi::OsString;

/// `NO_COLOR` wins over `CLICOLOR_FORCE`, and that over what the stream is.
pub(super) fn is_wanted(is_terminal: bool, var: impl Fn(&str) -> Option<OsString>) -> bool {
    let says = |name: &str| var(name).filter(|value| !value.is_empty());
    let is_on = |name: &str| says(name).map(|value| value != "0");
    if says("NO_COLOR").is_some() {
        return false;
    }
    if is_on("CLICOLOR_FORCE") == Some(true) {
        return true;
    }
    is_terminal && is_on("CLICOLOR") != Some(false) && says("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_coloured_unless_variables_say_otherwise() {
        type Vars = &'static [(&'static str, &'static str)];
        let cases: [(Vars, bool, bool); 9] = [
            (&[], false, true),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], false, true),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("CLICOLOR_FORCE", "0")], false, true),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
            (&[("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR", "1"), ("TERM", "xterm")], false, true),
            (&[("TERM", "dumb")], false, false),
        ];
        for (vars, piped, on_a_terminal) in cases {
            let var = |name: &str| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!((is_wanted(false, var), is_wanted(true, var)), (piped, on_a_terminal), "{vars:?}");
        }
    }
}
