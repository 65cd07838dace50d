//! The order in which snapshots show series: by name, kind, tags and level. It is kept from one reading to the next, and
//! only what is new is sorted.
//!
//! What comes in are series that were made since the last reading; what goes out is which one comes after which, and
//! which of them differ only in level. It reads no values.

use std::sync::Arc;

use super::sorted::{compare, interleave, key};
use crate::metrics::series::{History, Series};
use crate::model::Identity;

/// All series that readings have seen, sorted.
#[derive(Default)]
pub(super) struct Order(Vec<Place>);

/// Where a series stands.
pub(super) struct Place {
    pub(super) series: Arc<Series>,
    pub(super) history: History,
    /// It differs from the one before only in level.
    pub(super) joins: bool,
}

impl Order {
    pub(super) fn places(&self) -> &[Place] {
        &self.0
    }

    pub(super) fn places_mut(&mut self) -> &mut [Place] {
        &mut self.0
    }

    /// Takes new ones.
    pub(super) fn extend(&mut self, new: Vec<Arc<Series>>) {
        if new.is_empty() {
            return;
        }
        let mut new: Vec<Unsorted> =
            new.into_iter().map(|series| Unsorted { digit: 0, joins: false, series }).collect();
        sort(&mut new, (0, 0), MOST_GROUPS);
        let place =
            |Unsorted { joins, series, .. }: Unsorted| Place { history: series.history(), series, joins };
        let new: Vec<Place> = new.into_iter().map(place).collect();
        let known = std::mem::take(&mut self.0);
        self.0.reserve_exact(known.len() + new.len());
        let mut was_new = None;
        interleave(known, new, is_before, |mut place, is_new| {
            // Those of one origin know already.
            if was_new.is_some_and(|was_new| was_new != is_new) {
                place.joins = self.0.last().is_some_and(|last| is_same(last, &place));
            }
            was_new = Some(is_new);
            self.0.push(place);
        });
        self.number();
    }

    /// Lets go of those for which `is_left` holds.
    pub(super) fn release(&mut self, is_left: impl Fn(&Place) -> bool) {
        let known = self.0.len();
        let mut is_headless = false;
        self.0.retain_mut(|place| {
            is_headless &= place.joins;
            let keep = !is_left(place);
            if keep {
                place.joins &= !std::mem::take(&mut is_headless);
            } else {
                is_headless |= !place.joins;
            }
            keep
        });
        if self.0.len() < known {
            self.number();
        }
    }

    /// Tells all of them where they stand.
    fn number(&self) {
        self.0.iter().enumerate().for_each(|(at, place)| place.series.set_place(at));
    }
}

fn is_before(a: &Place, b: &Place) -> bool {
    compare(&a.series.identity, &b.series.identity).is_lt()
}

fn is_same(a: &Place, b: &Place) -> bool {
    key(&a.series.identity) == key(&b.series.identity)
}

/// One of those that are sorted.
struct Unsorted {
    /// Of the texts that it is sorted by, the part that is looked at now.
    digit: u128,
    joins: bool,
    series: Arc<Series>,
}

/// So many bytes of a text are one digit.
const DIGIT: usize = 15;

/// So often a group is sorted within a group. Texts that are made up to be more alike than that are compared.
const MOST_GROUPS: usize = 64;

/// Sorts them by their texts, digit by digit (a radix sort from the front), where they are equal up to that text, and that byte
/// in it. Comparing whole keys again and again would take several times as long.
fn sort(all: &mut [Unsorted], mut from: (usize, usize), groups: usize) {
    loop {
        if all.len() < 2 {
            return;
        }
        if groups == 0 {
            return sort_by_comparing(all);
        }
        all.iter_mut().for_each(|one| one.digit = digit(&one.series.identity, from));
        let first = all[0].digit;
        if all.iter().any(|one| one.digit != first) {
            break;
        }
        match behind(first, from) {
            Some(next) => from = next,
            None => return sort_by_comparing(all),
        }
    }
    all.sort_unstable_by_key(|one| one.digit);
    for same in all.chunk_by_mut(|a, b| a.digit == b.digit) {
        sort(same, behind(same[0].digit, from).unwrap_or(from), groups - 1);
    }
}

fn sort_by_comparing(all: &mut [Unsorted]) {
    all.sort_by(|a, b| compare(&a.series.identity, &b.series.identity));
    for at in 1..all.len() {
        let is_same = key(&all[at - 1].series.identity) == key(&all[at].series.identity);
        all[at].joins = is_same;
    }
}

/// A digit of what a series is sorted by: some bytes of a text, filled up with zeros, and last how many they are; of more than
/// fit, one more than that. 0 is behind the last text. So digits are in the order of the texts, whatever bytes these have.
fn digit(id: &Identity, (text, byte): (usize, usize)) -> u128 {
    const KINDS: &[u8] = &[0, 1, 2, 3];
    let kind = id.kind as usize;
    let text = match text {
        0 => Some(id.name.as_bytes()),
        1 => Some(&KINDS[kind..=kind]),
        at => id.tags.at(at / 2 - 1).map(|(key, value)| if at % 2 == 0 { key } else { value }.as_bytes()),
    };
    let Some(rest) = text.map(|text| &text[byte..]) else { return 0 };
    let mut digit = [0; DIGIT + 1];
    let len = rest.len().min(DIGIT);
    digit[..len].copy_from_slice(&rest[..len]);
    digit[DIGIT] = 1 + rest.len().min(DIGIT + 1) as u8;
    u128::from_be_bytes(digit)
}

/// Where the digit after that one is; none after the last text.
fn behind(digit: u128, (text, byte): (usize, usize)) -> Option<(usize, usize)> {
    match usize::from(digit as u8) {
        0 => None,
        len if len <= DIGIT + 1 => Some((text + 1, 0)),
        _ => Some((text, byte + DIGIT)),
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;
    use tracing_core::Level;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::metrics::{CellKind, Settings, Site, Table};
    use crate::model::{Kind, Number, Tags};

    fn table() -> (ManualClock, Table) {
        let hands = ManualClock::new(1_000_000);
        let settings = Settings {
            min_level: None,
            max_series: 10_000,
            max_bytes: 1 << 30,
            max_text: 1 << 13,
            expiration: Some(Duration::from_secs(10)),
            callback_timeout: Duration::from_secs(5),
        };
        let table = Table::new(Arc::new(Clock::manual(&hands)), settings, Vec::new());
        (hands, table)
    }

    /// Short ones with ends that are hard to tell apart, and long ones of which only the end differs.
    fn text() -> impl Strategy<Value = String> {
        let end = prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', 'a', 'b', '\u{ff}']), 0..4);
        (prop::sample::select(vec![0, 1, 13, 14, 15, 16, 29, 30, 31]), end)
            .prop_map(|(len, end)| "a".repeat(len) + &end.into_iter().collect::<String>())
    }

    /// What is recorded, and whether a reading comes after it, one that ends series or one that does not.
    type Step = ((usize, usize), Vec<(usize, String)>, usize, Option<bool>);

    fn step() -> impl Strategy<Value = Step> {
        let tags = prop::collection::vec((0..4_usize, text()), 0..3);
        ((0..3_usize, 0..3_usize), tags, 0..4_usize, prop::option::weighted(0.1, any::<bool>()))
    }

    proptest! {
        #[test]
        fn snapshots_are_sorted_and_levels_are_one_however_series_come_and_go(steps in prop::collection::vec(step(), 1..80)) {
            const NAMES: [&str; 3] = ["m", "m-", "m.mean_rate"];
            const KEYS: [&str; 4] = ["k", "k1", "k.2", "l"];
            const LEVELS: [Option<Level>; 4] = [None, Some(Level::ERROR), Some(Level::INFO), Some(Level::TRACE)];
            const KINDS: [CellKind; 3] = [CellKind::Counter, CellKind::UpDownCounter, CellKind::Meter];
            let (hands, table) = table();
            let mut counted: BTreeMap<(String, Kind, Tags), f64> = BTreeMap::new();
            table.observe(&Site::new(CellKind::Counter, "m", &[("k", "a")]), || Number::Int(7));
            let of_callback = ("m".to_owned(), Kind::Counter, Tags::parse("k: a").unwrap());
            counted.insert(of_callback.clone(), 7.0);
            for ((name, kind), tags, level, reading) in steps {
                let mut site = Site::new(KINDS[kind], NAMES[name], &[]).unnumbered();
                site.level = LEVELS[level];
                let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (KEYS[*key], &**value)).collect();
                table.record(&site, &tags, Number::Int(1));
                let mut all = Tags::new();
                tags.iter().for_each(|(key, value)| all.insert((*key).to_owned(), (*value).to_owned()).unwrap());
                *counted.entry((NAMES[name].into(), KINDS[kind].kind(), all)).or_default() += 1.0;
                match reading {
                    None => {}
                    Some(false) => drop(table.read()),
                    Some(true) => {
                        table.read();
                        hands.advance(Duration::from_secs(20));
                        let reading = || table.read_levels(table.ask_callbacks(), true).merged(|_| true);
                        // The last one before they are over.
                        reading();
                        // A sum that may shrink stays, unless it is 0, and so does what a callback gives.
                        counted.retain(|key, _| key.1 == Kind::UpDownCounter || *key == of_callback);
                        let left = reading().iter().filter(|metric| metric.identity.kind != Kind::Gauge).count();
                        prop_assert_eq!(left, counted.len());
                    }
                }
            }
            let read = table.read();
            prop_assert!(read.is_sorted_by(|a, b| key(&a.identity) < key(&b.identity)), "{read:?}");
            let summed = read.iter().filter(|metric| metric.identity.kind != Kind::Gauge);
            let summed = summed.map(|m| ((m.identity.name.to_string(), m.identity.kind, m.identity.tags.clone()), m.number().as_f64()));
            prop_assert_eq!(summed.collect::<BTreeMap<_, _>>(), counted);
        }
    }
}
