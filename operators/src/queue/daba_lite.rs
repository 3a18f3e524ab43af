use super::stretches::{Ring, Spots, Stretches};

/// What the values of a queue come to, combined in their order, at a worst case of three combinations for a value that comes in,
/// two for one that leaves, and one to ask: DABA Lite (Tangwongsan, Hirzel and Schneider, *In-order sliding-window aggregation
/// in worst-case constant time*, 2021).
///
/// Combining must be associative; it need not be commutative, and what was combined need not be able to be taken out again. The
/// function that combines is given with each call, the older of two first, and must always be the same.
///
/// ```
/// use nacreous_operators::DabaLite;
///
/// let longest = |one: &&'static str, other: &&'static str| if other.len() > one.len() { *other } else { *one };
/// let mut names = DabaLite::new();
/// ["ada", "grace", "mary"].into_iter().for_each(|name| names.insert(name, longest));
/// assert_eq!(names.query(longest), Some("grace"));
/// names.evict(longest);
/// names.evict(longest);
/// assert_eq!(names.query(longest), Some("mary"));
/// ```
///
/// # How it works
/// Values lie in a ring, some of them replaced by what they and those after them come to, up to some point. There are five
/// stretches:
///
/// | from | to | what a place holds |
/// |---|---|---|
/// | `front` | `left` | what comes from there to `back` |
/// | `left` | `right` | what comes from there to `right` |
/// | `right` | `turned` | its own value |
/// | `turned` | `back` | what comes from there to `back` |
/// | `back` | the end | its own value; `newest` is what they come to |
///
/// The first place and `newest` are all that a query takes. Each insertion and each eviction turns one value between `right` and
/// `turned` (from the end), and one between `left` and `right`; the stretches are of such lengths that this is done just when the
/// first is used up. Then the whole queue is taken up anew.
///
/// # Cost
/// Memory for as many values as there were at once, rounded up to a power of two: it doubles when that is not enough, which takes
/// an allocation and a copy of all.
#[derive(Debug, Clone)]
pub struct DabaLite<A> {
    ring: InPlace<A>,
    stretches: Stretches<u64, A>,
}

/// A ring whose places are counted from the first value on that ever came, and never begin anew.
#[derive(Debug, Clone)]
struct InPlace<A>(Vec<Option<A>>);

/// There is memory for so many from the beginning.
const CAPACITY_MIN: usize = 8;

impl<A: Clone> DabaLite<A> {
    /// An empty queue.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY_MIN)
    }

    /// An empty queue with memory for so many values.
    pub fn with_capacity(values: usize) -> Self {
        let capacity = values.max(CAPACITY_MIN).next_power_of_two();
        Self { ring: InPlace(vec![None; capacity]), stretches: Stretches::at(0) }
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        let (front, end) = self.stretches.ends();
        usize::try_from(end - front).expect("no more than there is memory for")
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// What the values come to, oldest first; none if there are none. Combines at most once.
    #[inline]
    pub fn query(&self, combine: impl Fn(&A, &A) -> A) -> Option<A> {
        self.stretches.query(&self.ring, combine)
    }

    /// Takes in a value behind all others. Combines at most three times.
    #[inline]
    pub fn insert(&mut self, value: A, combine: impl Fn(&A, &A) -> A) {
        if self.len() == self.ring.0.len() {
            self.grow();
        }
        self.stretches.insert(&mut self.ring, 0, value, combine);
    }

    /// Lets the oldest value go; nothing happens if there is none. Combines at most twice.
    #[inline]
    pub fn evict(&mut self, combine: impl Fn(&A, &A) -> A) {
        if !self.is_empty() {
            self.stretches.evict(&mut self.ring, combine);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut larger = InPlace(vec![None; self.ring.0.len() * 2]);
        let (front, end) = self.stretches.ends();
        for place in front..end {
            let (old, new) = (self.ring.index(place), larger.index(place));
            larger.0[new] = self.ring.0[old].take();
        }
        self.ring = larger;
    }
}

impl<A> InPlace<A> {
    #[inline]
    fn index(&self, place: u64) -> usize {
        // The length is a power of two, and places above it are the same anew.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only what is below the length of the ring is kept"
        )]
        let place = place as usize;
        place & (self.0.len() - 1)
    }
}

impl<A> Spots<A> for InPlace<A> {
    type Spot = u64;

    #[inline]
    fn at(&self, place: u64) -> &A {
        self.0[self.index(place)].as_ref().expect("there is a value at each place from the front to the end")
    }

    #[inline]
    fn after(&self, place: u64) -> u64 {
        place + 1
    }

    #[inline]
    fn before(&self, place: u64) -> u64 {
        place - 1
    }
}

/// Which slice a value is of is not kept.
impl<A> Ring<A> for InPlace<A> {
    #[inline]
    fn push(&mut self, end: u64, _: i64, value: A) -> u64 {
        self.put(end, value);
        end + 1
    }

    #[inline]
    fn pop(&mut self, front: u64) -> (u64, A) {
        let place = self.index(front);
        (front + 1, self.0[place].take().expect("what is taken out has been put in"))
    }

    #[inline]
    fn put(&mut self, place: u64, value: A) {
        let place = self.index(place);
        self.0[place] = Some(value);
    }
}

impl<A: Clone> Default for DabaLite<A> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::VecDeque};

    use super::*;

    /// A queue beside one that is simply recomputed; the values are texts, so order matters.
    struct Checked {
        queue: DabaLite<String>,
        oracle: VecDeque<String>,
        combined: Cell<usize>,
    }

    impl Checked {
        fn new() -> Self {
            Self { queue: DabaLite::new(), oracle: VecDeque::new(), combined: Cell::new(0) }
        }

        /// Does something to the queue with a function that counts how often it is called.
        fn within<R>(
            &mut self,
            most: usize,
            act: impl FnOnce(&mut DabaLite<String>, &dyn Fn(&String, &String) -> String) -> R,
        ) -> R {
            let Self { queue, combined, .. } = self;
            combined.set(0);
            let result = act(queue, &|one, other| {
                combined.set(combined.get() + 1);
                format!("{one}{other}")
            });
            assert!(combined.get() <= most, "{} combinations, and not {most}", combined.get());
            result
        }

        fn insert(&mut self, value: &str) {
            self.oracle.push_back(value.to_owned());
            self.within(3, |queue, combine| queue.insert(value.to_owned(), combine));
            self.check();
        }

        fn evict(&mut self) {
            self.oracle.pop_front();
            self.within(2, |queue, combine| queue.evict(combine));
            self.check();
        }

        fn check(&mut self) {
            let found = self.within(1, |queue, combine| queue.query(combine));
            let expected: String = self.oracle.iter().map(String::as_str).collect();
            assert_eq!(found.unwrap_or_default(), expected);
            assert_eq!(
                (self.queue.len(), self.queue.is_empty()),
                (self.oracle.len(), self.oracle.is_empty())
            );
        }
    }

    #[test]
    fn any_sequence_of_comings_and_goings_comes_to_what_it_is_and_never_combines_more_than_that() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut checked = Checked::new();
            for round in 0..20 {
                // Now it grows, now it shrinks, now it stays as it is.
                let come = random.u8(..);
                for n in 0..random.usize(0..60) {
                    if random.u8(..) < come {
                        checked.insert(["a", "b", "c", "d", "e"][(round + n) % 5]);
                    } else {
                        checked.evict();
                    }
                }
            }
        }
    }

    #[test]
    fn a_queue_that_is_drained_to_its_last_value_and_filled_again_goes_on() {
        for most in [1, 2, 3, 7, 8, 9, 40] {
            let mut checked = Checked::new();
            for _ in 0..6 {
                (0..most).for_each(|n| checked.insert(if n % 2 == 0 { "x" } else { "y" }));
                (1..most).for_each(|_| checked.evict());
            }
            checked.evict();
            checked.evict();
            checked.insert("z");
        }
    }

    #[test]
    fn the_counts_are_reached_so_the_bounds_are_the_least() {
        let mut most = [0; 3];
        let mut checked = Checked::new();
        for n in 0..200 {
            checked.within(3, |queue, combine| queue.insert("v".to_owned(), combine));
            most[0] = most[0].max(checked.combined.get());
            checked.within(1, |queue, combine| queue.query(combine));
            most[2] = most[2].max(checked.combined.get());
            if n > 20 {
                checked.within(2, |queue, combine| queue.evict(combine));
                most[1] = most[1].max(checked.combined.get());
            }
        }
        assert_eq!(most, [3, 2, 1]);
    }

    #[test]
    fn memory_is_that_of_the_most_values_there_were() {
        let mut queue = DabaLite::with_capacity(100);
        for n in 0..10_000_u64 {
            queue.insert(n, |one, other| *one.max(other));
            if queue.len() > 100 {
                queue.evict(|one, other| *one.max(other));
            }
        }
        assert_eq!(queue.ring.0.len(), 128);
    }
}
