use std::{
    hint::black_box,
    mem::{self, MaybeUninit},
    vec,
};

use nacreous_watermark::{Timestamp, Watermark};

/// One data element with its event time. The time travels with the record through every operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<T> {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub value: T,
}

/// What a stream says about itself, in its place among the records: it takes effect after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signal {
    /// No later on-time record is earlier than this.
    Watermark(Watermark),
    /// Nothing comes any more: all windows are complete.
    End,
}

impl Signal {
    /// The watermark that the signal amounts to.
    pub fn watermark(self) -> Watermark {
        match self {
            Self::Watermark(watermark) => watermark,
            Self::End => Watermark::END,
        }
    }
}

impl From<Watermark> for Signal {
    fn from(watermark: Watermark) -> Self {
        if watermark.is_end() { Self::End } else { Self::Watermark(watermark) }
    }
}

/// When something was read: nanoseconds since an instant that all threads of a job agree on.
///
/// Operators neither make one nor look at it: it goes along with records, for whoever wants to know how long they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stamp(u64);

impl Stamp {
    /// Nobody wants to know.
    pub const NONE: Self = Self(0);

    /// So long after that instant; a nanosecond at the least.
    pub fn at(nanos: u64) -> Self {
        Self(nanos.max(1))
    }

    /// Whether it is one.
    #[inline]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// How many nanoseconds later another one is; zero if it is earlier.
    pub fn until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }
}

/// A pre-allocated run of records, then at most one [`Signal`]: what moves through an edge at once.
#[derive(Debug)]
pub struct Batch<T> {
    records: Vec<Record<T>>,
    signal: Option<Signal>,
    judged_by: Watermark,
    read_at: Stamp,
    full_at: usize,
}

impl<T> Batch<T> {
    /// An empty batch that counts as full at `full_at` records (at least one), with memory for as many.
    pub fn new(full_at: usize) -> Self {
        let full_at = full_at.max(1);
        let (judged_by, read_at) = (Watermark::MIN, Stamp::NONE);
        Self { records: Vec::with_capacity(full_at), signal: None, judged_by, read_at, full_at }
    }

    /// Writes to all of the memory, so that it comes to lie near the thread that calls this, and a first record
    /// finds it there. To be called while the batch is empty.
    pub fn touch(&mut self) {
        // Else the compiler asks for zeroed memory in the first place, which is memory that nobody has touched.
        let records = black_box(&mut self.records);
        for place in records.spare_capacity_mut() {
            *place = MaybeUninit::zeroed();
        }
    }

    /// Appends a record. A full batch takes it too, and grows.
    ///
    /// # Panics
    /// If the batch is sealed: a signal is the last thing in a batch. (Checked in debug builds.)
    #[inline]
    pub fn push(&mut self, record: Record<T>) {
        debug_assert!(self.signal.is_none(), "a record after the signal of its batch");
        self.records.push(record);
    }

    /// The records, for more to be appended.
    ///
    /// # Panics
    /// If the batch is sealed: a signal is the last thing in a batch. (Checked in debug builds.)
    #[inline]
    pub fn records_mut(&mut self) -> &mut Vec<Record<T>> {
        debug_assert!(self.signal.is_none(), "a record after the signal of its batch");
        &mut self.records
    }

    /// Takes over all records of another batch, which is left empty: its signal is forgotten. If there were none here, the
    /// two change memory, and nothing is copied.
    ///
    /// # Panics
    /// If the batch is sealed: a signal is the last thing in a batch. (Checked in debug builds.)
    pub fn append(&mut self, other: &mut Self) {
        debug_assert!(self.signal.is_none(), "a record after the signal of its batch");
        if self.records.is_empty() {
            mem::swap(&mut self.records, &mut other.records);
        } else {
            self.records.append(&mut other.records);
        }
        other.drain();
    }

    /// How many records make it full.
    #[inline]
    pub fn full_at(&self) -> usize {
        self.full_at
    }

    /// Ends the batch with a signal.
    ///
    /// # Panics
    /// If the batch has one already.
    pub fn seal(&mut self, signal: Signal) {
        assert!(self.signal.is_none(), "a second signal in one batch");
        self.signal = Some(signal);
    }

    /// Says which watermark the records are judged by, if it is further than those the edge has carried: that of
    /// the input which they came from, where several were merged.
    pub fn judge_by(&mut self, watermark: Watermark) {
        self.judged_by = watermark;
    }

    /// The watermark that the records are judged by, if it is further than those the edge has carried.
    #[inline]
    pub fn judged_by(&self) -> Watermark {
        self.judged_by
    }

    /// Says when the oldest of what is in it was read, or what set it off.
    #[inline]
    pub fn stamp(&mut self, read_at: Stamp) {
        self.read_at = read_at;
    }

    /// When the oldest of what is in it was read, if anybody wants to know.
    #[inline]
    pub fn read_at(&self) -> Stamp {
        self.read_at
    }

    /// The signal at the end of the batch, if there is one.
    #[inline]
    pub fn signal(&self) -> Option<Signal> {
        self.signal
    }

    /// Takes all records out, oldest first, and forgets what else there is; the memory stays for the next use.
    #[inline]
    pub fn drain(&mut self) -> vec::Drain<'_, Record<T>> {
        self.signal = None;
        self.judged_by = Watermark::MIN;
        self.records.drain(..)
    }

    /// Whether there are records in it.
    #[inline]
    pub fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// The number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is nothing in it, neither record nor signal.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.signal.is_none()
    }

    /// Whether it is time to hand the batch on: enough records, or a signal.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.full_at || self.signal.is_some()
    }
}
