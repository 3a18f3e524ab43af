use std::collections::VecDeque;

use nacreous_watermark::Timestamp;

use super::{
    Slice,
    census::Census,
    division::Division,
    matches::{Matches, Pair, Progress},
    side::{Node, Side, Stretch},
};
use crate::window::TimeWindow;

/// The window being emitted, which may take several calls if the output is narrow.
pub(super) struct Firing {
    pub(super) number: i64,
    pub(super) window: TimeWindow,
    /// How many slices it has: the first ones.
    slices: usize,
    /// The coarsest among them.
    division: Division,
    /// The partition to come.
    partition: usize,
    /// The chunks of the partition at hand.
    left: Vec<Stretch>,
    right: Vec<Stretch>,
    /// How many of the right ones have been dealt with.
    done: usize,
    progress: Progress,
    matches: Matches,
    census: Census,
    /// How many of the pairs found last have been dealt with.
    emitted: usize,
}

/// Chunks of a partition that there is room for from the beginning.
const INITIAL_STRETCHES: usize = 256;

impl Firing {
    /// No window.
    pub(super) fn new() -> Self {
        let zero = Timestamp::from_nanos(0);
        Self {
            number: 0,
            window: TimeWindow { start: zero, end: zero },
            slices: 0,
            division: Division::ONE,
            partition: Division::ONE.partitions(),
            left: Vec::with_capacity(INITIAL_STRETCHES),
            right: Vec::with_capacity(INITIAL_STRETCHES),
            done: 0,
            progress: Progress::default(),
            matches: Matches::new(),
            census: Census::default(),
            emitted: 0,
        }
    }

    /// Begins with a window, which is made up of the first ones of these slices.
    pub(super) fn begin(&mut self, number: i64, window: TimeWindow, slices: &VecDeque<Slice>) {
        self.number = number;
        self.window = window;
        let slices = slices.iter().take_while(|slice| slice.windows.0 <= number);
        self.slices = slices.clone().count();
        self.division = slices.map(|slice| slice.division).min().unwrap_or(Division::ONE);
        self.partition = 0;
    }

    /// Whether the window has no more distinct keys than this. It is passed over if it has.
    pub(super) fn has_at_most<K: Eq, L, R>(
        &mut self,
        keys: usize,
        slices: &VecDeque<Slice>,
        left: &mut Side<K, L>,
        right: &mut Side<K, R>,
    ) -> bool {
        self.census.begin();
        for partition in 0..self.division.partitions() {
            self.gather(partition, slices, left, right);
            self.census.count((left, &self.left), (right, &self.right), keys);
        }
        self.right.clear();
        let within = self.census.keys() <= keys;
        if !within {
            self.partition = self.division.partitions();
        }
        within
    }

    /// Finds further pairs; false if there are none.
    pub(super) fn find<K, L, R>(
        &mut self,
        slices: &VecDeque<Slice>,
        left: &mut Side<K, L>,
        right: &mut Side<K, R>,
    ) -> bool {
        self.emitted = 0;
        self.matches.forget();
        loop {
            while let Some(stretch) = self.right.get(self.done) {
                let nodes = right.nodes(*stretch);
                if self.progress.place == nodes.len() {
                    self.done += 1;
                    self.progress = Progress::default();
                    continue;
                }
                self.matches.find(nodes, stretch.closed, &mut self.progress);
                if !self.matches.pairs().is_empty() {
                    return true;
                }
            }
            if self.partition == self.division.partitions() {
                return false;
            }
            self.enter(self.partition, slices, left, right);
            self.partition += 1;
        }
    }

    /// The pairs found last that have not been dealt with.
    #[inline(always)]
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.matches.pairs()[self.emitted..]
    }

    /// So many of them have been dealt with.
    pub(super) fn advance(&mut self, pairs: usize) {
        self.emitted += pairs;
    }

    /// The right records among which their places are.
    #[inline(always)]
    pub(super) fn rights<'a, K, R>(&self, right: &'a Side<K, R>) -> &'a [Node<K, R>] {
        self.right.get(self.done).map_or(&[], |stretch| right.nodes(*stretch))
    }

    /// Goes to a partition.
    fn enter<K, L, R>(
        &mut self,
        partition: usize,
        slices: &VecDeque<Slice>,
        left: &mut Side<K, L>,
        right: &mut Side<K, R>,
    ) {
        self.done = 0;
        self.progress = Progress::default();
        self.gather(partition, slices, left, right);
        if self.left.is_empty() {
            self.right.clear();
        }
        if !self.right.is_empty() {
            self.matches.fill(left, &self.left);
        }
    }

    /// Finds the chunks of a partition.
    fn gather<K, L, R>(
        &mut self,
        partition: usize,
        slices: &VecDeque<Slice>,
        left: &mut Side<K, L>,
        right: &mut Side<K, R>,
    ) {
        self.left.clear();
        self.right.clear();
        for slice in slices.iter().take(self.slices) {
            let partitions = self.division.refined(partition, slice.division);
            let closed = slice.windows_before(self.number);
            left.gather(slice.left, partitions.clone(), closed, &mut self.left);
            right.gather(slice.right, partitions, closed, &mut self.right);
        }
    }
}
