//! `cargo xtask bench`: the benchmarks, with what they need besides a Rust toolchain.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, budgets, say};

/// The version of the benchmark library, which its runner must match.
const RUNNER_VERSION: &str = "0.16.1";

/// Installs the instruction counter's runner under `target/tools`, then runs `cargo bench`.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    find_valgrind()?;
    let runner = runner(root)?;
    let mut bench = Command::new("cargo");
    bench.args(["bench", "--package", "nacreous-benches", "--locked"]);
    bench.env("IAI_CALLGRIND_RUNNER", runner).current_dir(root);
    if succeeds(&mut bench) { Ok(()) } else { Err("xtask bench: cargo bench failed".to_owned()) }
}

/// Counts the instructions of the loops of data threads and compares them with their budgets.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    find_valgrind()?;
    budgets::check(root)
}

pub(crate) fn find_valgrind() -> Result<(), Failure> {
    if succeeds(Command::new("valgrind").arg("--version")) {
        return Ok(());
    }
    Err("xtask bench: instructions are counted with valgrind, which is not installed \
        (Debian: apt-get install valgrind). `cargo bench -p nacreous-benches --bench rings` needs none."
        .to_owned())
}

fn runner(root: &Path) -> Result<PathBuf, Failure> {
    let tools = root.join("target/tools");
    let runner = tools.join("bin/iai-callgrind-runner");
    let mut install = Command::new("cargo");
    install.args(["install", "iai-callgrind-runner", "--version", RUNNER_VERSION, "--locked", "--root"]);
    install.arg(&tools).current_dir(root);
    say("==> iai-callgrind-runner");
    if succeeds(&mut install) {
        Ok(runner)
    } else {
        Err(format!("xtask bench: cannot install iai-callgrind-runner {RUNNER_VERSION} from crates.io"))
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
