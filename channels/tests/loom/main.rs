//! Models of each edge of each protocol: loom explores every execution with up to three preemptions.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p nacreous-channels --test loom --release`.
#![cfg(loom)]

mod broadcast;
mod idle;
mod mpsc;
mod spsc_channel;
mod spsc_ring;

use loom::model::Builder;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

/// Two words that belong together: a torn or early read shows.
type Pair = Box<(u32, u32)>;

fn pair(value: u32) -> Pair {
    Box::new((value, value))
}
