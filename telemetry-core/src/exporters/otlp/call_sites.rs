//! What is constant of a call site, encoded once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use tracing_core::Metadata;

use super::attributes::{Name, put_attribute};
use super::scopes::Scopes;
use crate::exporters::RawValue;
use crate::model::record::field_name;

const FILE: &str = "code.file.path";
const LINE: &str = "code.line.number";

/// What all items of one call site have in common.
#[derive(Debug)]
pub(super) struct CallSite {
    pub(super) scope: usize,
    /// The name first, and what else is the same for all.
    pub(super) constant: Box<[u8]>,
    /// How much of that is the name.
    pub(super) name_len: usize,
    /// Its fields by their index.
    pub(super) fields: Box<[Name]>,
}

/// The call sites of one signal, by where their metadata stands: it is static, so nothing else ever stands there.
#[derive(Debug, Default)]
pub(super) struct CallSites {
    by_address: HashMap<usize, usize, BuildHasherDefault<AddressHasher>>,
    all: Vec<CallSite>,
    /// The address and the place of the one that was asked for last.
    last: (usize, usize),
    bytes: usize,
}

impl CallSites {
    /// That call site; `name` writes what comes before the place in the source, and `list` is the key of attributes.
    #[inline]
    pub(super) fn get(
        &mut self,
        meta: &'static Metadata<'static>,
        scopes: &mut Scopes,
        list: u8,
        name: impl FnOnce(&mut Vec<u8>),
    ) -> &CallSite {
        let address = std::ptr::from_ref(meta).addr();
        if self.last.0 != address {
            let at = self.by_address.get(&address).copied();
            let at = at.unwrap_or_else(|| self.insert(address, CallSite::new(meta, scopes, list, name)));
            self.last = (address, at);
        }
        &self.all[self.last.1]
    }

    #[cold]
    fn insert(&mut self, address: usize, site: CallSite) -> usize {
        self.bytes += site.bytes();
        self.by_address.insert(address, self.all.len());
        self.all.push(site);
        self.all.len() - 1
    }

    /// How much memory it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl CallSite {
    fn new(
        meta: &'static Metadata<'static>,
        scopes: &mut Scopes,
        list: u8,
        name: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let mut constant = Vec::new();
        name(&mut constant);
        let name_len = constant.len();
        // A field of such a name knows better: the event stands for something that happened elsewhere.
        if !meta.fields().iter().any(|field| is_place(field.name())) {
            put_place(&mut constant, meta, list);
        }
        let fields = meta.fields().iter().map(|field| Name::new(list, field_name(&field))).collect();
        Self { scope: scopes.find(meta.target()), constant: constant.into(), name_len, fields }
    }

    fn bytes(&self) -> usize {
        // With what the map keeps of it.
        size_of::<Self>() + 3 * size_of::<usize>() + self.constant.len() + size_of_val(&*self.fields)
    }
}

/// Whether an attribute of that name says where something stands in the source.
pub(super) fn is_place(name: &str) -> bool {
    [FILE, LINE].contains(&name)
}

fn put_place(out: &mut Vec<u8>, meta: &Metadata<'_>, list: u8) {
    if let Some(file) = meta.file() {
        put_attribute(out, list, FILE, RawValue::Text(file.as_bytes()));
        let line = meta.line().into_iter();
        line.for_each(|line| put_attribute(out, list, LINE, RawValue::U64(line.into())));
    }
}

/// Addresses are told apart by their low bits but the last three, and a map by the high ones too.
#[derive(Debug, Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, address: usize) {
        let mixed = (self.0 ^ address as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}
