//! All data points shown where they are read, one after the other, to somebody who keeps none: so no snapshot is made.
//!
//! They come in the order of snapshots. Only where several become one (of series that differ in level, and of callbacks that
//! give values to a metric that is recorded too) those of that metric are put together before.

use std::sync::Arc;

use super::Table;
use super::collect::Walk;
use super::merge::Levels;
use super::order::Place;
use super::sorted::compare_metrics;
use crate::clock::Tick;
use crate::metrics::series::{Fresh, Merge, Moment, Points, Sink};
use crate::metrics::{PointRef, Visit, visit_all};
use crate::model::{Identity, Metric, Resource, Temporality};
use crate::sync::lock;

impl Table {
    /// Shows all data points now, cumulative, until it is enough. Series that differ only in level are one. Callbacks are asked once.
    pub(crate) fn visit(&self, resource: &Arc<Resource>, visit: &mut dyn Visit) {
        let (observations, mut callbacks) = (self.ask_callbacks(), Points::default());
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        self.read_callbacks(observations, anchors.unix_nanos(now), &mut callbacks);
        loop {
            self.show(resource, callbacks.others.clone(), visit);
            if visit.end() {
                break;
            }
        }
    }

    /// Shows them once, with what callbacks said.
    fn show(&self, resource: &Arc<Resource>, others: Vec<(Metric, Merge)>, visit: &mut dyn Visit) {
        let mut readings = lock(&self.readings);
        let (now, anchors) = (self.clock.now(), self.clock.anchors());
        let paged = self.begin_reading(&mut readings);
        let mut paged = paged.in_order(readings.order.places());
        let moment = Moment::new(now, &anchors, readings.last, None);
        let mut walk = Walk { paged: &mut paged, moment: &moment, begun: Vec::new(), widens: false };
        let (places, metrics) = readings.order.by_metric();
        visit.begin(resource, places.len() + others.len());
        let mut direct = Direct { visit, others, is_sorted: false };
        for of_metric in metrics {
            let Place { series: first, history, .. } = &places[of_metric.places.start];
            let (first, is_mixed) = (Arc::clone(first), of_metric.is_mixed || history.has_units());
            direct.show_others(|other| compare_metrics(other, &first.identity).is_lt());
            let own = direct.take_others(|other| compare_metrics(other, &first.identity).is_le());
            if is_mixed || !own.is_empty() {
                let mut points = Points::default();
                self.walk(&mut walk, places, of_metric.places.clone(), &mut points, |_, _, _| {});
                direct.others.append(&mut points.others);
                direct.is_sorted = false;
                points.others = own;
                direct.show_merged(points);
            } else {
                direct.visit.metric();
                self.walk(&mut walk, places, of_metric.places.clone(), &mut direct, |_, _, _| {});
            }
        }
        direct.show_others(|_| true);
        self.count_begun(&walk.begun);
        self.end_reading(readings, &moment);
    }
}

/// Shows data points.
struct Direct<'a> {
    visit: &'a mut dyn Visit,
    /// Those that have names of their own, and whose turn has not come.
    others: Vec<(Metric, Merge)>,
    is_sorted: bool,
}

impl Direct<'_> {
    /// Those of the others that come first.
    fn take_others(&mut self, is_next: impl Fn(&Identity) -> bool) -> Vec<(Metric, Merge)> {
        if !std::mem::replace(&mut self.is_sorted, true) {
            self.others.sort_by(|(a, _), (b, _)| compare_metrics(&a.identity, &b.identity));
        }
        let many = self.others.partition_point(|(metric, _)| is_next(&metric.identity));
        self.others.drain(..many).collect()
    }

    fn show_others(&mut self, is_next: impl Fn(&Identity) -> bool) {
        let others = self.take_others(is_next);
        if !others.is_empty() {
            let mut points = Points::default();
            points.others = others;
            self.show_merged(points);
        }
    }

    fn show_merged(&mut self, points: Points) {
        let (metrics, _) = Levels::new(points, 0, Tick::default()).into_merged();
        visit_all(&metrics, self.visit);
    }
}

impl Sink for Direct<'_> {
    fn begin(&mut self, _joins: bool) {}

    #[inline]
    fn put(&mut self, identity: &Arc<Identity>, point: Fresh) {
        self.visit.visit(&PointRef {
            identity,
            start_time_unix_nano: point.start,
            temporality: Temporality::Cumulative,
            value: &point.value,
        });
    }

    fn put_other(&mut self, metric: Metric, merge: Merge) {
        self.others.push((metric, merge));
        self.is_sorted = false;
    }
}
