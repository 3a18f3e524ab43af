//! `cargo xtask test`: one step after the other, stopping at the first that fails.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    Failure,
    checkers::{self, Check},
    orderings::{self, LOOM_BUILD},
    say, tidy,
};

/// A step that is a call of cargo: what it is, its arguments, and variables to set for it.
type Step = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const STEPS: [Step; 5] = [
    ("format", "fmt --all --check", &[]),
    ("clippy", "clippy --workspace --all-targets --locked -- --deny warnings", &[]),
    ("tests and doctests", "test --workspace --locked", &[]),
    // A folder of its own: the flag changes every crate, and would make the other steps build them again.
    (
        "loom models",
        "test --package nacreous-channels --test loom --release --locked --target-dir target/loom",
        &LOOM_BUILD,
    ),
    ("documentation", "doc --workspace --no-deps --locked", &[("RUSTDOCFLAGS", "--deny warnings")]),
];

/// How much to try where there is no end to what could be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Ordinary,
    Long,
}

/// What the long run asks tests for.
const LONG: [(&str, &str); 3] =
    [("NACREOUS_GRAPHS", "10000"), ("NACREOUS_CYCLES", "10000"), ("NACREOUS_RECORDS", "10000000")];

pub(crate) fn run(root: &Path, extent: Extent) -> Result<(), Failure> {
    ensure_component("rustfmt", "fmt")?;
    ensure_component("clippy", "clippy")?;
    announce("tidy");
    tidy::run(root)?;
    for (name, arguments, variables) in STEPS {
        announce(name);
        let started = Instant::now();
        let status = Command::new("cargo")
            .args(arguments.split(' '))
            .envs(variables.iter().copied())
            .envs(LONG.into_iter().filter(|_| extent == Extent::Long))
            .current_dir(root)
            .status()
            .map_err(|error| format!("xtask test: cannot run cargo: {error}"))?;
        if !status.success() {
            return Err(format!("xtask test: step `{name}` failed: cargo {arguments}"));
        }
        say(&format!("    {name}: {} s", started.elapsed().as_secs()));
    }
    announce("orderings");
    orderings::run(root)?;
    let mut not_run = Vec::new();
    let checks: [(&str, fn(&Path) -> Result<Check, Failure>); 4] = [
        ("syscalls", checkers::syscalls),
        ("hwloc", checkers::hwloc),
        ("tsan", checkers::tsan),
        ("miri", checkers::miri),
    ];
    for (name, check) in checks {
        announce(name);
        if let Check::CannotRun(reason) = check(root)? {
            say(&format!("    CANNOT RUN: {reason}"));
            not_run.push(name);
        }
    }
    say(&match not_run[..] {
        [] => "xtask test: every step passed".to_owned(),
        _ => format!("xtask test: every step that can run here passed; NOT RUN: {}", not_run.join(", ")),
    });
    Ok(())
}

fn announce(name: &str) {
    say(&format!("==> {name}"));
}

/// Installs a component of the toolchain if cargo lacks the subcommand.
fn ensure_component(component: &str, subcommand: &str) -> Result<(), Failure> {
    let quietly = |program: &str, arguments: &[&str]| {
        let status =
            Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let present = || quietly("cargo", &[subcommand, "--version"]);
    if present() || (quietly("rustup", &["component", "add", component]) && present()) {
        return Ok(());
    }
    Err(format!(
        "xtask test: this toolchain has no {component}, and rustup cannot add it; install it and run again"
    ))
}
