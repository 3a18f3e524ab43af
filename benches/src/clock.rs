//! A clock for intervals of some ten nanoseconds: the processor's cycle counter where there is one.

use std::time::{Duration, Instant};

/// Reads ticks, and knows how long one is.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    #[cfg_attr(target_arch = "x86_64", expect(dead_code, reason = "the ticks of other processors"))]
    started: Instant,
    nanos_per_tick: f64,
}

impl Clock {
    /// Calibrates the ticks against the system's clock, which takes 10 ms.
    pub fn new() -> Self {
        const CALIBRATION: Duration = Duration::from_millis(10);
        let mut clock = Self { started: Instant::now(), nanos_per_tick: 1.0 };
        let (first, began) = (clock.ticks(), Instant::now());
        while began.elapsed() < CALIBRATION {}
        clock.nanos_per_tick = began.elapsed().as_nanos() as f64 / (clock.ticks() - first) as f64;
        clock
    }

    /// Ticks since some moment in the past.
    #[inline(always)]
    pub fn ticks(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 processor has a cycle counter.
        return unsafe { core::arch::x86_64::_rdtsc() };
        #[cfg(not(target_arch = "x86_64"))]
        return u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    }

    /// How long this many ticks are, in nanoseconds.
    pub fn nanos(&self, ticks: u64) -> f64 {
        ticks as f64 * self.nanos_per_tick
    }

    /// The quantile of some intervals, in nanoseconds: so large a part of them is no longer.
    ///
    /// # Panics
    /// If there are none.
    pub fn quantile(&self, mut ticks: Vec<u64>, quantile: f64) -> f64 {
        ticks.sort_unstable();
        #[expect(clippy::cast_possible_truncation, reason = "the quantile is no more than one")]
        let rank = ((ticks.len() - 1) as f64 * quantile) as usize;
        self.nanos(ticks[rank])
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
