//! `tracestate`: what the tracing systems that took part in a trace say of it, a member each.
//!
//! A list comes in as it was sent. It goes out as it came where it follows the grammar and is short enough; one that is too
//! long loses members, one that does not follow the grammar is discarded as a whole. Nothing here looks into members but into
//! OpenTelemetry's own, `ot`.
//!
//! Source: W3C Trace Context, level 2, "Tracestate Header"; OpenTelemetry specification 1.60, "`TraceState` Handling".

use std::borrow::Cow;

use super::ids::lower_hex;

/// A longer list loses members.
pub(super) const MAX: usize = 512;
const MAX_MEMBERS: usize = 32;
/// Longer members are the first to go.
const LONG: usize = 128;
/// Of a key, and of a value.
const MAX_PART: usize = 256;

/// Space that may stand around a member.
pub(super) const OWS: [char; 2] = [' ', '\t'];

/// The list as it may be sent on; none if it does not follow the grammar.
pub(super) fn checked(list: &str) -> Option<Cow<'_, str>> {
    let list = list.trim_matches(OWS);
    let mut members = members(list)?;
    // Commas alone follow the grammar, and say nothing.
    let as_it_came = list.len() <= MAX && !members.is_empty();
    if !as_it_came {
        shorten(&mut members);
    }
    let fits = |member: &&str| member.split('=').all(|part| part.len() <= MAX_PART);
    members.iter().all(fits).then(|| if as_it_came { Cow::Borrowed(list) } else { members.join(",").into() })
}

/// Those that are not empty, in their order; none if one of them is malformed, two have one key, or there are too many.
fn members(list: &str) -> Option<Vec<&str>> {
    let mut members: Vec<&str> = Vec::new();
    for member in list.split(',').map(|member| member.trim_matches(OWS)).filter(|member| !member.is_empty()) {
        let (key, value) = member.split_once('=')?;
        let is_new = members.iter().all(|known| key_of(known) != key);
        if !is_new || members.len() == MAX_MEMBERS || !is_key(key) || !is_value(value) {
            return None;
        }
        members.push(member);
    }
    Some(members)
}

fn key_of(member: &str) -> &str {
    member.split_once('=').map_or(member, |(key, _)| key)
}

/// Leaves out long members from the end on, then others, until the list is short enough.
fn shorten(members: &mut Vec<&str>) {
    let mut len = members.iter().map(|member| member.len() + 1).sum::<usize>();
    while len > MAX + 1 {
        let long = members.iter().rposition(|member| member.len() > LONG);
        let Some(at) = long.or(members.len().checked_sub(1)) else { return };
        len -= members.remove(at).len() + 1;
    }
}

fn is_key(key: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_next = |byte: u8| is_first(byte) || b"_-*/@".contains(&byte);
    key.bytes().next().is_some_and(is_first) && key.bytes().all(is_next)
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'=')
}

/// The key of OpenTelemetry's member, whose value is a list of its own: `ot=th:8;rv:0123456789abcd`.
const OT: &str = "ot=";
const THRESHOLD: &str = "th:";
const RANDOMNESS: &str = "rv:";
/// Both are numbers of that many digits.
const DIGITS: usize = 14;

/// What the list says of how a trace was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threshold {
    /// Nothing.
    Unsaid,
    /// Something that is no threshold.
    Malformed,
    /// Those traces were kept whose randomness is at least that.
    At(u64),
}

/// How the trace was sampled.
pub(crate) fn threshold(list: &str) -> Threshold {
    let Some(digits) = part_of_ot(list, THRESHOLD) else { return Threshold::Unsaid };
    let number = hex(digits).filter(|_| digits.len() <= DIGITS);
    // Zeros at its end are left out.
    number.map_or(Threshold::Malformed, |number| Threshold::At(number << (4 * (DIGITS - digits.len()))))
}

/// By what the trace is sampled in place of its id.
pub(crate) fn randomness(list: &str) -> Option<u64> {
    part_of_ot(list, RANDOMNESS).filter(|digits| digits.len() == DIGITS).and_then(hex)
}

/// The same list with that threshold or without any, in front, as what was changed stands there.
pub(crate) fn with_threshold(list: &str, threshold: Option<&str>) -> String {
    if let (true, Some(digits)) = (list.is_empty(), threshold) {
        return format!("{OT}{THRESHOLD}{digits}");
    }
    let own = ot(list).unwrap_or_default();
    let others = own.split(';').filter(|part| !part.is_empty() && !part.starts_with(THRESHOLD));
    let others: Vec<&str> = others.collect();
    let with = threshold.map(|digits| format!("{OT}{THRESHOLD}{digits}"));
    let with = with.map(|first| [&[&*first], &*others].concat().join(";"));
    let member = with.filter(|member| member.len() <= OT.len() + MAX_PART).or_else(|| {
        let without = format!("{OT}{}", others.join(";"));
        (!others.is_empty()).then_some(without)
    });
    let rest = list.split(',').map(|member| member.trim_matches(OWS));
    let rest = rest.filter(|member| !member.is_empty() && !member.starts_with(OT));
    let all: Vec<&str> = member.as_deref().into_iter().chain(rest).take(MAX_MEMBERS).collect();
    checked(&all.join(",")).unwrap_or_default().into_owned()
}

fn ot(list: &str) -> Option<&str> {
    list.split(',').find_map(|member| member.trim_matches(OWS).strip_prefix(OT))
}

fn part_of_ot<'a>(list: &'a str, key: &str) -> Option<&'a str> {
    ot(list)?.split(';').find_map(|part| part.strip_prefix(key))
}

fn hex(digits: &str) -> Option<u64> {
    lower_hex(digits, digits.len()).and_then(|number| u64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_read_and_put_in_place_of_another_one() {
        assert_eq!(threshold("a=1"), Threshold::Unsaid);
        assert_eq!(threshold("a=1, ot=rv:0123456789abcd;th:c"), Threshold::At(0xc << 52));
        assert_eq!(threshold("ot=th:0"), Threshold::At(0));
        for wrong in ["ot=th:", "ot=th:x", "ot=th:C", "ot=th:+8", "ot=th:0123456789abcde"] {
            assert_eq!(threshold(wrong), Threshold::Malformed, "{wrong}");
        }
        assert_eq!(randomness("ot=rv:0123456789abcd"), Some(0x0001_2345_6789_abcd));
        assert_eq!(randomness("ot=rv:123"), None);
        for (list, threshold, want) in [
            ("", Some("8"), "ot=th:8"),
            ("", None, ""),
            ("a=1,ot=th:c", None, "a=1"),
            ("a=1 , ot=th:c", Some("8"), "ot=th:8,a=1"),
            ("a=1,ot=x:y;th:c;rv:0123456789abcd,b=2", Some("0"), "ot=th:0;x:y;rv:0123456789abcd,a=1,b=2"),
            ("a=1,ot=x:y;th:c,b=2", None, "ot=x:y,a=1,b=2"),
        ] {
            assert_eq!(with_threshold(list, threshold), want, "{list}");
        }
    }

    #[test]
    fn a_list_that_is_full_makes_room_for_a_threshold() {
        let full: Vec<String> = (0..32).map(|n| format!("v{n}=1")).collect();
        let all = with_threshold(&full.join(","), Some("8"));
        assert!(all.starts_with("ot=th:8,v0=1,") && all.ends_with(",v30=1"), "{all}");
        let own = format!("ot=x:{}", "y".repeat(253));
        assert_eq!(with_threshold(&own, Some("8")), own, "of a member that is full it is left out");
    }
}
