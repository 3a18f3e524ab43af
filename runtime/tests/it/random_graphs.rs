//! Graphs put together at random, each run in many ways and compared with an interpreter that knows nothing of
//! batches, workers or watermarks under way.

pub(crate) mod build;
pub(crate) mod generate;
mod interpret;

use fastrand::Rng;
use nacreous::prelude::*;

use self::{build::Joints, generate::Program};
use crate::equivalence::{BATCHES, WORKERS};

/// What flows in all of these graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) key: u16,
    pub(crate) value: i64,
}

/// How many graphs an ordinary run tries; `NACREOUS_GRAPHS` asks for more.
const GRAPHS: u64 = 200;

#[test]
fn random_graphs_agree_with_an_interpreter_however_they_are_run() {
    let graphs = std::env::var("NACREOUS_GRAPHS").ok().map(|text| text.parse().expect("a number of graphs"));
    let first = std::env::var("NACREOUS_FIRST_GRAPH").ok().map_or(0, |text| text.parse().expect("a seed"));
    for seed in first..first + graphs.unwrap_or(GRAPHS) {
        check(seed);
    }
}

fn check(seed: u64) {
    let program = Program::generate(seed);
    let expected = interpret::run(&program);
    for (row, workers) in WORKERS.into_iter().enumerate() {
        for (column, batch) in BATCHES.into_iter().enumerate() {
            // Each number of workers and each size of a batch has all of them; another graph, another way.
            let joints = match (row as u64 + column as u64 + seed) % 3 {
                0 => Joints::Boxed,
                1 => Joints::Cut,
                _ => Joints::Mixed(Rng::with_seed(seed)),
            };
            let tier = match (row as u64 + 2 * column as u64 + seed / 3) % 4 {
                0 => Tier::Fused,
                1 => Tier::Boxed,
                2 => Tier::Auto,
                _ => Tier::Restless { seed: seed * 9 + row as u64 * 3 + column as u64 + 1 },
            };
            let what = || {
                format!(
                    "NACREOUS_FIRST_GRAPH={seed}, {joints:?}, {tier:?}, {workers} workers, batch {batch}: {program:#?}"
                )
            };
            let options = JobOptions { workers, batch, tier, ..JobOptions::DEFAULT };
            let (found, report) = build::run(&program, joints.clone(), options)
                .unwrap_or_else(|error| panic!("{error}; {}", what()));
            assert_eq!(found.len(), expected.outputs.len(), "{}", what());
            for (number, (found, expected)) in found.iter().zip(&expected.outputs).enumerate() {
                assert!(found == expected, "output {number}: {}\n{}", difference(found, expected), what());
            }
            assert_eq!(report.records_late, expected.late, "late records: {}", what());
        }
    }
}

/// What one has that the other lacks.
fn difference(found: &[(i64, Item)], expected: &[(i64, Item)]) -> String {
    let only = |these: &[(i64, Item)], those: &[(i64, Item)]| {
        let mut rest = those.to_vec();
        let mut only = these.to_vec();
        only.retain(|item| match rest.iter().position(|other| other == item) {
            Some(at) => {
                rest.swap_remove(at);
                false
            }
            None => true,
        });
        only.truncate(10);
        only
    };
    format!(
        "{} records instead of {}; too many {:?}, too few {:?}",
        found.len(),
        expected.len(),
        only(found, expected),
        only(expected, found)
    )
}
