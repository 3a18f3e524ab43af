use std::fmt;

use super::{Block, Supplies, Supply};

/// Where one part of an operator gets its blocks: from the [`Supply`] it is connected to, made on the spot until then.
///
/// Blocks and wants stand here as plain parameters, so that a state's type need not say that its keys can go to other
/// threads; only `connect` has to.
pub(crate) struct Stock<B, W> {
    make: fn(W) -> B,
    supply: Option<Box<dyn Source<B, W>>>,
    /// What has been asked for while there is no supply.
    on_the_spot: Option<W>,
    /// How many blocks have been asked for and are not here yet.
    awaited: usize,
}

/// A [`Supply`] of blocks that need not be [`Block`]s where it is only used.
trait Source<B, W>: Send {
    fn ask(&mut self, want: W) -> bool;
    fn take(&mut self) -> Option<B>;
    fn give_back(&mut self, block: B);
}

impl<B: Block> Source<B, B::Want> for Box<dyn Supply<B>> {
    fn ask(&mut self, want: B::Want) -> bool {
        (**self).ask(want)
    }

    fn take(&mut self) -> Option<B> {
        (**self).take()
    }

    fn give_back(&mut self, block: B) {
        (**self).give_back(block);
    }
}

impl<B, W: Copy> Stock<B, W> {
    /// Connected to nothing; `make` makes the blocks.
    pub(crate) fn on_the_spot(make: fn(W) -> B) -> Self {
        Self { make, supply: None, on_the_spot: None, awaited: 0 }
    }

    /// Gets further blocks from one of these supplies.
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        B: Block<Want = W>,
    {
        self.supply = Some(Box::new(supplies.supply::<B>()));
    }

    /// As [`Supply::ask`].
    pub(crate) fn ask(&mut self, want: W) -> bool {
        let asked = match &mut self.supply {
            Some(supply) => supply.ask(want),
            None => self.on_the_spot.is_none() && self.on_the_spot.replace(want).is_none(),
        };
        self.awaited += usize::from(asked);
        asked
    }

    /// As [`Supply::take`].
    pub(crate) fn take(&mut self) -> Option<B> {
        if self.awaited == 0 {
            return None;
        }
        let block = match &mut self.supply {
            Some(supply) => supply.take(),
            None => self.on_the_spot.take().map(self.make),
        };
        self.awaited -= usize::from(block.is_some());
        block
    }

    /// As [`Supply::give_back`].
    pub(crate) fn give_back(&mut self, block: B) {
        match &mut self.supply {
            Some(supply) => supply.give_back(block),
            None => drop(block),
        }
    }
}

impl<B, W> fmt::Debug for Stock<B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { awaited, supply, .. } = self;
        let connected = supply.is_some();
        f.debug_struct("Stock").field("connected", &connected).field("awaited", awaited).finish()
    }
}
