use crate::{Block, Prepared, Supplies, state::touched, supply::Stock};

/// Memory in chunks of `LENGTH` values: more can be had without moving what is in it.
///
/// It grows ahead of need if [`prepare`](Self::prepare) is called and heeded, else somebody may have to wait for the
/// allocator.
#[derive(Debug)]
pub(crate) struct Chunks<T, const LENGTH: usize> {
    list: Vec<Vec<T>>,
    stock: Stock<ChunkBlock<T, LENGTH>, ChunkWant>,
    /// How many chunks have been asked for that are not here yet.
    awaited: usize,
    /// Whether a longer list has been asked for that is not here yet.
    list_awaited: bool,
}

/// Memory that chunks grow into.
pub(crate) enum ChunkBlock<T, const LENGTH: usize> {
    /// A further chunk.
    Chunk(Vec<T>),
    /// A longer list of chunks, empty.
    List(Vec<Vec<T>>),
}

/// Memory that chunks ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChunkWant {
    Chunk,
    List(usize),
}

impl<T, const LENGTH: usize> ChunkBlock<T, LENGTH> {
    fn make(want: ChunkWant) -> Self {
        match want {
            ChunkWant::Chunk => Self::Chunk(touched(LENGTH)),
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
        let mut list = Vec::with_capacity(INITIAL_CHUNKS);
        list.push(touched(LENGTH));
        Self { list, stock: Stock::on_the_spot(ChunkBlock::make), awaited: 0, list_awaited: false }
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
        while self.list.len() + self.awaited < soon && self.ask_for_chunk() {
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

    /// Asks for a chunk, or for what it takes to have one more; false if that cannot be asked now.
    fn ask_for_chunk(&mut self) -> bool {
        if self.list.len() + self.awaited == self.list.capacity() {
            let asked = !self.list_awaited && self.stock.ask(ChunkWant::List(self.list.capacity() * 2));
            self.list_awaited |= asked;
            return asked;
        }
        let asked = self.stock.ask(ChunkWant::Chunk);
        self.awaited += usize::from(asked);
        asked
    }

    fn take_in(&mut self) {
        while let Some(block) = self.stock.take() {
            match block {
                ChunkBlock::Chunk(chunk) => {
                    self.awaited -= 1;
                    self.list.push(chunk);
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
