//! Items by their scope, and the envelope around them, which is the same for all signals.
//!
//! Source: opentelemetry-proto, `trace.proto`, `logs.proto`, `metrics.proto` and `resource.proto`.

use std::collections::HashMap;

use super::attributes::put_attribute;
use super::wire::{MAX_FRAME, bytes, bytes_len, put_bytes, put_text, put_varint};
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
    /// What the request may still take.
    room: usize,
    /// The resource, as it stands in the request.
    resource: Vec<u8>,
}

#[derive(Debug, Default)]
struct Scope {
    /// What it is, as it stands in the request.
    head: Box<[u8]>,
    items: Vec<u8>,
}

impl Scopes {
    /// Begins a request that takes at most so many bytes.
    pub(super) fn begin(&mut self, resource: &Resource, max_bytes: usize) {
        let out = &mut self.resource;
        out.clear();
        for (key, value) in resource.attributes() {
            put_attribute(out, RESOURCE_ATTRIBUTE, key, value.into());
        }
        let missing = SDK.iter().filter(|(sdk, _)| resource.attributes().all(|(key, _)| key != *sdk));
        missing.for_each(|(key, text)| {
            put_attribute(out, RESOURCE_ATTRIBUTE, key, RawValue::Text(text.as_bytes()));
        });
        let envelope = 2 * MAX_FRAME + out.len() + bytes_len(CONVENTIONS.len());
        self.room = max_bytes.saturating_sub(envelope);
        // Whatever became of the one before.
        self.used.clear();
        self.all.iter_mut().for_each(|scope| scope.items.clear());
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
        self.all.push(Scope { head: head.into(), items: Vec::new() });
        self.all.len() - 1
    }

    /// Lets `write` add to the items of a scope. If that is more than the request takes, it is taken back and the answer is
    /// no; but what comes first is always taken.
    #[inline]
    pub(super) fn add(&mut self, scope: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let is_first = self.used.is_empty();
        let Some(Scope { head, items }) = self.all.get_mut(scope) else { return false };
        let before = items.len();
        write(items);
        let mut bytes = items.len() - before;
        if before == 0 {
            bytes += MAX_FRAME + head.len();
            self.used.push(scope);
        }
        let left = self.room.checked_sub(bytes);
        self.room = left.unwrap_or(0);
        if left.is_some() || is_first {
            return true;
        }
        items.truncate(before);
        if before == 0 {
            self.used.pop();
        }
        false
    }

    /// Whether the request has no items yet.
    pub(super) fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// How many bytes an item of that scope may take.
    pub(super) fn room(&self, scope: usize) -> usize {
        let Some(Scope { head, items }) = self.all.get(scope) else { return 0 };
        self.room.saturating_sub(if items.is_empty() { MAX_FRAME + head.len() } else { 0 })
    }

    /// Ends the request, and adds it to `body`.
    pub(super) fn end(&self, body: &mut Vec<u8>) {
        if self.used.is_empty() {
            return;
        }
        let used = || self.used.iter().filter_map(|at| self.all.get(*at));
        let scopes: usize = used().map(|scope| bytes_len(scope.len())).sum();
        let len = bytes_len(self.resource.len()) + scopes + bytes_len(CONVENTIONS.len());
        body.reserve(MAX_FRAME + len);
        body.push(OF_RESOURCE);
        put_varint(body, len as u64);
        put_bytes(body, RESOURCE, &self.resource);
        for scope in used() {
            body.push(OF_SCOPE);
            put_varint(body, scope.len() as u64);
            body.extend_from_slice(&scope.head);
            body.extend_from_slice(&scope.items);
        }
        put_bytes(body, SCHEMA_URL, CONVENTIONS.as_bytes());
    }

    /// How much memory it keeps.
    pub(super) fn bytes(&self) -> usize {
        let of = |scope: &Scope| size_of::<Scope>() + 2 * scope.head.len() + scope.items.capacity();
        self.all.iter().map(of).sum()
    }
}

impl Scope {
    fn len(&self) -> usize {
        self.head.len() + self.items.len()
    }
}
