//! OTLP in JSON: the body of a request comes in as it is written, in protobuf, and goes out as JSON.
//!
//! Ids are hexadecimal, numbers of 64 bits are texts, enumerations are numbers. What is no message of OTLP is refused, and what
//! the schema here does not have is passed over. The time is linear in the size of the body; nothing here panics.
//!
//! Source: OTLP 1.11, "JSON Protobuf Encoding"; protobuf, "JSON Mapping".

use serde::Serialize;

use super::schema::{MAX_NUMBER, RESOURCE_LOGS, RESOURCE_METRICS, RESOURCE_SPANS, Sort, Table};
use crate::exporters::Signal;
use crate::exporters::json;
use crate::exporters::protobuf::{Content, Fields, Malformed};

/// Adds to `out` the JSON of a request, as one line.
pub fn put_json(out: &mut Vec<u8>, signal: Signal, request: &[u8]) -> Result<(), Malformed> {
    let (name, table) = match signal {
        Signal::Spans => ("resourceSpans", RESOURCE_SPANS),
        Signal::Events => ("resourceLogs", RESOURCE_LOGS),
        Signal::Metrics => ("resourceMetrics", RESOURCE_METRICS),
    };
    // The only field of a request, which some receivers want to see where it is empty too.
    const ONLY: u32 = 1;
    out.push(b'{');
    put_name(out, name);
    put_messages(out, table, places(request)?[ONLY as usize].contents(ONLY))?;
    out.push(b'}');
    Ok(())
}

/// Where the fields of one number stand in a message.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    /// The message from the first of them on.
    from: &'a [u8],
    many: usize,
}

impl<'a> Place<'a> {
    /// What they hold. In protobuf others may stand between them, in JSON all of a list stand together.
    fn contents(self, number: u32) -> impl Iterator<Item = Content<'a>> {
        let own = Fields(self.from).map_while(Result::ok).filter(move |(of, _)| *of == number);
        own.map(|(_, content)| content).take(self.many)
    }
}

fn put_object(out: &mut Vec<u8>, table: Table, message: &[u8]) -> Result<(), Malformed> {
    let places = places(message)?;
    out.push(b'{');
    let mut is_first = true;
    for field in table {
        let Some(place) = places.get(field.number as usize).filter(|place| place.many > 0) else { continue };
        put_comma(out, &mut is_first);
        put_name(out, field.name);
        put_field(out, &field.sort, place.contents(field.number))?;
    }
    out.push(b'}');
    Ok(())
}

/// All that a message holds, by number.
fn places(message: &[u8]) -> Result<[Place<'_>; MAX_NUMBER as usize + 1], Malformed> {
    let mut places = [Place::default(); MAX_NUMBER as usize + 1];
    let mut rest = Fields(message);
    loop {
        let from = rest.0;
        let Some(field) = rest.next() else { return Ok(places) };
        let (number, _) = field?;
        if let Some(place) = places.get_mut(number as usize) {
            if place.many == 0 {
                place.from = from;
            }
            place.many += 1;
        }
    }
}

fn put_field<'a>(
    out: &mut Vec<u8>,
    sort: &Sort,
    contents: impl Iterator<Item = Content<'a>>,
) -> Result<(), Malformed> {
    match sort {
        Sort::Messages(table) => put_messages(out, table, contents),
        Sort::Fixed64s => put_packed(out, contents, Fields::fixed64, put_u64),
        Sort::Varints => put_packed(out, contents, Fields::varint, put_u64),
        Sort::Doubles => {
            put_packed(out, contents, Fields::fixed64, |out, bits| put_double(out, f64::from_bits(bits)))
        }
        // Where there are several, the last one counts.
        one => put_value(out, one, contents.last().ok_or(Malformed)?),
    }
}

fn put_messages<'a>(
    out: &mut Vec<u8>,
    table: Table,
    contents: impl Iterator<Item = Content<'a>>,
) -> Result<(), Malformed> {
    out.push(b'[');
    let mut is_first = true;
    for content in contents {
        put_comma(out, &mut is_first);
        put_object(out, table, content.bytes()?)?;
    }
    out.push(b']');
    Ok(())
}

fn put_packed<'a>(
    out: &mut Vec<u8>,
    contents: impl Iterator<Item = Content<'a>>,
    read: impl Fn(&mut Fields<'a>) -> Option<u64>,
    put: impl Fn(&mut Vec<u8>, u64) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.push(b'[');
    let mut is_first = true;
    for content in contents {
        let mut rest = Fields(content.bytes()?);
        while !rest.0.is_empty() {
            put_comma(out, &mut is_first);
            put(out, read(&mut rest).ok_or(Malformed)?)?;
        }
    }
    out.push(b']');
    Ok(())
}

fn put_value(out: &mut Vec<u8>, sort: &Sort, content: Content<'_>) -> Result<(), Malformed> {
    match (sort, content) {
        (Sort::Message(table), Content::Bytes(message)) => put_object(out, table, message),
        (Sort::Text, Content::Bytes(text)) => put(out, &String::from_utf8_lossy(text)),
        (Sort::Id, Content::Bytes(id)) => {
            put_hex(out, id);
            Ok(())
        }
        (Sort::Bool, Content::Varint(n)) => put(out, &(n != 0)),
        (Sort::Double, Content::Fixed64(bits)) => put_double(out, f64::from_bits(bits)),
        (Sort::Unsigned64, Content::Fixed64(n)) => put_u64(out, n),
        (Sort::Signed64, Content::Fixed64(n) | Content::Varint(n)) => {
            put_quoted(out, |out| put(out, &n.cast_signed()))
        }
        (Sort::Number, Content::Varint(n)) => put(out, &(n as u32)),
        (Sort::Number, Content::Fixed32(n)) => put(out, &n),
        (Sort::Zigzag32, Content::Varint(n)) => {
            let n = n as u32;
            put(out, &((n >> 1).cast_signed() ^ -(n & 1).cast_signed()))
        }
        _ => Err(Malformed),
    }
}

/// What JSON has itself. Nothing fails here: memory takes all, and no number is not finite.
fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Malformed> {
    json::put(out, value).map_err(|_| Malformed)
}

fn put_double(out: &mut Vec<u8>, x: f64) -> Result<(), Malformed> {
    match x {
        x if x.is_nan() => put(out, "NaN"),
        f64::INFINITY => put(out, "Infinity"),
        f64::NEG_INFINITY => put(out, "-Infinity"),
        x => put(out, &x),
    }
}

fn put_u64(out: &mut Vec<u8>, n: u64) -> Result<(), Malformed> {
    put_quoted(out, |out| put(out, &n))
}

fn put_quoted(
    out: &mut Vec<u8>,
    put: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.push(b'"');
    put(out)?;
    out.push(b'"');
    Ok(())
}

fn put_hex(out: &mut Vec<u8>, id: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    out.extend(id.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]));
    out.push(b'"');
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn put_comma(out: &mut Vec<u8>, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        out.push(b',');
    }
}
