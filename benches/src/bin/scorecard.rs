//! Runs the comparisons and prints a row for each; `--help` lists the options.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use nacreous_benches::{
    chain,
    comparison::{Comparison, Score},
    flight_delays, growth, join, keyed_sum, nexmark, plan,
    rings::{broadcast, fan_in, mpsc, round_trip, spsc},
    windows,
};

/// Ours against rivals: run alternately in one process, results checked, medians and ratios with spread.
///
/// A ratio above 1 means ours is better.
#[derive(Debug, Parser)]
#[command(name = "scorecard")]
struct Options {
    /// Run only the rows whose id begins so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    only: String,
    /// How often each side runs
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(5..))]
    rounds: u16,
    /// Print one JSON object a row
    #[arg(long)]
    json: bool,
}

/// All rows, each made when its turn comes, so that it holds no memory before.
const ROWS: [(&str, fn() -> Comparison); 37] = [
    ("flight-delays/hand", flight_delays::against_hand),
    ("keyed-sum/1-worker/hand", keyed_sum::against_hand),
    ("keyed-sum/1-worker/timely", keyed_sum::against_timely),
    ("keyed-sum/2-workers/timely", keyed_sum::two_workers),
    ("keyed-sum/1M-keys/timely", keyed_sum::many_keys),
    ("keyed-sum/string-keys/timely", keyed_sum::string_keys),
    ("join/window/timely", join::against_timely),
    ("nexmark/q5/timely", nexmark::hot_items_timely),
    ("nexmark/q7/timely", nexmark::highest_bids_timely),
    ("nexmark/q8/timely", nexmark::new_sellers_timely),
    ("window/sliding-sum-60-1/hand", windows::sliding_sum_hand),
    ("window/10000-slides/recompute", windows::ten_thousand_slides),
    ("window/sliding-max-60-1/two-stacks", windows::sliding_max_two_stacks),
    ("window/sliding-max/uwheel", windows::sliding_max_uwheel),
    ("window/out-of-order-fiba/btreemap", windows::out_of_order_btreemap),
    ("window/insert-evict-p9999/two-stacks", windows::insert_evict_two_stacks),
    ("state/growth-worst/hashbrown", growth::worst_hashbrown),
    ("chain/fused-4/hand", chain::four_hand),
    ("chain/fused-1/timely", chain::one_timely),
    ("chain/fused-4/timely", chain::four_timely),
    ("chain/boxed-4/timely", chain::boxed_timely),
    ("chain/boxed-8/timely", chain::eight_boxes_timely),
    ("chain/boxed-1-by-1/boxed-512", chain::one_by_one),
    ("plan/auto/best", plan::against_best),
    ("plan/auto/worst", plan::against_worst),
    ("plan/best/itself", plan::best_against_itself),
    ("spsc/batched/rtrb", spsc::batched_rtrb),
    ("spsc/single/rtrb", spsc::single_rtrb),
    ("spsc/single-large/rtrb", spsc::single_large_rtrb),
    ("spsc/single/crossbeam", spsc::single_crossbeam),
    ("spsc/round-trip-p50/floor", round_trip::p50_floor),
    ("spsc/round-trip-p50/rtrb", round_trip::p50_rtrb),
    ("spsc/round-trip-p99/rtrb", round_trip::p99_rtrb),
    ("fan-in-4/batched/crossbeam", fan_in::batched_crossbeam),
    ("fan-in-4/single/disruptor", fan_in::single_disruptor),
    ("mpsc-2/single/crossbeam-channel", mpsc::two_crossbeam),
    ("broadcast-2/batched/disruptor", broadcast::two_disruptor),
];

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "scorecard: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, out: &mut dyn Write) -> Result<(), String> {
    let rows: Vec<_> = ROWS.iter().filter(|(id, _)| id.starts_with(&options.only)).collect();
    if rows.is_empty() {
        let ids = ROWS.map(|(id, _)| id).join(", ");
        return Err(format!("no row begins with `{}`; there are {ids}", options.only));
    }
    let cannot_write = |error: io::Error| format!("cannot write standard output: {error}");
    if !options.json {
        writeln!(out, "{}", Score::header()).map_err(cannot_write)?;
    }
    for (_, comparison) in rows {
        let score = comparison().run(options.rounds.into()).map_err(|error| error.to_string())?;
        let line = match options.json {
            true => serde_json::to_string(&score).map_err(|error| error.to_string())?,
            false => score.to_string(),
        };
        writeln!(out, "{line}").map_err(cannot_write)?;
    }
    Ok(())
}
