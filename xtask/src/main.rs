//! The project's own commands: `cargo xtask` lists them.

mod bench;
mod budgets;
mod checkers;
mod compile_time;
mod hot;
mod orderings;
mod test;
mod tidy;
mod tree;

use std::{env, io::Write, path::Path, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND
  test       everything CI checks: format, tidy, clippy, tests, doctests, loom models, orderings, documentation;
             with --long, ten thousand random graphs, as many jobs started and ended, and ten million records made to
             break windows, which takes an hour
  tidy       what no compiler checks: dependency arrows, pure crates, HOT and ORDERING notes, links
  orderings  weakens each memory order in turn and expects a loom model to fail
  tsan       the channels' tests under ThreadSanitizer
  miri       the channels' tests under Miri
  hwloc      the runtime with the feature hwloc, whose library it installs if need be
  bench      installs what counts instructions and runs all benchmarks; with --check, counts the instructions of the
             loops of data threads and compares them with HOTPATH.md; with --compile-time, compiles twelve operators
             in one loop and in boxes
  hot BASE   builds the commit BASE and the working tree, counts the instructions of the loops of data threads and runs
             a few rows of the scorecard in both, in turn, and prints both beside each other: a quarter of an hour";

/// Why a command failed, in words for the terminal.
type Failure = String;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test::run(root, test::Extent::Ordinary),
        ["test", "--long"] => test::run(root, test::Extent::Long),
        ["tidy"] => tidy::run(root),
        ["orderings"] => orderings::run(root),
        ["tsan"] => checkers::tsan(root).and_then(|check| checkers::alone("tsan", check)),
        ["miri"] => checkers::miri(root).and_then(|check| checkers::alone("miri", check)),
        ["hwloc"] => checkers::hwloc(root).and_then(|check| checkers::alone("hwloc", check)),
        ["bench"] => bench::run(root),
        ["bench", "--check"] => bench::check(root),
        ["bench", "--compile-time"] => compile_time::compare(root),
        ["hot", base] => bench::find_valgrind().and_then(|()| hot::compare(root, base)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Prints a line on standard error. There is nobody to tell if that fails.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
