//! Points made by hand, of which any number may come at once: they go in as they were collected, and batches' worth come out
//! that lanes can take or lose one by one. Nothing is left out, and their order stays.

use crate::model::Metric;

/// One batch takes so many bytes, as far as its points are smaller.
const MOST: usize = 512 << 10;

/// In pieces of at most half as many bytes as the smallest lane takes.
pub(super) fn pieces(points: Vec<Metric>, lane: usize) -> Vec<Vec<Metric>> {
    let most = (lane / 2).min(MOST);
    if points.iter().map(Metric::bytes).sum::<usize>() <= most {
        return if points.is_empty() { Vec::new() } else { vec![points] };
    }
    let (mut pieces, mut bytes) = (Vec::<Vec<Metric>>::new(), 0);
    for point in points {
        let own = point.bytes();
        if let Some(last) = pieces.last_mut().filter(|_| bytes + own <= most) {
            last.push(point);
        } else {
            pieces.push(vec![point]);
            bytes = 0;
        }
        bytes += own;
    }
    pieces
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn points(n: u64) -> Vec<Metric> {
        (0..n).map(|n| Metric::new(Kind::Gauge, "point", n, n)).collect()
    }

    fn sizes(pieces: &[Vec<Metric>]) -> Vec<usize> {
        pieces.iter().map(Vec::len).collect()
    }

    #[test]
    fn each_piece_fits_into_half_a_lane_and_order_stays() {
        let one = points(1)[0].bytes();
        let all = pieces(points(10), one * 6);
        assert_eq!(sizes(&all), [3, 3, 3, 1]);
        assert_eq!(all.concat(), points(10));
        assert_eq!(sizes(&pieces(points(10), one * 20)), [10]);
        assert_eq!(sizes(&pieces(points(10), one * 19)), [9, 1]);
    }

    #[test]
    fn one_that_is_too_large_alone_goes_alone() {
        assert_eq!(sizes(&pieces(points(3), 0)), [1, 1, 1]);
        assert!(pieces(Vec::new(), 0).is_empty());
    }

    #[test]
    fn a_batch_has_its_bound_also_where_lanes_are_large() {
        let one = points(1)[0].bytes();
        let all = pieces(points(10_000), usize::MAX);
        assert!(all.len() > 1 && all.iter().all(|piece| piece.len() * one <= MOST), "{:?}", sizes(&all));
    }
}
