//! What data threads say of themselves: plain cells, each written by one thread with relaxed stores and sampled by the
//! control plane.

use std::{ops::AddAssign, time::Duration};

use crossbeam_utils::CachePadded;
use nacreous_channels::published::Published;
use nacreous_operators::Tally;
use nacreous_watermark::{Timestamp, Watermark};

use crate::control::nanos;

/// What became of the records that came through a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records that sources have read, rejected ones included.
    pub records_in: u64,
    /// Records that sources could not make sense of.
    pub rejected: u64,
    /// What operators say became of records.
    pub tally: Tally,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.records_in += other.records_in;
        self.rejected += other.rejected;
        self.tally += other.tally;
    }
}

/// The cells of one task: written by its worker, on cache lines of their own.
#[derive(Debug)]
pub(crate) struct TaskMeter {
    counts: CachePadded<[Published; 11]>,
    state: CachePadded<TaskCells>,
}

#[derive(Debug)]
struct TaskCells {
    watermark: Published,
    held_by: Published,
    blocked_ns: Published,
    /// When it came to be blocked, in nanoseconds since the job began; zero if it is not.
    blocked_since_ns: Published,
    steps: Published,
    finished: Published,
}

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What it has passed on.
    pub(crate) watermark: Watermark,
    /// Which of its inputs has promised least.
    pub(crate) held_by: usize,
}

impl TaskMeter {
    pub(crate) fn new() -> Self {
        let cell = || Published::new(0);
        Self {
            counts: CachePadded::new([0; 11].map(Published::new)),
            state: CachePadded::new(TaskCells {
                watermark: Published::new(Watermark::MIN.time().as_nanos().cast_unsigned()),
                held_by: cell(),
                blocked_ns: cell(),
                blocked_since_ns: cell(),
                steps: cell(),
                finished: cell(),
            }),
        }
    }

    pub(crate) fn publish(&self, counts: &Counts, standing: Standing) {
        let Counts { records_in, rejected, tally } = *counts;
        let Tally {
            filtered,
            added,
            rejected: by_user,
            on_time,
            late,
            refused,
            missed_windows,
            results,
            held,
        } = tally;
        let of_windows = [on_time, late, refused, missed_windows, results, held];
        let values = [records_in, rejected, filtered, added, by_user].into_iter().chain(of_windows);
        self.counts.iter().zip(values).for_each(|(cell, value)| cell.set(value));
        self.state.watermark.set(standing.watermark.time().as_nanos().cast_unsigned());
        self.state.held_by.set(standing.held_by as u64);
        self.state.steps.set(self.state.steps.get() + 1);
    }

    pub(crate) fn counts(&self) -> Counts {
        let [records_in, rejected, filtered, added, by_user, of_windows @ ..] =
            self.counts.each_ref().map(Published::get);
        let [on_time, late, refused, missed_windows, results, held] = of_windows;
        Counts {
            records_in,
            rejected,
            tally: Tally {
                filtered,
                added,
                rejected: by_user,
                on_time,
                late,
                refused,
                missed_windows,
                results,
                held,
            },
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        let nanos = self.state.watermark.get().cast_signed();
        let watermark =
            if nanos == i64::MAX { Watermark::END } else { Watermark::at(Timestamp::from_nanos(nanos)) };
        let held_by = usize::try_from(self.state.held_by.get()).unwrap_or(usize::MAX);
        Standing { watermark, held_by }
    }

    /// It cannot go on since `now_ns`, for want of room or memory.
    pub(crate) fn blocked(&self, now_ns: u64) {
        self.state.blocked_since_ns.set(now_ns.max(1));
    }

    /// It can go on again.
    pub(crate) fn unblocked(&self, now_ns: u64) {
        self.state.blocked_ns.set(self.blocked_ns(now_ns));
        self.state.blocked_since_ns.set(0);
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.state.blocked_since_ns.get() != 0
    }

    /// For how long it could not go on, up to now.
    pub(crate) fn blocked_ns(&self, now_ns: u64) -> u64 {
        self.state.blocked_ns.get() + open_interval(&self.state.blocked_since_ns, now_ns)
    }

    pub(crate) fn finish(&self) {
        self.state.finished.set(1);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.state.finished.get() != 0
    }

    /// How many steps have brought something about.
    pub(crate) fn steps(&self) -> u64 {
        self.state.steps.get()
    }
}

/// How long ago something began that is still going on; zero if it is not.
fn open_interval(since_ns: &Published, now_ns: u64) -> u64 {
    match since_ns.get() {
        0 => 0,
        since => now_ns.saturating_sub(since),
    }
}

/// The cells of one edge.
#[derive(Debug)]
pub(crate) struct EdgeMeter {
    /// Written by the producing side.
    sent: CachePadded<Traffic>,
    /// Written by the consuming side.
    received: CachePadded<Traffic>,
}

/// What has passed one end of an edge.
#[derive(Debug)]
pub(crate) struct Traffic {
    records: Published,
    batches: Published,
}

impl Traffic {
    fn new() -> Self {
        Self { records: Published::new(0), batches: Published::new(0) }
    }

    /// Another batch has passed.
    #[inline]
    pub(crate) fn add_batch(&self, records: usize) {
        self.records.set(self.records.get() + records as u64);
        self.batches.set(self.batches.get() + 1);
    }

    pub(crate) fn records(&self) -> u64 {
        self.records.get()
    }

    pub(crate) fn batches(&self) -> u64 {
        self.batches.get()
    }
}

impl EdgeMeter {
    pub(crate) fn new() -> Self {
        Self { sent: CachePadded::new(Traffic::new()), received: CachePadded::new(Traffic::new()) }
    }

    /// At the producing end.
    #[inline]
    pub(crate) fn sent(&self) -> &Traffic {
        &self.sent
    }

    /// At the consuming end.
    #[inline]
    pub(crate) fn received(&self) -> &Traffic {
        &self.received
    }

    /// How many batches are under way, as far as can be told without stopping anything.
    pub(crate) fn occupancy(&self) -> u64 {
        let received = self.received.batches();
        self.sent.batches().saturating_sub(received)
    }
}

/// The cells of one worker.
#[derive(Debug)]
pub(crate) struct WorkerMeter(CachePadded<WorkerCells>);

#[derive(Debug)]
struct WorkerCells {
    /// The number of the task it runs, counted from 1; zero between two.
    running: Published,
    /// How many tasks it has run, once for each step.
    steps: Published,
    idle_ns: Published,
    idle_since_ns: Published,
}

impl WorkerMeter {
    pub(crate) fn new() -> Self {
        let cell = || Published::new(0);
        Self(CachePadded::new(WorkerCells {
            running: cell(),
            steps: cell(),
            idle_ns: cell(),
            idle_since_ns: cell(),
        }))
    }

    /// It begins a step of the task with this number in its job.
    #[inline]
    pub(crate) fn enter(&self, task: usize) {
        self.0.running.set(task as u64 + 1);
    }

    /// The step is over.
    #[inline]
    pub(crate) fn leave(&self) {
        self.0.running.set(0);
        self.0.steps.set(self.0.steps.get() + 1);
    }

    /// The task it is in, and a number that is another one with each step.
    pub(crate) fn in_step(&self) -> Option<(usize, u64)> {
        let step = self.0.steps.get();
        usize::try_from(self.0.running.get()).ok()?.checked_sub(1).map(|task| (task, step))
    }

    /// Nothing can be done since `now_ns`.
    pub(crate) fn idle(&self, now_ns: u64) {
        self.0.idle_since_ns.set(now_ns.max(1));
    }

    /// There is something to do again.
    pub(crate) fn busy(&self, now_ns: u64) {
        self.0.idle_ns.set(self.idle_ns(now_ns));
        self.0.idle_since_ns.set(0);
    }

    /// For how long it had nothing to do, up to now.
    pub(crate) fn idle_ns(&self, now_ns: u64) -> u64 {
        self.0.idle_ns.get() + open_interval(&self.0.idle_since_ns, now_ns)
    }
}

/// What an operator has been found to take: written by the worker that times it.
#[derive(Debug)]
pub(crate) struct CostMeter {
    ns: Published,
    records: Published,
}

impl CostMeter {
    pub(crate) fn new() -> Self {
        Self { ns: Published::new(0), records: Published::new(0) }
    }

    /// So many records more have taken so long.
    pub(crate) fn add(&self, took: Duration, records: usize) {
        self.ns.set(self.ns.get() + nanos(took));
        self.records.set(self.records.get() + records as u64);
    }

    /// What one record took, in picoseconds, if any was timed.
    pub(crate) fn per_record_ps(&self) -> Option<u64> {
        let (records, ns) = self.get();
        ns.saturating_mul(1_000).checked_div(records)
    }

    /// How many records were timed, and how long they took in nanoseconds.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.records.get(), self.ns.get())
    }
}

/// Where a task calls out to a sink, which may take long: it tells who holds the thread.
#[derive(Debug)]
pub(crate) struct CallMark(CachePadded<Published>);

impl CallMark {
    pub(crate) fn new() -> Self {
        Self(CachePadded::new(Published::new(0)))
    }

    #[inline]
    pub(crate) fn enter(&self) {
        self.0.set(1);
    }

    #[inline]
    pub(crate) fn leave(&self) {
        self.0.set(0);
    }

    pub(crate) fn is_inside(&self) -> bool {
        self.0.get() != 0
    }
}
