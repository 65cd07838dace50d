//! `baggage`: names and values that travel with a request.
//!
//! A list comes in as it was sent, of any length; what comes out is bounded, and each name stands in it once. Whatever is in
//! it, reading and writing take linear time.
//!
//! Source: W3C Baggage.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::trace_state::OWS;

/// What the list holds at most: more than the 64 members and 8,192 bytes that everybody has to send on.
pub(super) const MAX: usize = 16 << 10;
pub(super) const MAX_MEMBERS: usize = 256;

/// Names and values, and by name the properties behind the value.
pub(super) type Pairs = Vec<(String, String)>;

/// Values and properties of the members that can be read and find room; of two with one name the later one counts.
pub(super) fn parse(list: &str) -> (Pairs, Pairs) {
    let mut kept: Vec<Option<(String, String, String)>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let (mut bytes, mut members) = (0, 0);
    for member in list.split(',') {
        let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
        let Some((key, value)) = pair.split_once('=') else { continue };
        let key = key.trim_matches(OWS);
        if !is_token(key) {
            continue;
        }
        let known = places.get(key).copied();
        if let Some((key, value, properties)) = known.and_then(|at| kept[at].take()) {
            bytes -= size(&key, &value, &properties);
            members -= 1;
        }
        let (value, properties) = (decode(value.trim_matches(OWS)), valid_properties(properties));
        let size = size(key, &value, &properties);
        if members == MAX_MEMBERS || bytes + size > MAX + 1 {
            continue;
        }
        (bytes, members) = (bytes + size, members + 1);
        let at = known.unwrap_or(kept.len());
        if at == kept.len() {
            kept.push(None);
            places.insert(key, at);
        }
        kept[at] = Some((key.to_owned(), value, properties));
    }
    let (mut pairs, mut all_properties) = (Pairs::new(), Pairs::new());
    for (key, value, properties) in kept.into_iter().flatten() {
        if !properties.is_empty() {
            all_properties.push((key.clone(), properties));
        }
        pairs.push((key, value));
    }
    (pairs, all_properties)
}

/// The list that is sent; empty where there is nothing to send. What finds no room is left out.
pub(super) fn write(pairs: &[(String, String)], properties: &[(String, String)]) -> String {
    let properties: HashMap<&str, &str> = properties.iter().map(|(key, text)| (&**key, &**text)).collect();
    let last: HashMap<&str, usize> = pairs.iter().enumerate().map(|(at, (key, _))| (&**key, at)).collect();
    let (mut list, mut members) = (String::new(), 0);
    for (at, (key, value)) in pairs.iter().enumerate() {
        if last.get(&**key) != Some(&at) || !is_token(key) {
            continue;
        }
        let properties = properties.get(&**key).map(|text| valid_properties(text)).unwrap_or_default();
        let comma = usize::from(!list.is_empty());
        if members == MAX_MEMBERS || list.len() + comma + size(key, value, &properties) > MAX + 1 {
            continue;
        }
        members += 1;
        list.push_str(&","[..comma]);
        list.extend([key, "="]);
        encode(value, &mut list);
        if !properties.is_empty() {
            list.extend([";", &properties]);
        }
    }
    list
}

/// Whether an entry of that name can still be sent beside these, none of which has it.
pub(super) fn has_room(
    pairs: &[(String, String)],
    properties: &[(String, String)],
    name: &str,
    value: &str,
) -> bool {
    let pairs_size: usize = pairs.iter().map(|(key, value)| size(key, value, "")).sum();
    let properties: usize = properties.iter().map(|(_, text)| 1 + text.len()).sum();
    pairs.len() < MAX_MEMBERS && pairs_size + properties + size(name, value, "") <= MAX + 1
}

/// What a member takes of the list, with a comma.
fn size(key: &str, value: &str, properties: &str) -> usize {
    let value: usize = value.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum();
    let properties = if properties.is_empty() { 0 } else { 1 + properties.len() };
    key.len() + 1 + value + properties + 1
}

/// The properties of a member that can be read, without space: `key=value` or `key`, with semicolons between them.
fn valid_properties(list: &str) -> String {
    let mut valid = String::new();
    for property in list.split(';') {
        let (key, value) =
            property.split_once('=').map_or((property, None), |(key, value)| (key, Some(value)));
        let (key, value) = (key.trim_matches(OWS), value.map(|value| value.trim_matches(OWS)));
        if is_token(key) && value.is_none_or(|value| value.bytes().all(|byte| is_plain(byte) || byte == b'%'))
        {
            valid.push_str(if valid.is_empty() { "" } else { ";" });
            valid.push_str(key);
            value.into_iter().for_each(|value| valid.extend(["=", value]));
        }
    }
    valid
}

/// What names are made of.
pub(super) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// What stands in a value for itself.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\%".contains(&byte)
}

fn encode(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if is_plain(byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
