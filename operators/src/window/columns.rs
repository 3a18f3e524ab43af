use std::cmp::Ordering;

use super::column::{Column, Segment};
use crate::{Block, Prepared, Supplies, supply::Stock};

/// The columns that are not in use, and where further ones come from.
pub(super) struct Columns<A> {
    /// The length of a column's base.
    base: usize,
    /// Columns to be used again, all empty.
    pub(super) spare: Vec<Column<A>>,
    stock: Stock<ColumnBlock<A>, ColumnWant>,
    /// How many columns have been asked for that are not here yet.
    columns_awaited: usize,
    /// How many segments have.
    segments_awaited: usize,
    /// Every column reaches at least as far.
    reach_min: usize,
}

/// Memory that windows grow into.
pub(super) enum ColumnBlock<A> {
    Column(Column<A>),
    Segment(Segment<A>),
}

/// Memory that windows ask for.
#[derive(Debug, Clone, Copy)]
pub(super) enum ColumnWant {
    /// A column for so many keys.
    Column { base: usize, keys: usize },
    /// So many cells, to double a column.
    Segment(usize),
}

impl<A> ColumnBlock<A> {
    fn make(want: ColumnWant) -> Self {
        match want {
            ColumnWant::Column { base, keys } => Self::Column(Column::new(base, keys)),
            ColumnWant::Segment(length) => Self::Segment(Segment::new(length)),
        }
    }
}

impl<A: Send + 'static> Block for ColumnBlock<A> {
    type Want = ColumnWant;

    fn make(want: ColumnWant) -> Self {
        Self::make(want)
    }
}

/// The columns in use.
pub(super) trait InUse<A> {
    /// How many slices are open.
    fn slices(&self) -> usize;

    /// All of them; those that are absent may be among them.
    fn columns<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Column<A>>
    where
        A: 'a;
}

/// Spare columns kept while few slices are open: tumbling windows begin one at a time.
const SPARE_MIN: usize = 2;

impl<A> Columns<A> {
    /// A few columns with such a base.
    pub(super) fn new(base: usize) -> Self {
        let mut spare = Vec::with_capacity(64);
        spare.extend((0..SPARE_MIN).map(|_| Column::new(base, base)));
        let stock = Stock::on_the_spot(ColumnBlock::make);
        Self { base, spare, stock, columns_awaited: 0, segments_awaited: 0, reach_min: base }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        A: Send + 'static,
    {
        self.stock.connect(supplies);
    }

    /// An empty column. If there is none, some are made on the spot, for so many keys: several at once, in proportion to
    /// the slices open, so that it becomes rare.
    pub(super) fn take(&mut self, open: usize, keys: usize) -> Column<A> {
        self.spare.pop().unwrap_or_else(|| {
            (0..open / 2).for_each(|_| self.add(Column::new(self.base, keys)));
            let column = Column::new(self.base, keys);
            self.reach_min = self.reach_min.min(column.reach());
            column
        })
    }

    /// Takes back a column that is not needed any more and is empty; or that is absent.
    pub(super) fn put_back_empty(&mut self, column: Column<A>) {
        if !column.is_absent() {
            self.spare.push(column);
        }
    }

    /// Takes back a column that is not needed any more.
    pub(super) fn put_back(&mut self, mut column: Column<A>) {
        column.clear();
        self.spare.push(column);
    }

    /// Asks for what is missing, and puts what has come to use: all columns should have cells for `reach` keys.
    ///
    /// It is [`Waiting`](Prepared::Waiting) if there is no spare column or a column does not reach as far as `needed`.
    pub(super) fn prepare(&mut self, needed: usize, reach: usize, mut in_use: impl InUse<A>) -> Prepared {
        loop {
            self.take_in(&mut in_use);
            let lacking = self.lacking(reach, &mut in_use);
            let short = lacking.saturating_sub(self.segments_awaited);
            let segments =
                (0..short).take_while(|_| self.stock.ask(ColumnWant::Segment(self.reach_min))).count();
            self.segments_awaited += segments;

            let spare = self.spare.len() + self.columns_awaited;
            let scarce = (SPARE_MIN + in_use.slices() / 4).saturating_sub(spare);
            let column = ColumnWant::Column { base: self.base, keys: reach };
            let columns = (0..scarce).take_while(|_| self.stock.ask(column)).count();
            self.columns_awaited += columns;
            if segments + columns == 0 {
                break;
            }
        }
        if self.spare.is_empty() || self.reach_min < needed { Prepared::Waiting } else { Prepared::Ready }
    }

    /// How many columns do not reach so far: those that reach as far as the shortest, and could be doubled.
    fn lacking(&mut self, reach: usize, in_use: &mut impl InUse<A>) -> usize {
        if self.reach_min >= reach {
            return 0;
        }
        let columns = in_use.columns().filter(|column| !column.is_absent());
        let reaches = columns.chain(&mut self.spare).map(|column| column.reach());
        let (shortest, lacking) =
            reaches.fold((reach, 0), |(shortest, lacking), reach| match reach.cmp(&shortest) {
                Ordering::Less => (reach, 1),
                Ordering::Equal => (shortest, lacking + 1),
                Ordering::Greater => (shortest, lacking),
            });
        self.reach_min = shortest;
        if shortest < reach { lacking } else { 0 }
    }

    fn take_in(&mut self, in_use: &mut impl InUse<A>) {
        while let Some(block) = self.stock.take() {
            match block {
                ColumnBlock::Column(column) => {
                    self.columns_awaited -= 1;
                    self.add(column);
                }
                ColumnBlock::Segment(segment) => {
                    self.segments_awaited -= 1;
                    let mut columns = in_use.columns().chain(&mut self.spare);
                    match columns.find(|column| column.can_add(&segment)) {
                        Some(column) => column.add(segment),
                        None => self.stock.give_back(ColumnBlock::Segment(segment)),
                    }
                }
            }
        }
    }

    fn add(&mut self, column: Column<A>) {
        self.reach_min = self.reach_min.min(column.reach());
        self.spare.push(column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supply::tests::Late;

    struct NotAny;

    impl InUse<u64> for NotAny {
        fn slices(&self) -> usize {
            0
        }

        fn columns<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Column<u64>>
        where
            u64: 'a,
        {
            std::iter::empty()
        }
    }

    #[test]
    fn a_column_that_was_asked_for_when_there_were_fewer_keys_is_lengthened() {
        for seed in 0..50 {
            let mut columns = Columns::<u64>::new(16);
            columns.connect(&mut Late::new(seed));
            columns.spare.clear();
            let mut prepare = |keys| columns.prepare(keys, keys, NotAny);
            _ = prepare(16);
            while prepare(64) == Prepared::Waiting {}
            assert!(columns.spare.iter().all(|column| column.reach() >= 64), "seed {seed}");
        }
    }
}
