//! `cargo xtask bench --compile-time`: how long a graph of twelve operators takes to compile, in one loop and in boxes.

use std::{
    fs::File,
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use crate::{Failure, say};

/// The programs, of which the first may take so many times as long as the second.
const PROGRAMS: [&str; 2] = ["twelve_fused", "twelve_boxed"];
const RATIO_MAX: f64 = 2.0;
/// How often each is compiled: the least time counts.
const ROUNDS: usize = 3;

/// Compiles both programs in turn and compares.
pub(crate) fn compare(root: &Path) -> Result<(), Failure> {
    say("==> what the programs depend on");
    PROGRAMS.iter().try_for_each(|program| build(root, program).map(drop))?;
    let mut least = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (program, least) in PROGRAMS.into_iter().zip(&mut least) {
            *least = build(root, program)?.min(*least);
        }
    }
    let [fused, boxed] = least.map(|time| time.as_secs_f64());
    let ratio = fused / boxed;
    say(&format!(
        "twelve operators: fused {fused:.2} s, boxed {boxed:.2} s, ratio {ratio:.2} (at most {RATIO_MAX})"
    ));
    if ratio <= RATIO_MAX {
        Ok(())
    } else {
        Err("xtask bench: fused operators take too long to compile".to_owned())
    }
}

/// Compiles a program whose dependencies need not be, as a user's own profile would: without link-time optimization.
fn build(root: &Path, program: &str) -> Result<Duration, Failure> {
    let failed = |error| format!("xtask bench: cannot build {program}: {error}");
    let source = root.join("benches/examples").join(program).with_extension("rs");
    // So that it is newer than what was built of it.
    let touched =
        File::options().append(true).open(&source).and_then(|file| file.set_modified(SystemTime::now()));
    touched.map_err(|error| failed(error.to_string()))?;
    let mut cargo = Command::new("cargo");
    cargo.args([
        "build",
        "--release",
        "--package",
        "nacreous-benches",
        "--example",
        program,
        "--locked",
        "--quiet",
    ]);
    cargo.args(["--config", "profile.release.lto=\"off\"", "--config", "profile.release.codegen-units=16"]);
    cargo.args(["--target-dir", "target/compile-time"]).current_dir(root);
    let began = Instant::now();
    let status = cargo.status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(began.elapsed()) } else { Err(failed(status.to_string())) }
}
