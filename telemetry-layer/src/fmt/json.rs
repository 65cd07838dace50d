//! Ids as members of a line that is an object of JSON.

use std::fmt;

use tracing_subscriber::fmt::format::{Json, Writer};

use super::with_trace_ids::sealed::Write;
use super::with_trace_ids::{Ids, SPAN_ID, TRACE_ID};

impl Write for Json {
    fn write(
        ids: &Ids,
        mut writer: Writer<'_>,
        _: bool,
        line: impl FnOnce(Writer<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let names = ids.has_own.contains(&true).then(Names::default);
        let mut object = HoldingEnd { writer: &mut writer, braces: 0, newlines: 0, last: '{', names };
        line(Writer::new(&mut object))?;
        let HoldingEnd { braces, newlines, last, names, .. } = object;
        let [has_trace, has_span] = names.map_or([false; 2], |names| names.found);
        let inner = braces.saturating_sub(1);
        many(&mut writer, '}', inner)?;
        let mut before = if last == '{' && inner == 0 { "" } else { "," };
        if !has_trace {
            write!(writer, "{before}\"{TRACE_ID}\":\"{}\"", ids.context.trace_id)?;
            before = ",";
        }
        if !has_span {
            write!(writer, "{before}\"{SPAN_ID}\":\"{}\"", ids.context.span_id)?;
        }
        many(&mut writer, '}', braces - inner)?;
        many(&mut writer, '\n', newlines)
    }
}

/// Passes an object on but for the braces and newlines at its end.
struct HoldingEnd<'a, 'w> {
    writer: &'a mut Writer<'w>,
    braces: usize,
    newlines: usize,
    /// Before those.
    last: char,
    /// Looked for where the object may have such members already.
    names: Option<Names>,
}

impl fmt::Write for HoldingEnd<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(names) = &mut self.names {
            text.bytes().for_each(|byte| names.look_at(byte));
        }
        let braced = text.trim_end_matches('\n');
        let rest = braced.trim_end_matches('}');
        if !braced.is_empty() && (self.newlines > 0 || !rest.is_empty()) {
            many(self.writer, '}', std::mem::take(&mut self.braces))?;
            many(self.writer, '\n', std::mem::take(&mut self.newlines))?;
        }
        if let Some(last) = rest.chars().next_back() {
            self.writer.write_str(rest)?;
            self.last = last;
        }
        self.braces += braced.len() - rest.len();
        self.newlines += text.len() - braced.len();
        Ok(())
    }
}

fn many(writer: &mut Writer<'_>, what: char, many: usize) -> fmt::Result {
    (0..many).try_for_each(|_| writer.write_char(what))
}

/// Looks for members of the object that are called as ids are, byte by byte.
#[derive(Default)]
struct Names {
    found: [bool; 2],
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// Behind the name of a member of the object itself.
    in_value: bool,
    /// The text, as far as it may be such a name, and how long it is.
    text: [u8; TRACE_ID.len()],
    len: usize,
}

impl Names {
    fn look_at(&mut self, byte: u8) {
        if !self.in_text {
            match byte {
                b'"' => (self.in_text, self.len) = (true, 0),
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b':' if self.depth == 1 => self.in_value = true,
                b',' if self.depth == 1 => self.in_value = false,
                _ => {}
            }
        } else if self.is_escaped {
            self.is_escaped = false;
        } else if byte == b'"' {
            self.in_text = false;
            self.ends();
        } else {
            self.is_escaped = byte == b'\\';
            if let Some(place) = self.text.get_mut(self.len) {
                *place = byte;
            }
            self.len += 1;
        }
    }

    fn ends(&mut self) {
        if self.depth == 1 && !self.in_value {
            let name = self.text.get(..self.len);
            for (found, own) in self.found.iter_mut().zip([TRACE_ID, SPAN_ID]) {
                *found |= name == Some(own.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(object: &str) -> [bool; 2] {
        let mut names = Names::default();
        object.bytes().for_each(|byte| names.look_at(byte));
        names.found
    }

    #[test]
    fn only_members_of_the_object_itself_are_its_names() {
        assert_eq!(found(r#"{"a":1,"trace_id":"x","span_id":null}"#), [true, true]);
        assert_eq!(found(r#"{"fields":{"trace_id":1},"b":[{"span_id":2}]}"#), [false, false]);
        assert_eq!(found(r#"{"message":"trace_id","text":"\"span_id","trace_id2":0}"#), [false, false]);
        assert_eq!(found(r#"{"a":"\\","span_id":{"trace_id":1},"x":"trace_id"}"#), [false, true]);
    }
}
