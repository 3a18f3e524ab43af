use std::{
    hint::black_box,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use nacreous_channels::spsc;
use nacreous_operators::{Batch, Record};
use nacreous_watermark::Timestamp;

/// Records in a batch.
const RECORDS: usize = 512;
/// Batches that are passed on.
const BATCHES: usize = 1_000;

/// What it takes a record to get to another thread, beyond what it takes to be written, or to be read, by one alone: in
/// nanoseconds, on the side that takes longer. Measured once in a process, in some milliseconds.
pub(crate) fn hop_ns() -> f64 {
    static MEASURED: OnceLock<f64> = OnceLock::new();
    *MEASURED.get_or_init(|| {
        let rounds = (0..3).map(|_| (across() - alone()).max(0.0));
        rounds.fold(f64::INFINITY, f64::min)
    })
}

fn write(batch: &mut Batch<u64>) {
    for value in 0..RECORDS as u64 {
        batch.push(Record { time: Timestamp::MIN, value: black_box(value) });
    }
}

fn read(batch: &mut Batch<u64>) -> u64 {
    batch.drain().map(|record| black_box(record.value)).sum()
}

/// Nanoseconds a record, from one thread to another.
fn across() -> f64 {
    let (mut producer, mut consumer) = spsc::ring(64, || Batch::new(RECORDS));
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..BATCHES {
                loop {
                    if let Some(batch) = producer.claim() {
                        break write(batch);
                    }
                    thread::yield_now();
                }
                producer.publish();
            }
        });
        for _ in 0..BATCHES {
            loop {
                if let Some(batch) = consumer.peek() {
                    black_box(read(batch));
                    break;
                }
                thread::yield_now();
            }
            consumer.release();
        }
    });
    per_record(began.elapsed())
}

/// Nanoseconds a record, written or read by one thread: what takes longer.
fn alone() -> f64 {
    let mut batch = Batch::new(RECORDS);
    let (mut writing, mut reading) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..BATCHES {
        let began = Instant::now();
        write(&mut batch);
        let written = Instant::now();
        black_box(read(&mut batch));
        writing += written - began;
        reading += written.elapsed();
    }
    per_record(writing.max(reading))
}

#[expect(clippy::cast_precision_loss, reason = "a rate is rounded by nature")]
fn per_record(time: Duration) -> f64 {
    time.as_nanos() as f64 / (RECORDS * BATCHES) as f64
}
