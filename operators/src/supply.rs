//! Memory that an operator grows into, made by somebody else.
//!
//! An operator that keeps state for each key needs more memory as keys appear. Asking the allocator for it, and
//! touching it for the first time, takes far longer than a record should have to wait. So the operator asks ahead of
//! time for a [`Block`], goes on, and finds it later; who makes it, and on which thread, is not its business.

mod stock;

pub(crate) use stock::Stock;

/// A piece of memory that can be asked for.
pub trait Block: Send + 'static {
    /// What is asked for: which part of the state, and how much.
    type Want: Copy + Send + 'static;

    /// Makes it, and writes to all of it once, so that a first use finds it there.
    fn make(want: Self::Want) -> Self;
}

/// Where one operator's blocks come from.
pub trait Supply<B: Block>: Send {
    /// Asks for a block; false if that cannot be asked now: ask again later.
    fn ask(&mut self, want: B::Want) -> bool;

    /// A block that was asked for, in the order of asking, if one is there.
    fn take(&mut self) -> Option<B>;

    /// Hands back what is not needed any more, to be freed elsewhere.
    fn give_back(&mut self, block: B);
}

/// Makes supplies, one for each part of an operator that asks for blocks.
pub trait Supplies {
    /// A new supply of blocks of one kind.
    fn supply<B: Block>(&mut self) -> Box<dyn Supply<B>>;
}

#[cfg(test)]
pub(crate) mod tests;
