//! Several families of windows over the same records, put together from the same slices.

#[cfg(test)]
mod tests;

use std::hash::Hash;

use nacreous_watermark::{Span, Watermark};

use super::{Order, Sliding, WindowFold, WindowResult, Windowed, merge::Unfinished};
use crate::{
    Aggregate, Algebra, Beyond, Emit, Fault, HeldLimit, KeyLimits, Keyed, Operator, Prepared, Record, Step,
    Supplies, Tally,
};

/// What belongs to one of several families of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfFamily<V> {
    /// Which of them, counted from zero.
    pub family: usize,
    /// What belongs to it.
    pub value: V,
}

/// Aggregates the records of each key over several families of windows at once.
///
/// A record touches one accumulator, that of its key in a slice that lies inside or outside each window of each family. When the
/// watermark has passed the slice, what it comes to goes to all of them. A record behind that goes to each of them by itself. So what
/// a family comes to, and which records are late for it, is what a [`WindowFold`] of its own would make of the records.
///
/// In the [tally](Operator::tally) a record is late if it is late for all families; the windows that it misses are counted in each.
///
/// # Cost
/// A record: as with one family whose windows do not overlap. A slice that closes: for each of its keys a look-up and a combination
/// in each family. Memory: for each family as that of its own [`WindowFold`], with room for the keys that are still in slices, and
/// each key with its accumulator in each slice that is open. Slices are as long as the greatest common divisor of all sizes,
/// hops and differences of offsets: of windows that have little in common there are many.
pub struct SharedFold<K, A: Aggregate<T>, T, const N: usize> {
    slices: WindowFold<K, Unfinished<A>, T>,
    families: [Family<K, A, T>; N],
    /// What records are judged by, if that is ahead of the watermark.
    judge: Watermark,
    behind: Behind,
}

/// Windows of one size and hop.
struct Family<K, A: Aggregate<T>, T> {
    fold: WindowFold<K, A, T>,
    /// How many of the shared slices make one of its own.
    together: usize,
}

/// Counts of records that were behind their slice.
#[derive(Debug, Clone, Copy, Default)]
struct Behind {
    on_time: u64,
    late: u64,
}

impl<T, K, A, const N: usize> SharedFold<K, A, T, N>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
{
    /// An operator that has seen nothing yet, for so many keys in a window. There must be a family.
    ///
    /// Slices may hold so much, and each family; what exceeds that is a fault, as a slice cannot be late.
    pub fn new(windows: [Sliding; N], aggregate: A, limits: KeyLimits) -> Self {
        const {
            assert!(N > 0, "windows that share slices are of one family at least");
            assert!(
                <A::Algebra as Algebra<A, T>>::Order::IS_ANY,
                "windows that share slices need an aggregate that commutes"
            );
        }
        let held = HeldLimit { beyond: Beyond::Fail, ..limits.held };
        let limits = KeyLimits { held, ..limits };
        let dividing = Sliding::dividing(windows);
        let families = windows.map(|windows| Family {
            fold: WindowFold::new(windows, aggregate.clone()).with_limits(limits),
            together: windows.in_slice(dividing),
        });
        let slices = WindowFold::new(dividing, Unfinished(aggregate)).with_limits(limits);
        Self { slices, families, judge: Watermark::MIN, behind: Behind::default() }
    }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, const N: usize> SharedFold<K, A, T, N> {
    /// The same with windows that are kept for a while, as [`WindowFold::with_lateness`] has it, in all families.
    ///
    /// # Panics
    /// If the aggregate's queue does not keep slices of windows that have fired.
    #[must_use]
    pub fn with_lateness(self, allowed: Span, retracts: bool) -> Self {
        let kept =
            |family: Family<K, A, T>| Family { fold: family.fold.with_lateness(allowed, retracts), ..family };
        Self { families: self.families.map(kept), ..self }
    }
}

/// Takes what the slices come to, and what comes behind them, to the families.
struct Deal<'a, K, A: Aggregate<T>, T, E> {
    families: &'a mut [Family<K, A, T>],
    /// What they judge it by.
    judge: Watermark,
    behind: &'a mut Behind,
    out: &'a mut E,
}

/// Says whose output it is.
struct Of<'a, E> {
    family: usize,
    out: &'a mut E,
}

impl<V, E: Emit<OfFamily<V>>> Emit<V> for Of<'_, E> {
    #[inline]
    fn emit(&mut self, Record { time, value }: Record<V>) {
        self.out.emit(Record { time, value: OfFamily { family: self.family, value } });
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.out.has_room()
    }
}

impl<K, A, T, E> Emit<Windowed<K, T, A::Acc>> for Deal<'_, K, A, T, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    A: Aggregate<T>,
    E: Emit<OfFamily<Windowed<K, T, A::Out>>>,
{
    #[inline]
    fn emit(&mut self, Record { time, value }: Record<Windowed<K, T, A::Acc>>) {
        match value {
            Windowed::Result(slice) => self.add_slice(slice),
            Windowed::Late(late) => self.add_behind(&Record { time, value: late }),
        }
    }

    /// A slice makes nothing come out, whatever it is.
    fn has_room(&self) -> bool {
        true
    }
}

impl<K, A, T, E> Deal<'_, K, A, T, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    A: Aggregate<T>,
    E: Emit<OfFamily<Windowed<K, T, A::Out>>>,
{
    /// A slice is known by its first instant: its last may lie beyond the end of time.
    #[inline]
    fn add_slice(&mut self, WindowResult { window, key, value, .. }: WindowResult<K, A::Acc>) {
        let Some((last, others)) = self.families.split_last_mut() else { return };
        others.iter_mut().for_each(|family| family.fold.add_slice(window.start, key.clone(), &value));
        last.fold.add_slice(window.start, key, &value);
    }

    #[cold]
    #[inline(never)]
    fn add_behind(&mut self, record: &Record<Keyed<K, T>>) {
        let mut late = 0;
        for (family, Family { fold, .. }) in self.families.iter_mut().enumerate() {
            let before = fold.tally().late;
            fold.judge_by(self.judge);
            fold.on_record(record.clone(), &mut Of { family, out: self.out });
            late += usize::from(fold.tally().late > before);
        }
        *if late == self.families.len() { &mut self.behind.late } else { &mut self.behind.on_time } += 1;
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K, A, const N: usize> Clone for SharedFold<K, A, T, N>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
{
    fn clone(&self) -> Self {
        let family =
            |Family { fold, together }: &Family<K, A, T>| Family { fold: fold.clone(), together: *together };
        Self {
            slices: self.slices.clone(),
            families: self.families.each_ref().map(family),
            judge: Watermark::MIN,
            behind: Behind::default(),
        }
    }
}

impl<T, K, A, const N: usize> SharedFold<K, A, T, N>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    A: Aggregate<T>,
{
    /// The slices, and where what comes of them goes.
    #[inline(always)]
    fn dealing<'a, E>(
        &'a mut self,
        out: &'a mut E,
    ) -> (&'a mut WindowFold<K, Unfinished<A>, T>, Deal<'a, K, A, T, E>) {
        let Self { slices, families, judge, behind } = self;
        (slices, Deal { families, judge: *judge, behind, out })
    }
}

impl<T, K, A, const N: usize> Operator<Keyed<K, T>> for SharedFold<K, A, T, N>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    A: Aggregate<T>,
{
    type Out = OfFamily<Windowed<K, T, A::Out>>;

    #[inline(always)]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let (slices, mut deal) = self.dealing(out);
        slices.on_record(record, &mut deal);
    }

    #[inline(always)]
    fn on_records(
        &mut self,
        records: impl Iterator<Item = Record<Keyed<K, T>>>,
        out: &mut impl Emit<Self::Out>,
    ) {
        let (slices, mut deal) = self.dealing(out);
        slices.on_records(records, &mut deal);
    }

    /// Hands the slices that end at or before the watermark to the families, and has each fire the windows that do.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        // All windows over a slice are open by the watermark before, though an input that is ahead may have closed some for itself.
        self.families.iter_mut().for_each(|family| family.fold.judge_by(Watermark::MIN));
        let (slices, mut deal) = self.dealing(out);
        if slices.on_watermark(watermark, &mut deal) == Step::More {
            return Step::More;
        }
        for (family, Family { fold, .. }) in self.families.iter_mut().enumerate() {
            if fold.on_watermark(watermark, &mut Of { family, out }) == Step::More {
                return Step::More;
            }
        }
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = watermark;
        self.slices.judge_by(watermark);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.slices.connect(supplies);
        self.families.iter_mut().for_each(|family| family.fold.connect(supplies));
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        let Self { slices, families, .. } = self;
        // All are asked, so that none is late for want of another.
        families.iter_mut().fold(slices.prepare(records), |prepared, Family { fold, together }| {
            // The records may come into slices, and these may close, before it is asked again.
            let coming = slices.coming(*together, records);
            prepared.and(fold.prepare_for(records, coming))
        })
    }

    fn fault(&self) -> Option<Fault> {
        self.slices.fault().or_else(|| self.families.iter().find_map(|family| family.fold.fault()))
    }

    fn tally(&self) -> Tally {
        let Behind { on_time, late } = self.behind;
        let Tally { on_time: in_slices, held, .. } = self.slices.tally();
        let all = Tally { on_time: in_slices + on_time, late, held, ..Tally::default() };
        self.families.iter().map(|family| family.fold.tally()).fold(all, |all, family| Tally {
            missed_windows: all.missed_windows.saturating_add(family.missed_windows),
            results: all.results + family.results,
            held: all.held + family.held,
            ..all
        })
    }
}
