//! Joins orders with payments, in two ways: each payment with the order of its customer that it follows within a minute,
//! and all orders with all payments of a customer in the same five minutes.
//!
//! ```sh
//! cargo run --release --example join
//! ```
//!
//! The last order comes three minutes after its time, when orders are said to come out of order by a minute at most. So
//! the first join puts it out as late and matches no payment with it, whatever has come of the other stream by then. For
//! the second it comes in time: its window is open until the watermark has passed the end of it.
//!
//! ```text
//! paid within a minute:
//!   at  25 s customer 1 paid 30 for 30
//! …
//! late:
//!   customer 2: order for 15 at 150 s
//! in the same five minutes:
//!   until 300 s customer 1 ordered 12, paid 12
//! …
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::{error::Error, time::Duration};

use nacreous::{
    Either, Interval,
    Offset::{After, Before},
    prelude::*,
};

#[derive(Clone, Copy)]
struct Order {
    at: Timestamp,
    customer: u32,
    euros: u32,
}

#[derive(Clone, Copy)]
struct Payment {
    at: Timestamp,
    customer: u32,
    euros: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let order = |secs, customer, euros| Order { at: clock(secs), customer, euros };
    let payment = |secs, customer, euros| Payment { at: clock(secs), customer, euros };
    let orders = [
        order(0, 1, 30),
        order(20, 2, 8),
        order(70, 1, 12),
        order(330, 3, 99), // the watermark is 270 from here on
        order(150, 2, 15),
    ];
    let payments = [payment(25, 1, 30), payment(45, 2, 8), payment(95, 1, 12), payment(170, 2, 15)];

    let graph = Graph::new();
    let disorder = BoundedDisorder::new(Duration::from_secs(60))?;
    // A stream is used once. What is to be used twice is copied.
    let [orders, orders_again] =
        graph.iter(orders).event_time(|order| order.at, disorder.clone()).broadcast();
    let [payments, payments_again] =
        graph.iter(payments).event_time(|payment| payment.at, disorder).broadcast();

    // A payment belongs to an order of at most a minute before it.
    let soon = Interval::new(Before(Duration::ZERO), After(Duration::from_secs(60)))?;
    let (paid, late) =
        orders.key_by(|order| order.customer).join(payments.key_by(|payment| payment.customer), soon, pair);
    let paid = paid.order_by(|pair| pair.key).collect();
    let late = late.order_by(|record| record.key).collect();

    // Within five minutes any order may be meant by any payment.
    let windows = Sliding::tumbling(Duration::from_secs(300))?;
    let (candidates, _) = orders_again
        .key_by(|order| order.customer)
        .window(windows)
        .join(payments_again.key_by(|payment| payment.customer), pair);
    let candidates = candidates.order_by(|pair| (pair.key, pair.value)).collect();

    let report = graph.run(JobOptions::default())?;

    println!("paid within a minute:");
    for record in paid.take() {
        let Keyed { key: customer, value: (ordered, paid) } = record.value;
        println!("  at {:>3} s customer {customer} paid {paid} for {ordered}", secs(record.time));
    }
    println!("late:");
    for record in late.take() {
        let what = match record.value.value {
            Either::Left(order) => format!("order for {}", order.euros),
            Either::Right(payment) => format!("payment of {}", payment.euros),
        };
        println!("  customer {}: {what} at {} s", record.value.key, secs(record.time));
    }
    println!("in the same five minutes:");
    for record in candidates.take() {
        let WindowResult { window, key: customer, value: (ordered, paid), .. } = record.value;
        println!("  until {} s customer {customer} ordered {ordered}, paid {paid}", secs(window.end));
    }
    println!("{} records, {} late", report.records_in, report.records_late);
    Ok(())
}

fn pair(order: &Order, payment: &Payment) -> (u32, u32) {
    (order.euros, payment.euros)
}

fn clock(secs: u64) -> Timestamp {
    Timestamp::from_nanos(0) + Duration::from_secs(secs)
}

fn secs(time: Timestamp) -> i64 {
    time.as_nanos() / 1_000_000_000
}
