//! Times of the channels with criterion: `cargo bench -p nacreous-benches --bench rings`.
//!
//! Each benchmark needs two cores and pins a thread to each. The scorecard compares with rivals; here it is how the
//! times change with the size of a batch, the number of lanes, of senders and of consumers.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use nacreous_benches::rings::{Transfer, barriers, broadcast, fan_in, mpsc, round_trip, spsc, tail};

/// Records that make one iteration.
const RECORDS: u64 = 4_096;
const SLOTS: usize = 4_096;

/// Times the transfer of so many records; the ends are made anew for each sample.
fn transfer(c: &mut Criterion, group: &str, id: BenchmarkId, mut run: Transfer) {
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|iterations| {
            let (time, digest) = run.run(iterations * RECORDS);
            black_box(digest);
            time
        });
    });
}

fn single(c: &mut Criterion) {
    transfer(c, "single", BenchmarkId::from_parameter("channel"), spsc::singles(SLOTS));
    transfer(c, "single", BenchmarkId::from_parameter("ring, batches of 1"), spsc::batches(SLOTS, 1));
    transfer(c, "single", BenchmarkId::from_parameter("rtrb"), spsc::singles_rtrb(SLOTS));
    transfer(c, "single", BenchmarkId::from_parameter("crossbeam"), spsc::singles_crossbeam(SLOTS));
}

fn batched(c: &mut Criterion) {
    for batch in [8, 64, 512] {
        transfer(c, "batched", BenchmarkId::new("ring", batch), spsc::batches(SLOTS, batch));
        transfer(c, "batched", BenchmarkId::new("rtrb", batch), spsc::batches_rtrb(SLOTS, batch));
    }
}

fn lanes(c: &mut Criterion) {
    for lanes in [1, 2, 4, 8] {
        transfer(c, "fan-in", BenchmarkId::new("single", lanes), fan_in::singles(lanes));
        transfer(c, "fan-in", BenchmarkId::new("batches of 64", lanes), fan_in::batches(lanes, 64));
    }
}

fn consumers(c: &mut Criterion) {
    for consumers in [1, 2, 3] {
        transfer(c, "broadcast", BenchmarkId::from_parameter(consumers), broadcast::batches(consumers));
    }
}

fn senders(c: &mut Criterion) {
    let mut group = c.benchmark_group("mpsc");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.throughput(Throughput::Elements(1_000_000));
    for senders in [1, 2, 4] {
        group.bench_function(BenchmarkId::from_parameter(senders), |bencher| {
            bencher.iter_custom(|iterations| {
                // What it measures is a rate, in millions of records a second.
                let rates = (0..iterations).map(|_| mpsc::ours(senders).figure);
                rates.map(|rate| Duration::from_secs_f64(1.0 / rate)).sum()
            });
        });
    }
}

/// Quantiles of a time, each as a benchmark of its own.
fn quantiles(c: &mut Criterion, name: &str, mut nanos: impl FnMut(f64) -> f64) {
    let mut group = c.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for (label, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        group.bench_function(label, |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| Duration::from_secs_f64(nanos(quantile) / 1e9)).sum()
            });
        });
    }
}

fn round_trips(c: &mut Criterion) {
    quantiles(c, "round trip", |quantile| round_trip::ours(quantile)().figure);
    quantiles(c, "round trip, bare atomics", |quantile| round_trip::bare(quantile)().figure);
    quantiles(c, "round trip, rtrb", |quantile| round_trip::rtrb(quantile)().figure);
}

/// Records made one after the other: how old each is when it is read, whether each was published at once or all
/// of a batch together.
fn published_singly_or_together(c: &mut Criterion) {
    for batch in [1, 8, 64] {
        quantiles(c, &format!("age when read, published by {batch}"), |quantile| tail::age(batch, quantile));
    }
}

/// What a barrier between publishing and looking for a sleeper costs a producer while the consumer is awake.
fn fences(c: &mut Criterion) {
    transfer(c, "barrier after each value", BenchmarkId::from_parameter("none"), barriers::none());
    transfer(c, "barrier after each value", BenchmarkId::from_parameter("Waker::wake"), barriers::waker());
    transfer(
        c,
        "barrier after each value",
        BenchmarkId::from_parameter("SeqCst fence"),
        barriers::fence_only(),
    );
}

criterion_group! {
    name = rings;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500));
    targets = single, batched, lanes, consumers, senders, round_trips, published_singly_or_together, fences
}
criterion_main!(rings);
