/// What a queue comes to, by two stacks (in one ring, as Two-Stacks Lite has them): a value that leaves is the top of the front
/// stack, whose places hold what comes from there to its bottom. Once that is empty, all that has come is put into it at once.
pub(super) struct TwoStacks<A> {
    ring: Vec<A>,
    front: u64,
    /// Where the front stack ends.
    turned: u64,
    end: u64,
    /// What comes behind it.
    newest: Option<A>,
}

impl<A: Copy + Default> TwoStacks<A> {
    #[inline]
    pub(super) fn insert(&mut self, value: A, combine: impl Fn(&A, &A) -> A) {
        if self.end - self.front == self.ring.len() as u64 {
            self.grow();
        }
        *self.at(self.end) = value;
        self.end += 1;
        self.newest = Some(self.newest.map_or(value, |newest| combine(&newest, &value)));
    }

    #[inline]
    pub(super) fn evict(&mut self, combine: impl Fn(&A, &A) -> A) {
        if self.front == self.turned {
            for place in (self.front..self.end.saturating_sub(1)).rev() {
                let behind = *self.at(place + 1);
                let value = self.at(place);
                *value = combine(value, &behind);
            }
            (self.turned, self.newest) = (self.end, None);
        }
        self.front = self.end.min(self.front + 1);
    }

    #[inline]
    pub(super) fn query(&self, combine: impl Fn(&A, &A) -> A) -> Option<A> {
        let oldest = (self.front < self.turned).then(|| self.ring[self.index(self.front)]);
        match (oldest, self.newest) {
            (Some(oldest), Some(newest)) => Some(combine(&oldest, &newest)),
            (one, other) => one.or(other),
        }
    }

    #[inline]
    fn index(&self, place: u64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only what is below the length of the ring is kept"
        )]
        let place = place as usize;
        place & (self.ring.len() - 1)
    }

    #[inline]
    fn at(&mut self, place: u64) -> &mut A {
        let place = self.index(place);
        &mut self.ring[place]
    }

    #[cold]
    fn grow(&mut self) {
        let mut larger = Self { ring: vec![A::default(); self.ring.len() * 2], ..*self };
        (self.front..self.end).for_each(|place| *larger.at(place) = *self.at(place));
        self.ring = larger.ring;
    }
}

impl<A: Copy + Default> Default for TwoStacks<A> {
    fn default() -> Self {
        Self { ring: vec![A::default(); 8], front: 0, turned: 0, end: 0, newest: None }
    }
}
