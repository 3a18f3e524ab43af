use std::hash::Hash;

use crate::{
    Block, Fault, KeyLimits, Prepared, Supplies,
    state::{KeyTable, MIGRATE_PER_PREPARE, empty_index, touched},
    supply::Stock,
};

/// The tables of slices that are not in use, and where further ones come from.
///
/// All tables of an operator are to be of one shape, which follows the longest: so a slice that begins has room for as
/// many keys as those before it had, and nothing grows once that is known.
pub(super) struct Tables<K, A> {
    limits: KeyLimits,
    shape: Shape,
    /// Whether every table has that shape, with no keys left to migrate.
    is_settled: bool,
    /// The most keys that a table has had.
    longest: usize,
    /// How many spare tables are kept besides one for each four slices open.
    spare_min: usize,
    /// Tables to be used again, all empty.
    spare: Vec<KeyTable<K, A>>,
    stock: Stock<TableBlock<K, A>, TableWant>,
    awaited: Awaited,
}

/// How large a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// The entries of its base.
    base: usize,
    /// The entries there is memory for: the base, doubled some times.
    entries: usize,
    /// The length of its index.
    index: usize,
}

/// What has been asked for and is not here yet.
#[derive(Debug, Default)]
struct Awaited {
    tables: usize,
    indexes: usize,
    segments: usize,
}

/// Memory that windows grow into.
pub(super) enum TableBlock<K, A> {
    Table(KeyTable<K, A>),
    /// An empty index.
    Index(Vec<u32>),
    /// A further segment of entries.
    Segment(Vec<(K, A)>),
}

/// Memory that windows ask for.
#[derive(Debug, Clone, Copy)]
pub(super) enum TableWant {
    Table(Shape),
    Index(usize),
    Segment(usize),
}

impl<K: Hash + Eq + 'static, A> TableBlock<K, A> {
    fn make(want: TableWant) -> Self {
        match want {
            TableWant::Table(shape) => Self::Table(shape.table()),
            TableWant::Index(length) => Self::Index(empty_index(length)),
            TableWant::Segment(length) => Self::Segment(touched(length)),
        }
    }
}

impl<K: Hash + Eq + Send + 'static, A: Send + 'static> Block for TableBlock<K, A> {
    type Want = TableWant;

    fn make(want: TableWant) -> Self {
        Self::make(want)
    }
}

impl Shape {
    fn of(limits: KeyLimits) -> Self {
        let base = limits.base_length();
        Self { base, entries: base, index: base * 2 }
    }

    fn table<K: Hash + Eq + 'static, A>(self) -> KeyTable<K, A> {
        let mut table = KeyTable::new(self.base, self.index);
        while table.capacity() < self.entries {
            table.add_segment(touched(table.capacity()));
        }
        table
    }

    /// The shape for tables in which `keys` may soon be joined by so many more.
    fn stretched(self, limits: KeyLimits, keys: usize, more: usize) -> Self {
        let Self { base, mut entries, mut index } = self;
        while limits.is_low(entries, keys, more) {
            entries *= 2;
        }
        while limits.is_low(index / 4 * 3, keys, more) {
            index *= 2;
        }
        Self { base, entries, index }
    }
}

/// The tables in use.
pub(super) trait InUse<K, A> {
    /// How many slices are open.
    fn slices(&self) -> usize;

    /// How many may begin at once, without a record of their own.
    fn coming(&self) -> usize {
        0
    }

    /// All of them; those that are absent may be among them.
    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, A>>
    where
        K: 'a,
        A: 'a;
}

impl<K: Hash + Eq + 'static, A> Tables<K, A> {
    /// So many tables for so many keys.
    pub(super) fn new(limits: KeyLimits, spare_min: usize) -> Self {
        let limits = limits.numbered();
        let shape = Shape::of(limits);
        let mut spare = Vec::with_capacity(64);
        spare.extend((0..spare_min).map(|_| shape.table()));
        let stock = Stock::on_the_spot(TableBlock::make);
        let awaited = Awaited::default();
        Self { limits, shape, is_settled: true, longest: 0, spare_min, spare, stock, awaited }
    }

    #[cfg(test)]
    pub(super) fn spare(&self) -> &[KeyTable<K, A>] {
        &self.spare
    }

    /// The most keys that a table has had, of those that were taken note of.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn limits(&self) -> KeyLimits {
        self.limits
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        K: Send,
        A: Send + 'static,
    {
        self.stock.connect(supplies);
    }

    /// An empty table. If there is none, some are made on the spot: several at once, in proportion to the slices open, so
    /// that it becomes rare.
    pub(super) fn take(&mut self, open: usize) -> KeyTable<K, A> {
        self.spare.pop().unwrap_or_else(|| {
            self.spare.extend((0..open / 2).map(|_| self.shape.table()));
            self.shape.table()
        })
    }

    /// Takes back a table that is not needed any more, and has been emptied; or that is absent.
    pub(super) fn put_back(&mut self, table: KeyTable<K, A>) {
        if !table.is_absent() {
            let Shape { entries, index, .. } = self.shape;
            self.is_settled &= table.capacity() >= entries && table.index_length() >= index;
            self.spare.push(table);
        }
    }

    /// Puts a new key, whose hash comes with it, into a table. False if that would be one more than allowed.
    pub(super) fn begin(
        &mut self,
        table: &mut KeyTable<K, A>,
        (key, hash): (K, u64),
        acc: A,
        fault: &mut Option<Fault>,
    ) -> bool {
        if table.len() >= self.limits.most {
            *fault = Some(Fault::TooManyKeys { most: self.limits.most });
            return false;
        }
        if !table.has_room() {
            let unused = table.make_room();
            unused.into_iter().for_each(|index| self.stock.give_back(TableBlock::Index(index)));
        }
        if let (_, Some(old)) = table.insert(key, hash, acc) {
            self.stock.give_back(TableBlock::Index(old));
        }
        true
    }

    /// Takes note of how many keys a table has come to have.
    pub(super) fn note(&mut self, keys: usize) {
        self.longest = self.longest.max(keys);
    }

    /// Asks for what is missing before a table may get so many more keys, and puts what has come to use.
    ///
    /// It is [`Waiting`](Prepared::Waiting) if there is no spare table with room for as many as any has had, or one in use has
    /// no room for so many more.
    ///
    /// # Cost
    /// A few comparisons; while tables grow, a look at each, and up to 128 keys that migrate.
    pub(super) fn prepare(&mut self, records: usize, mut in_use: impl InUse<K, A>) -> Prepared {
        let new_keys = records.min(self.limits.most - self.longest.min(self.limits.most));
        let shape = self.shape.stretched(self.limits, self.longest, new_keys);
        if shape != self.shape {
            self.shape = shape;
            self.is_settled = false;
        }
        let scarce = self.spare_min + in_use.slices() / 4 + in_use.coming();
        if self.is_settled && self.spare.len() >= scarce {
            return Prepared::Ready;
        }
        if let Some(table) = in_use.tables().find(|table| table.is_migrating()) {
            let old = table.migrate(MIGRATE_PER_PREPARE);
            old.into_iter().for_each(|old| self.stock.give_back(TableBlock::Index(old)));
        }
        while self.take_in(&mut in_use) || self.ask_for_missing(scarce, &mut in_use) {}
        let tables = in_use.tables().filter(|table| !table.is_absent());
        let headroom = tables.map(|table| table.headroom()).min().unwrap_or(usize::MAX);
        // The next to be taken may come to have as many keys as any before.
        let suffices =
            |table: &KeyTable<K, A>| table.headroom() >= self.longest.min(self.limits.most) + new_keys;
        let is_ready = headroom >= new_keys && self.spare.last().is_some_and(suffices);
        if is_ready { Prepared::Ready } else { Prepared::Waiting }
    }

    /// Asks for tables, up to so many spare ones, and for what those there are lack of their shape. Whether there was
    /// anything to be asked for that could be.
    fn ask_for_missing(&mut self, spare: usize, in_use: &mut impl InUse<K, A>) -> bool {
        let Shape { entries, index, .. } = self.shape;
        let (mut short_indexes, mut short_entries, mut shortest, mut migrating) = (0, 0, entries, false);
        for table in in_use.tables().chain(&mut self.spare).filter(|table| !table.is_absent()) {
            short_indexes += usize::from(table.index_length() < index);
            short_entries += usize::from(table.capacity() < entries);
            shortest = shortest.min(table.capacity());
            migrating |= table.is_migrating();
        }
        self.is_settled = short_indexes + short_entries == 0 && !migrating;
        let Awaited { tables, indexes, segments } = &mut self.awaited;
        let mut ask = |want, missing: usize, awaited: &mut usize| {
            let asked = (*awaited..missing).take_while(|_| self.stock.ask(want)).count();
            *awaited += asked;
            asked > 0
        };
        let asked_indexes = ask(TableWant::Index(index), short_indexes, indexes);
        let asked_segments = ask(TableWant::Segment(shortest), short_entries, segments);
        let missing = spare.saturating_sub(self.spare.len());
        asked_indexes | asked_segments | ask(TableWant::Table(self.shape), missing, tables)
    }

    /// Puts what has come to use; whether anything has.
    fn take_in(&mut self, in_use: &mut impl InUse<K, A>) -> bool {
        let Some(block) = self.stock.take() else { return false };
        let mut tables = in_use.tables().chain(&mut self.spare).filter(|table| !table.is_absent());
        let unused = match block {
            TableBlock::Table(table) => {
                self.awaited.tables -= 1;
                drop(tables);
                // It may have been made for a shape that has changed since.
                self.is_settled = false;
                self.spare.push(table);
                None
            }
            TableBlock::Index(index) => {
                self.awaited.indexes -= 1;
                match tables.find(|table| table.index_length() < index.len()) {
                    Some(table) => table.take_index(index),
                    None => Some(index),
                }
                .map(TableBlock::Index)
            }
            TableBlock::Segment(segment) => {
                self.awaited.segments -= 1;
                match tables.find(|table| table.capacity() == segment.capacity()) {
                    Some(table) => {
                        table.add_segment(segment);
                        None
                    }
                    None => Some(TableBlock::Segment(segment)),
                }
            }
        };
        unused.into_iter().for_each(|block| self.stock.give_back(block));
        true
    }
}

#[cfg(test)]
mod tests;
