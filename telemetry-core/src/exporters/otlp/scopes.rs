//! Items by their scope, and the envelope around them, which is the same for all signals.
//!
//! Source: opentelemetry-proto, `trace.proto`, `logs.proto`, `metrics.proto` and `resource.proto`.

use std::collections::HashMap;

use super::attributes::put_attribute;
use super::wire::{LONG, bytes, bytes_len, long_varint, put_bytes, put_message, put_text};
use crate::exporters::RawValue;
use crate::model::Resource;

/// Of a request: what one resource has.
const OF_RESOURCE: u8 = bytes(1);
/// Of that: the resource itself, what one scope has, and the conventions that the resource's attributes follow.
const RESOURCE: u8 = bytes(1);
const OF_SCOPE: u8 = bytes(2);
const SCHEMA_URL: u8 = bytes(3);
/// Of a scope: what it is, and its items.
const SCOPE: u8 = bytes(1);
pub(super) const ITEM: u8 = bytes(2);

const SCOPE_NAME: u8 = bytes(1);
const RESOURCE_ATTRIBUTE: u8 = bytes(1);

/// The names of attributes are those of these conventions.
const CONVENTIONS: &str = "https://opentelemetry.io/schemas/1.44.0";
const SDK: [(&str, &str); 3] = [
    ("telemetry.sdk.language", "rust"),
    ("telemetry.sdk.name", "telemetry"),
    ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
];

/// The items of one request by their scope. Names of scopes and memory stay for the next request.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    by_name: HashMap<Box<str>, usize>,
    all: Vec<Scope>,
    /// Those that have items in this request, in the order in which they came.
    used: Vec<usize>,
    /// The request, as far as it is written, behind what was there before.
    body: Vec<u8>,
    begin: usize,
    /// The scope of the first item: its items are written where they stay.
    at_once: usize,
    /// What the request may still take.
    room: usize,
}

#[derive(Debug, Default)]
struct Scope {
    /// What it is, as it stands in the request.
    head: Box<[u8]>,
    /// All that a request has of it, where it is not written at once.
    message: Vec<u8>,
    /// Where that begins.
    begin: Option<usize>,
}

/// Key and length of a message whose length is written last.
const FRAME: usize = 1 + LONG;

impl Scopes {
    /// Begins a request that takes at most so many bytes, behind what `body` has.
    pub(super) fn begin(&mut self, resource: &Resource, max_bytes: usize, body: &mut Vec<u8>) {
        // Whatever became of the one before.
        self.used.clear();
        self.all.iter_mut().for_each(Scope::clear);
        self.body = std::mem::take(body);
        self.begin = self.body.len();
        begin_message(&mut self.body, OF_RESOURCE);
        put_message::<2>(&mut self.body, RESOURCE, |out| {
            for (key, value) in resource.attributes() {
                put_attribute(out, RESOURCE_ATTRIBUTE, key, value.into());
            }
            let missing = SDK.iter().filter(|(sdk, _)| resource.attributes().all(|(key, _)| key != *sdk));
            missing.for_each(|(key, text)| {
                put_attribute(out, RESOURCE_ATTRIBUTE, key, RawValue::Text(text.as_bytes()));
            });
        });
        let envelope = self.body.len() - self.begin + bytes_len(CONVENTIONS.len());
        self.room = max_bytes.saturating_sub(envelope);
    }

    /// The scope of that name.
    pub(super) fn find(&mut self, name: &str) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let (mut scope, mut head) = (Vec::new(), Vec::new());
        put_text(&mut scope, SCOPE_NAME, name);
        put_bytes(&mut head, SCOPE, &scope);
        self.by_name.insert(name.into(), self.all.len());
        self.all.push(Scope { head: head.into(), ..Scope::default() });
        self.all.len() - 1
    }

    /// Lets `write` add to the items of a scope. If that is more than the request takes, it is taken back and the answer is
    /// no; but what comes first is always taken.
    #[inline]
    pub(super) fn add(&mut self, scope: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let is_first = self.used.is_empty();
        if is_first {
            self.at_once = scope;
        }
        let Some(Scope { head, message, begin }) = self.all.get_mut(scope) else { return false };
        let out = if scope == self.at_once { &mut self.body } else { message };
        let (before, is_new) = (out.len(), begin.is_none());
        if is_new {
            begin_message(out, OF_SCOPE);
            out.extend_from_slice(head);
        }
        write(out);
        let left = self.room.checked_sub(out.len() - before);
        self.room = left.unwrap_or(0);
        if left.is_none() && !is_first {
            out.truncate(before);
            return false;
        }
        if is_new {
            *begin = Some(before);
            self.used.push(scope);
        }
        true
    }

    /// Whether the request has no items yet.
    pub(super) fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// How many bytes an item of that scope may take.
    pub(super) fn room(&self, scope: usize) -> usize {
        let Some(Scope { head, begin, .. }) = self.all.get(scope) else { return 0 };
        self.room.saturating_sub(if begin.is_none() { FRAME + head.len() } else { 0 })
    }

    /// Ends the request: `body` has it behind what it had.
    pub(super) fn end(&mut self, body: &mut Vec<u8>) {
        *body = std::mem::take(&mut self.body);
        if self.used.is_empty() {
            return body.truncate(self.begin);
        }
        for scope in &self.used {
            let Some(Scope { message, begin: Some(begin), .. }) = self.all.get_mut(*scope) else { continue };
            if *scope == self.at_once {
                end_message(body, *begin);
            } else {
                end_message(message, *begin);
                body.extend_from_slice(message);
            }
        }
        put_bytes(body, SCHEMA_URL, CONVENTIONS.as_bytes());
        end_message(body, self.begin);
    }

    /// How much memory it keeps.
    pub(super) fn bytes(&self) -> usize {
        let of = |scope: &Scope| size_of::<Scope>() + 2 * scope.head.len() + scope.message.capacity();
        self.all.iter().map(of).sum()
    }
}

impl Scope {
    fn clear(&mut self) {
        self.message.clear();
        self.begin = None;
    }
}

fn begin_message(out: &mut Vec<u8>, key: u8) {
    let mut frame = [0; FRAME];
    frame[0] = key;
    out.extend_from_slice(&frame);
}

/// Writes the length of the message that began there and goes to the end.
fn end_message(out: &mut [u8], begin: usize) {
    let (frame, message) = out[begin..].split_at_mut(FRAME);
    frame[1..].copy_from_slice(&long_varint(message.len()));
}
