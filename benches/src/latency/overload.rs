//! More than can be dealt with, for a while: nothing is lost, memory stays what it is, and it is over soon after.

use std::{
    fmt, fs, hint,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
    vec,
};

use super::{
    Row,
    load::{Load, Round, Tick, now},
    schedule::Schedule,
};
use nacreous::{BoxError, prelude::*, sink::Sink};

/// What each record takes the sink, so that there is a limit to what can be dealt with.
const WORK: Duration = Duration::from_micros(1);
/// Records in a second before and after: half of what can be dealt with.
const USUAL: u64 = 500_000;
/// For how long twice as many come as can be dealt with.
const OVERLOAD: Duration = Duration::from_secs(5);
/// How long there is no overload before it.
const BEFORE: Duration = Duration::from_secs(2);
/// From the beginning to the end of the load: what has piled up takes ten seconds to be worked off.
const LASTS: Duration = Duration::from_secs(22);
/// Whoever is no further behind has recovered.
const RECOVERED: Duration = Duration::from_millis(1);
/// Memory may grow by this part.
const GROWTH: f64 = 0.05;

/// What came of it.
#[derive(Debug)]
pub struct Overload {
    offered: u64,
    arrived: u64,
    in_order: bool,
    resident_before: i64,
    resident_most: i64,
    /// From the end of the overload until the sink was no further behind than a millisecond.
    recovery: Option<Duration>,
    longest_behind: Duration,
}

/// What the sink has seen.
#[derive(Debug)]
struct Seen {
    records: AtomicU64,
    in_order: AtomicBool,
    /// Nanoseconds, the longest so far and now.
    longest_behind: AtomicU64,
    /// Since when it is not behind any more; zero while it is.
    recovered_at: AtomicU64,
}

struct Slow(Arc<Seen>);

impl Sink<Tick> for Slow {
    fn write(&mut self, records: &mut vec::Drain<'_, Record<Tick>>) -> Result<(), BoxError> {
        for Record { value: Tick { due, number }, .. } in records {
            let began = Instant::now();
            let seen = &self.0;
            if seen.records.fetch_add(1, Ordering::Relaxed) != number {
                seen.in_order.store(false, Ordering::Relaxed);
            }
            let now = now();
            let behind = now.saturating_sub(due);
            seen.longest_behind.fetch_max(behind, Ordering::Relaxed);
            if u128::from(behind) > RECOVERED.as_nanos() {
                seen.recovered_at.store(0, Ordering::Relaxed);
            } else if seen.recovered_at.load(Ordering::Relaxed) == 0 {
                seen.recovered_at.store(now, Ordering::Relaxed);
            }
            while began.elapsed() < WORK {
                hint::spin_loop();
            }
        }
        Ok(())
    }
}

/// Offers half of what can be dealt with, then twice as much for five seconds, then half again.
///
/// # Panics
/// If the system does not say how much memory the process has.
pub fn overload() -> Overload {
    let schedule = Schedule::Wave { base: USUAL, crest: USUAL * 4, after: BEFORE, lasts: OVERLOAD };
    let round = Round::new(schedule, LASTS, Duration::ZERO);
    let offered = schedule.dues().take_while(|due| u128::from(*due) < LASTS.as_nanos()).count() as u64;
    let seen = Arc::new(Seen {
        records: AtomicU64::new(0),
        in_order: AtomicBool::new(true),
        longest_behind: AtomicU64::new(0),
        recovered_at: AtomicU64::new(0),
    });
    let graph = Graph::new();
    let (ticks, _) = graph.source(Load::new(&round));
    let _ = ticks
        .event_time(Tick::time, BoundedDisorder::NONE)
        .key_by(|tick| tick.number % 64)
        .scan(0_u64, |_, tick| tick)
        .map(|scanned| scanned.value)
        .to(Slow(Arc::clone(&seen)));
    let began = now();
    let job = graph.start(JobOptions { workers: 2, ..JobOptions::DEFAULT }).expect("the job can be started");
    thread::sleep(BEFORE / 2);
    let resident_before = resident();
    let most = AtomicI64::new(resident_before);
    while !job.wait_timeout(Duration::from_millis(20)) {
        most.fetch_max(resident(), Ordering::Relaxed);
    }
    job.wait().expect("the job runs");
    let ends = began + u64::try_from((BEFORE + OVERLOAD).as_nanos()).expect("seconds");
    let recovered_at = seen.recovered_at.load(Ordering::Relaxed);
    Overload {
        offered,
        arrived: seen.records.load(Ordering::Relaxed),
        in_order: seen.in_order.load(Ordering::Relaxed),
        resident_before,
        resident_most: most.into_inner(),
        recovery: (recovered_at > 0).then(|| Duration::from_nanos(recovered_at.saturating_sub(ends))),
        longest_behind: Duration::from_nanos(seen.longest_behind.load(Ordering::Relaxed)),
    }
}

impl Overload {
    /// By how much of itself memory has grown.
    fn growth(&self) -> f64 {
        self.resident_most as f64 / self.resident_before as f64 - 1.0
    }

    /// Its rows in the scorecard: a ratio of one means that it holds.
    pub fn rows(&self) -> [Row; 2] {
        let is_lossless = self.arrived == self.offered && self.in_order;
        [
            Row::held("overload/loss", "records", self.arrived as f64, self.offered as f64, is_lossless),
            Row::held(
                "overload/rss-growth",
                "%",
                self.growth() * 100.0,
                GROWTH * 100.0,
                self.growth() <= GROWTH,
            ),
        ]
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offered, arrived, in_order, resident_before, resident_most, recovery, longest_behind } =
            self;
        let order = if *in_order { "in order" } else { "OUT OF ORDER" };
        writeln!(f, "overload")?;
        writeln!(f, "  {offered} records offered, {arrived} arrived, {order}")?;
        let mebi = |bytes: &i64| *bytes as f64 / f64::from(1 << 20);
        let growth = self.growth() * 100.0;
        writeln!(
            f,
            "  memory: {:.1} MiB before, {:.1} MiB at the most: {growth:.1} % more",
            mebi(resident_before),
            mebi(resident_most)
        )?;
        write!(f, "  at the most {longest_behind:.2?} behind; ")?;
        match recovery {
            Some(recovery) => write!(f, "less than {RECOVERED:?} behind {recovery:.2?} after the overload"),
            None => write!(f, "not recovered when the load ended"),
        }
    }
}

/// Memory of the process, in bytes, that lies in memory.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says how much memory a process has");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibi =
        line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kibi| kibi.parse::<i64>().ok());
    kibi.expect("a number of kilobytes") << 10
}
