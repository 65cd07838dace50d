//! What VictoriaMetrics has of what it was sent over OpenTSDB's wires, once it has all.

use std::collections::BTreeMap;

use crate::servers::{VictoriaMetrics, is_kept_as, until};

/// By name and tags, the times in milliseconds with their values.
pub(crate) type Series = BTreeMap<(String, BTreeMap<String, String>), Vec<(u64, f64)>>;

/// Over telnet and over HTTP.
pub(crate) const WIRES: [&str; 2] = ["opentsdb", "opentsdbhttp"];

/// All series, as soon as so many points have come, of which none was not understood.
#[track_caller]
pub(crate) fn read_back(server: &VictoriaMetrics, points: u64) -> Series {
    until("all points", || {
        let counts = WIRES.map(|wire| server.taken_and_refused(wire));
        let (taken, refused) = (counts[0].0 + counts[1].0, counts[0].1 + counts[1].1);
        assert_eq!(refused, 0, "lines that it does not understand");
        if taken >= points { Ok(()) } else { Err(format!("{taken} of {points}")) }
    });
    let all = server.series(".*").into_iter().map(|series| ((series.name, series.tags), series.points));
    sorted(all.collect())
}

/// Points of one series and one time have no order.
pub(crate) fn sorted(mut series: Series) -> Series {
    for points in series.values_mut() {
        points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    }
    series
}

/// Whether what is there is what was wanted.
#[track_caller]
pub(crate) fn assert_same(got: &Series, wanted: &Series) {
    let names = |of: &Series| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(wanted));
    for (labels, points) in wanted {
        let found = &got[labels];
        let is_it = |((time, value), (wanted_time, wanted)): (&(u64, f64), &(u64, f64))| {
            time == wanted_time && is_kept_as(*wanted, *value)
        };
        let is_equal = found.len() == points.len() && found.iter().zip(points).all(is_it);
        assert!(is_equal, "{labels:?}: {found:?}, not {points:?}");
    }
}
