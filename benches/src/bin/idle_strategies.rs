//! What each idle strategy costs and how soon it notices work: `cargo run --release -p nacreous-benches --bin
//! idle_strategies`.
//!
//! A consumer on one core waits for values that a producer on the other sends every few milliseconds: how long from
//! the push until the pop, and how much of a core the consumer takes meanwhile. Then the price for the producer:
//! how long the call takes that ends the wait.

use std::{
    hint,
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use nacreous_benches::{clock::Clock, two_threads};
use nacreous_channels::{
    idle::{Idle, Parker, Strategy},
    spsc,
};

const VALUES: usize = 400;
const GAP: Duration = Duration::from_millis(3);

const STRATEGIES: [(&str, Strategy); 4] = [
    ("BUSY", Strategy::BUSY),
    ("STEPPED", Strategy::STEPPED),
    ("FRUGAL", Strategy::FRUGAL),
    ("yield for ever", Strategy { spins: 0, yields: 1, park: None }),
];

struct Figures {
    wake_p50_us: f64,
    wake_p99_us: f64,
    core_percent: f64,
    call_p50_us: f64,
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let [strategy, p50, p99, core, call] =
        ["strategy", "noticed p50 µs", "p99 µs", "core while idle %", "producer's call p50 µs"];
    writeln!(out, "{strategy:<16} {p50:>15} {p99:>8} {core:>18} {call:>23}")?;
    for (name, strategy) in STRATEGIES {
        let Figures { wake_p50_us, wake_p99_us, core_percent, call_p50_us } = measure(strategy);
        writeln!(
            out,
            "{name:<16} {wake_p50_us:>15.2} {wake_p99_us:>8.2} {core_percent:>18.1} {call_p50_us:>23.3}"
        )?;
    }
    Ok(())
}

fn measure(strategy: Strategy) -> Figures {
    let clock = Clock::new();
    let (mut sender, mut receiver) = spsc::channel(16);
    let parker = Parker::new();
    let waker = parker.waker();
    let (send_calls, calls) = std::sync::mpsc::channel();
    let produce = move || {
        let mut calls = Vec::with_capacity(VALUES);
        for _ in 0..VALUES {
            thread::sleep(GAP);
            let sent = clock.ticks();
            sender.push(sent).expect("the consumer keeps up");
            waker.wake();
            calls.push(clock.ticks() - sent);
        }
        send_calls.send(calls).expect("this function waits for them");
    };
    let consume = move || {
        let mut idle = Idle::new(parker);
        let mut delays = Vec::with_capacity(VALUES);
        let (began, used) = (Instant::now(), cpu_time());
        while delays.len() < VALUES {
            match receiver.pop() {
                Some(sent) => {
                    // Cores need not agree to the tick.
                    delays.push(clock.ticks().saturating_sub(sent));
                    idle.reset();
                }
                None => idle.wait(strategy),
            }
            hint::black_box(&delays);
        }
        (delays, (cpu_time() - used).as_secs_f64() / began.elapsed().as_secs_f64())
    };
    let (_, (delays, core)) = two_threads::run(produce, consume);
    let calls = calls.recv().expect("the producer has sent them");
    let micros = |ticks: &[u64], quantile| clock.quantile(ticks.to_vec(), quantile) / 1e3;
    Figures {
        wake_p50_us: micros(&delays, 0.5),
        wake_p99_us: micros(&delays, 0.99),
        core_percent: core * 100.0,
        call_p50_us: micros(&calls, 0.5),
    }
}

/// What this thread has used of a core.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a thread's time is not negative")
}
