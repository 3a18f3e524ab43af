//! Supplies that deliver late, or never, for the tests of all that grows.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;

/// Supplies from which each block comes after some calls of `take`, and which cannot always be asked.
pub(crate) struct Late {
    seed: u64,
    asked: Arc<AtomicUsize>,
    given_back: Arc<AtomicUsize>,
}

impl Late {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, asked: Arc::default(), given_back: Arc::default() }
    }

    /// How many blocks were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many blocks came back.
    pub(crate) fn given_back(&self) -> usize {
        self.given_back.load(Ordering::Relaxed)
    }
}

impl Supplies for Late {
    fn supply<B: Block>(&mut self) -> Box<dyn Supply<B>> {
        self.seed += 1_000_000;
        let random = fastrand::Rng::with_seed(self.seed);
        let (count, given_back) = (Arc::clone(&self.asked), Arc::clone(&self.given_back));
        Box::new(LateSupply { random, asked: VecDeque::new(), count, given_back })
    }
}

struct LateSupply<B: Block> {
    random: fastrand::Rng,
    /// What has been asked for, each with the calls until it comes.
    asked: VecDeque<(usize, B::Want)>,
    count: Arc<AtomicUsize>,
    given_back: Arc<AtomicUsize>,
}

impl<B: Block> Supply<B> for LateSupply<B> {
    fn ask(&mut self, want: B::Want) -> bool {
        let can = self.random.u8(..) < 200;
        if can {
            self.count.fetch_add(1, Ordering::Relaxed);
            self.asked.push_back((self.random.usize(0..30), want));
        }
        can
    }

    fn take(&mut self) -> Option<B> {
        let (calls, _) = self.asked.front_mut()?;
        if *calls > 0 {
            *calls -= 1;
            return None;
        }
        self.asked.pop_front().map(|(_, want)| B::make(want))
    }

    fn give_back(&mut self, block: B) {
        self.given_back.fetch_add(1, Ordering::Relaxed);
        drop(block);
    }
}

/// Supplies that can be asked and never deliver.
pub(crate) struct Never;

impl Supplies for Never {
    fn supply<B: Block>(&mut self) -> Box<dyn Supply<B>> {
        Box::new(Self)
    }
}

impl<B: Block> Supply<B> for Never {
    fn ask(&mut self, _: B::Want) -> bool {
        true
    }

    fn take(&mut self) -> Option<B> {
        None
    }

    fn give_back(&mut self, _: B) {}
}
