//! Fields of spans on what happens in them: on events, and as tags of what is measured.
//!
//! An event or a measurement comes in with the span that it is in; what it has not itself is looked for there and in the spans
//! above, the nearest one first. Nobody who asked for no field comes here.

use telemetry_core::__private::record::FieldBuf;
use telemetry_core::model::Text;
use tracing::Metadata;

use crate::fields::Gives;
use crate::spans::{Slot, is_held, layers_of_thread};
use crate::tracer::Tracer;

/// So many spans are looked at, from the innermost one.
const MOST: usize = 256;

impl Tracer {
    /// Adds to the fields of an event what spans give it.
    pub(crate) fn inherit(
        &self,
        names: &[Text],
        fields: &mut FieldBuf<'_>,
        site: &'static Metadata<'static>,
        span: Option<(u64, &'static Slot)>,
    ) {
        let mut missing: Vec<&str> =
            names.iter().map(|name| &**name).filter(|name| fields.value_of(name, site).is_none()).collect();
        for slot in self.upward(span) {
            if missing.is_empty() {
                return;
            }
            if let Some(of) = slot.site() {
                fields.inherit(&mut missing, &slot.all_fields(), of);
            }
        }
    }

    /// The tags that spans give.
    pub(crate) fn given_tags(
        &self,
        names: &[Text],
        span: Option<(u64, &'static Slot)>,
    ) -> Vec<(String, String)> {
        let (mut missing, mut found): (Vec<&Text>, _) = (names.iter().collect(), Vec::new());
        for slot in self.upward(span) {
            let Some(site) = slot.site().filter(|_| !missing.is_empty()) else { continue };
            let fields = slot.all_fields();
            missing.retain(|name| match fields.value_of(name, site) {
                Some(value) => {
                    found.push((name.to_string(), value));
                    false
                }
                None => true,
            });
        }
        found
    }

    /// A span and those above it.
    fn upward(&self, span: Option<(u64, &'static Slot)>) -> impl Iterator<Item = &'static Slot> {
        let above = |(_, slot): &(u64, &'static Slot)| {
            let id = Some(slot.parent_id()).filter(|id| *id != 0)?;
            Some((id, self.store.find(id)?))
        };
        std::iter::successors(span, above).take(MOST).map(|(_, slot)| slot)
    }

    /// The thread has entered or left a span: it may be in one that gives tags, or in none any more.
    #[cold]
    pub(crate) fn moved(&self) {
        let gives = |slot: &Slot| slot.site().is_some_and(|site| self.plan(site).gives == Gives::Tags);
        self.with_thread(|thread| {
            let is_giving = thread.entered().any(|span| self.upward(Some(span)).any(gives));
            thread.giving.set(is_giving);
        });
    }
}

/// The tags of the spans that this thread is in, of layers that feed that collector.
pub(crate) fn tags_of_thread(collector: u64) -> Vec<(String, String)> {
    // This thread has a lock of a span: it is in an allocator, and the span is what asks for memory.
    if is_held() {
        return Vec::new();
    }
    let mut tags: Vec<(String, String)> = Vec::new();
    for (layer, span) in layers_of_thread(collector) {
        let Ok(tracer) = layer.downcast::<Tracer>() else { continue };
        for (key, value) in tracer.given_tags(&tracer.inherited_tags(), span) {
            if tags.iter().all(|(known, _)| *known != key) {
                tags.push((key, value));
            }
        }
    }
    tags
}
