use std::{sync::Arc, time::Duration};

use crate::{Span, Timestamp, Watermark, whole_periods};

/// The watermarks that can make a difference downstream: those at which a window closes.
///
/// A watermark that crosses none of these changes nothing, so a source need not pass it on; one that does
/// cross must be passed on at that very record, whatever the size of a batch. That is what makes results
/// independent of batching.
#[derive(Debug, Clone, Default)]
pub struct Cadence {
    grids: Vec<Grid>,
    /// Instants in order, each list with how much later they are.
    lists: Vec<(Arc<[Timestamp]>, Span)>,
}

/// The instants `phase + k · period`, for every integer `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    period: Span,
    phase: i64,
}

impl Grid {
    /// The instants `phase + k · period`.
    ///
    /// # Panics
    /// If the period is zero: a grid without distance is a bug of the caller.
    pub fn new(period: Span, phase: i64) -> Self {
        assert!(period > Span::ZERO, "a grid needs a period");
        Self { period, phase: phase.rem_euclid(period.as_nanos()) }
    }

    /// As many instants, each so much later.
    #[must_use]
    pub fn later(self, by: Span) -> Self {
        let phase = i128::from(self.phase) + i128::from(by.as_nanos());
        let phase = phase.rem_euclid(self.period.as_nanos().into());
        Self { phase: i64::try_from(phase).expect("less than the period"), ..self }
    }

    /// The first instant of the grid after `time`, if event time reaches that far.
    fn after(self, time: Timestamp) -> Option<Timestamp> {
        let (period, phase) = (self.period.as_nanos(), i128::from(self.phase));
        let step = whole_periods(i128::from(time.as_nanos()) - phase, period) + 1;
        i64::try_from(phase + step * i128::from(period)).ok().map(Timestamp::from_nanos)
    }
}

impl Cadence {
    /// Adds the instants of `grid` to those that matter.
    pub fn add(&mut self, grid: Grid) {
        if !self.grids.contains(&grid) {
            self.grids.push(grid);
        }
    }

    /// Adds instants that follow each other in no particular way, each so much later.
    ///
    /// # Panics
    /// If they are not in order: a bug of the caller.
    pub fn add_instants(&mut self, instants: &Arc<[Timestamp]>, later: Span) {
        assert!(instants.is_sorted(), "instants come one after the other");
        self.lists.push((Arc::clone(instants), later));
    }

    /// The least watermark above `watermark` that matters; [`Watermark::END`] if only the end does.
    pub fn next_after(&self, watermark: Watermark) -> Watermark {
        let mut least = Timestamp::MAX;
        for grid in &self.grids {
            least = grid.after(watermark.time()).map_or(least, |time| time.min(least));
        }
        for (instants, later) in &self.lists {
            let later = Duration::from_nanos(later.as_nanos().unsigned_abs());
            let next = instants.partition_point(|instant| *instant + later <= watermark.time());
            least = instants.get(next).map_or(least, |instant| (*instant + later).min(least));
        }
        if least == Timestamp::MAX { Watermark::END } else { Watermark::at(least) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(period: u64, phase: i64) -> Grid {
        Grid::new(Duration::from_nanos(period).try_into().unwrap(), phase)
    }

    fn next(cadence: &Cadence, nanos: i64) -> i64 {
        cadence.next_after(Watermark::at(Timestamp::from_nanos(nanos))).time().as_nanos()
    }

    #[test]
    fn the_next_edge_is_the_nearest_of_all_grids() {
        let mut cadence = Cadence::default();
        assert_eq!(cadence.next_after(Watermark::MIN), Watermark::END);
        cadence.add(grid(10, 3));
        cadence.add(grid(7, 0));
        for (from, to) in [(0, 3), (3, 7), (6, 7), (7, 13), (13, 14), (-8, -7), (-7, 0)] {
            assert_eq!(next(&cadence, from), to, "after {from}");
        }
    }

    #[test]
    fn instants_can_be_listed_as_well() {
        let mut cadence = Cadence::default();
        let instants: Arc<[_]> = [-5, 3, 8].map(Timestamp::from_nanos).into();
        cadence.add_instants(&instants, Span::ZERO);
        for (from, to) in [(-9, -5), (-5, 3), (2, 3), (7, 8)] {
            assert_eq!(next(&cadence, from), to, "after {from}");
        }
        assert_eq!(cadence.next_after(Watermark::at(Timestamp::from_nanos(8))), Watermark::END);
        cadence.add_instants(&instants, Duration::from_nanos(2).try_into().unwrap());
        cadence.add(grid(20, 4));
        for (from, to) in [(-9, -5), (-5, -3), (-3, 3), (3, 4), (5, 8), (8, 10), (10, 24)] {
            assert_eq!(next(&cadence, from), to, "after {from}");
        }
    }

    #[test]
    fn a_grid_can_be_moved() {
        let mut cadence = Cadence::default();
        cadence.add(grid(10, 3).later(Duration::from_nanos(29).try_into().unwrap()));
        for (from, to) in [(0, 2), (2, 12), (-9, -8)] {
            assert_eq!(next(&cadence, from), to, "after {from}");
        }
        let longest = Span::at_most(Duration::MAX);
        assert_eq!(grid(10, 3).later(longest), Grid::new(Duration::from_nanos(10).try_into().unwrap(), 0));
    }

    #[test]
    fn the_extremes_of_time_have_a_next_edge_too() {
        let mut cadence = Cadence::default();
        cadence.add(grid(u64::try_from(i64::MAX).unwrap(), 0));
        assert_eq!(next(&cadence, i64::MIN), -i64::MAX);
        assert_eq!(next(&cadence, i64::MAX - 1), i64::MAX);
    }
}
