use crate::{Block, Prepared, Supplies, state::touched, supply::Stock};

/// Memory in chunks of `LENGTH` values: more can be had without moving what is in it.
///
/// It grows ahead of need if [`prepare`](Self::prepare) is called and heeded, else somebody may have to wait for the
/// allocator.
#[derive(Debug)]
pub(crate) struct Chunks<T, const LENGTH: usize> {
    list: Vec<Vec<T>>,
    stock: Stock<ChunkBlock<T, LENGTH>, ChunkWant>,
    /// How many chunks are asked for at a time.
    bundle: usize,
    /// How many chunks have been asked for that are not here yet.
    awaited: usize,
    /// Whether a longer list has been asked for that is not here yet.
    list_awaited: bool,
}

/// Memory that chunks grow into.
pub(crate) enum ChunkBlock<T, const LENGTH: usize> {
    /// Further chunks.
    Chunks(Vec<Vec<T>>),
    /// A longer list of chunks, empty.
    List(Vec<Vec<T>>),
}

/// Memory that chunks ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChunkWant {
    Chunks(usize),
    List(usize),
}

impl<T, const LENGTH: usize> ChunkBlock<T, LENGTH> {
    fn make(want: ChunkWant) -> Self {
        match want {
            ChunkWant::Chunks(count) => Self::Chunks((0..count).map(|_| touched(LENGTH)).collect()),
            ChunkWant::List(length) => Self::List(touched(length)),
        }
    }
}

impl<T: Send + 'static, const LENGTH: usize> Block for ChunkBlock<T, LENGTH> {
    type Want = ChunkWant;

    fn make(want: ChunkWant) -> Self {
        Self::make(want)
    }
}

/// Chunks that there is room for in the list at first.
const INITIAL_CHUNKS: usize = 64;

impl<T, const LENGTH: usize> Chunks<T, LENGTH> {
    /// One chunk, empty.
    pub(crate) fn new() -> Self {
        Self::in_bundles(1)
    }

    /// One chunk, empty. Further ones come so many at a time: short chunks would else be asked for one by one, and each
    /// answer takes a while.
    pub(crate) fn in_bundles(bundle: usize) -> Self {
        assert!((1..=INITIAL_CHUNKS).contains(&bundle), "a list twice as long has room for a bundle");
        let mut list = Vec::with_capacity(INITIAL_CHUNKS);
        list.push(touched(LENGTH));
        let stock = Stock::on_the_spot(ChunkBlock::make);
        Self { list, stock, bundle, awaited: 0, list_awaited: false }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.stock.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), where `needed` chunks should be here, and as many as `soon`
    /// on their way.
    pub(crate) fn prepare(&mut self, needed: usize, soon: usize) -> Prepared {
        self.take_in();
        while self.list.len() + self.awaited < soon && self.ask_for_chunks() {
            self.take_in();
        }
        if self.list.len() < needed { Prepared::Waiting } else { Prepared::Ready }
    }

    /// A further chunk, made on the spot if none has come, which is a stall: only where nobody prepared for it.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow(&mut self) {
        let before = self.list.len();
        self.take_in();
        if self.list.len() == before {
            self.list.push(touched(LENGTH));
        }
    }

    /// The number of chunks.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// A chunk: never to be filled beyond its length.
    #[inline]
    pub(crate) fn chunk(&mut self, chunk: usize) -> &mut Vec<T> {
        &mut self.list[chunk]
    }

    /// A chunk, if there are so many.
    #[inline]
    pub(crate) fn get_mut(&mut self, chunk: usize) -> Option<&mut Vec<T>> {
        self.list.get_mut(chunk)
    }

    /// What is in a chunk.
    #[inline]
    pub(crate) fn values(&self, chunk: usize) -> &[T] {
        &self.list[chunk]
    }

    /// What has been put into the chunks, counted through as if all were full.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &T {
        &self.list[index / LENGTH][index % LENGTH]
    }

    /// As [`at`](Self::at).
    #[inline]
    pub(crate) fn at_mut(&mut self, index: usize) -> &mut T {
        &mut self.list[index / LENGTH][index % LENGTH]
    }

    /// What has been put into the chunks.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter().flatten()
    }

    /// The memory there is for the list of chunks.
    #[cfg(test)]
    pub(crate) fn list_capacity(&self) -> usize {
        self.list.capacity()
    }

    /// Asks for chunks, or for what it takes to have more; false if that cannot be asked now.
    fn ask_for_chunks(&mut self) -> bool {
        if self.list.len() + self.awaited + self.bundle > self.list.capacity() {
            let asked = !self.list_awaited && self.stock.ask(ChunkWant::List(self.list.capacity() * 2));
            self.list_awaited |= asked;
            return asked;
        }
        let asked = self.stock.ask(ChunkWant::Chunks(self.bundle));
        if asked {
            self.awaited += self.bundle;
        }
        asked
    }

    fn take_in(&mut self) {
        while let Some(block) = self.stock.take() {
            match block {
                ChunkBlock::Chunks(mut chunks) => {
                    self.awaited -= chunks.len();
                    self.list.append(&mut chunks);
                    self.stock.give_back(ChunkBlock::Chunks(chunks));
                }
                ChunkBlock::List(mut longer) => {
                    self.list_awaited = false;
                    longer.append(&mut self.list);
                    let shorter = std::mem::replace(&mut self.list, longer);
                    self.stock.give_back(ChunkBlock::List(shorter));
                }
            }
        }
    }
}
