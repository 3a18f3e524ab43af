//! A producer and a consumer, each pinned to a core of its own, started together and timed together.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Runs both, and says how long it took from the common start until both were done.
///
/// With a single core they share it, and the time says little.
pub fn run<R: Send>(produce: impl FnOnce() + Send, consume: impl FnOnce() -> R + Send) -> (Duration, R) {
    let start = Barrier::new(2);
    thread::scope(|scope| {
        let producer = scope.spawn(|| {
            pin(0);
            start.wait();
            produce();
        });
        let consumer = scope.spawn(|| {
            pin(1);
            start.wait();
            let started = Instant::now();
            let result = consume();
            (started, result)
        });
        let (started, result) = consumer.join().expect("a benchmark does not panic");
        producer.join().expect("a benchmark does not panic");
        (started.elapsed(), result)
    })
}

/// Pins this thread to the core with this position among those it may use; leaves it if there are too few.
pub fn pin(position: usize) {
    // The list is that of the whole process as long as nobody asks from a pinned thread.
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(position) {
        core_affinity::set_for_current(*core);
    }
}
