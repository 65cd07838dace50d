//! `VictoriaMetrics`, which takes writes of `InfluxDB` 2.x. It makes a metric of each field, and keeps doubles in milliseconds.

use std::collections::BTreeMap;

use super::expected::{Field, Line, expected};
use super::is_counted;
use crate::scenarios;
use crate::servers::{Series, VictoriaMetrics};

/// Values by name and tags, in the order of their times.
type All = BTreeMap<(String, BTreeMap<String, String>), Vec<(u64, f64)>>;

fn sorted(mut all: All) -> All {
    all.values_mut().for_each(|points| points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))));
    all
}

/// What it has to make of lines.
fn made_of(lines: Vec<Line>) -> All {
    let mut all = All::new();
    for line in lines {
        for (key, field) in line.fields {
            let value = match field {
                Field::Float(x) => x,
                Field::Int(n) => n as f64,
                Field::Text(text) => panic!("{text}"),
            };
            let series = (format!("{}_{key}", line.name), line.tags.clone());
            all.entry(series).or_default().push((line.time / 1_000_000, value));
        }
    }
    sorted(all)
}

fn read(series: Vec<Series>) -> All {
    sorted(series.into_iter().map(|of| ((of.name, of.tags), of.points)).collect())
}

/// Of a fraction with many digits it keeps 13 of them, and nothing of what is nearly 0.
fn is_kept_as(number: f64, kept: f64) -> bool {
    (number - kept).abs() <= 1e-12 * number.abs() || (number.abs() < 1e-300 && kept == 0.0)
}

#[test]
fn what_is_recorded_is_read_back_from_victoriametrics() {
    let Some(server) = VictoriaMetrics::start() else { return };
    let options = "org=o&bucket=shop&token=t&compression=gzip";
    let exported = scenarios::export(&format!("influxdb://127.0.0.1:{}?{options}", server.ports.http));
    let (said, unsaid) = exported.sorted();
    is_counted(&exported, said.len(), unsaid.len());
    let wanted = made_of(expected(&said, false));
    let found = read(server.series_until(|all| all.len() >= wanted.len()));
    for (series, points) in &wanted {
        let own = found.get(series).unwrap_or_else(|| panic!("{series:?} is not there"));
        let is_same = |(a, b): (&(u64, f64), &(u64, f64))| a.0 == b.0 && is_kept_as(a.1, b.1);
        assert!(
            own.len() == points.len() && points.iter().zip(own).all(is_same),
            "{series:?}: {points:?} became {own:?}"
        );
    }
    let new: Vec<_> = found.keys().filter(|series| !wanted.contains_key(series)).collect();
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(server.taken_and_refused("influx").1, 0);
}
