//! Where spans of functions begin: what a call site of `tracing` is, but made when it is first used, so that it costs
//! the compiler little.

use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::{Interest, Level, Metadata, callsite};

/// Where spans begin whose fields have no value yet.
#[derive(Debug)]
pub struct SpanSite {
    target: &'static str,
    name: &'static str,
    level: Level,
    fields: &'static [&'static str],
    file: &'static str,
    line: u32,
    /// Made at first use; `tracing` knows it from then on.
    metadata: OnceLock<Metadata<'static>>,
    /// Of those who listen: [`NEVER`] and so on.
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl SpanSite {
    /// For the place in the source that calls this.
    #[track_caller]
    pub const fn new(
        target: &'static str,
        name: &'static str,
        level: Level,
        fields: &'static [&'static str],
    ) -> Self {
        let place = Location::caller();
        Self::at(target, name, level, fields, place.file(), place.line())
    }

    pub(super) const fn at(
        target: &'static str,
        name: &'static str,
        level: Level,
        fields: &'static [&'static str],
        file: &'static str,
        line: u32,
    ) -> Self {
        let metadata = OnceLock::new();
        Self { target, name, level, fields, file, line, metadata, interest: AtomicU8::new(SOMETIMES) }
    }

    /// Its level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What `tracing` knows of it, if anybody may want a span of it now, and whether somebody certainly does.
    #[inline]
    pub fn wanted(&'static self) -> Option<(&'static Metadata<'static>, bool)> {
        let metadata = self.metadata.get().unwrap_or_else(|| self.register());
        match self.interest.load(Relaxed) {
            NEVER => None,
            interest => Some((metadata, interest == ALWAYS)),
        }
    }

    #[cold]
    fn register(&'static self) -> &'static Metadata<'static> {
        let mut is_first = false;
        let metadata = self.metadata.get_or_init(|| {
            is_first = true;
            let (file, line, module) = (Some(self.file), Some(self.line), Some(self.target));
            let fields = FieldSet::new(self.fields, Identifier(self));
            Metadata::new(self.name, self.target, self.level, file, line, module, fields, Kind::SPAN)
        });
        if is_first {
            // Outside: it asks for the metadata.
            callsite::register(self);
        }
        metadata
    }
}

impl Callsite for SpanSite {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            interest if interest.is_never() => NEVER,
            interest if interest.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        // Nobody knows of it before it has one.
        self.metadata.get().unwrap_or_else(|| unreachable!("it is registered with its metadata"))
    }
}
