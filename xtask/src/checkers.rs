//! Checks that need more than a toolchain: `cargo xtask miri` and `cargo xtask tsan`, the channels' own tests under an
//! interpreter that knows what is undefined, and under a sanitizer that sees races at full speed; `cargo xtask hwloc`,
//! the runtime with a library of the system; and the count of system calls. Each says plainly when it cannot run.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{Failure, say};

/// Whether a check was made.
#[must_use]
pub(crate) enum Check {
    Passed,
    /// It says nothing about the code that it could not.
    CannotRun(String),
}

/// The tests of the channels under Miri, with several seeds for the schedule and for weak memory.
pub(crate) fn miri(root: &Path) -> Result<Check, Failure> {
    let present = |toolchain: &&str| quietly("cargo", &[toolchain, "miri", "--version"]);
    let Some(toolchain) = ["+nightly", "+stable"].into_iter().find(present) else {
        let reason =
            "no toolchain here has the component; `rustup +nightly component add miri rust-src` adds it";
        return Ok(Check::CannotRun(reason.to_owned()));
    };
    let status = Command::new("cargo")
        .args([toolchain, "miri", "test", "--package", "nacreous-channels", "--lib"])
        .env("MIRIFLAGS", "-Zmiri-many-seeds=0..8 -Zmiri-tree-borrows")
        .current_dir(root)
        .status()
        .map_err(|error| format!("xtask miri: cannot run cargo: {error}"))?;
    if status.success() {
        Ok(Check::Passed)
    } else {
        Err("xtask miri: found something, see above".to_owned())
    }
}

/// The tests of the channels under ThreadSanitizer. The standard library is not instrumented, so what happens
/// inside it is left out; `xtask/tsan.supp` says what.
pub(crate) fn tsan(root: &Path) -> Result<Check, Failure> {
    const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];
    let host = host()?;
    if !TARGETS.contains(&host.as_str()) {
        return Ok(Check::CannotRun(format!("there is no runtime of the sanitizer for {host}")));
    }
    let sanitized = |arguments: &[&str]| {
        Command::new("cargo")
            .args(["test", "--package", "nacreous-channels", "--lib", "--target", &host])
            .args(["--target-dir", "target/tsan", "--locked"])
            .args(arguments)
            // The sanitizer is not stable yet; this lets the toolchain at hand take its flags all the same.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer")
            // What is left out is named by functions, some of which are compiled into others.
            .env("CARGO_PROFILE_TEST_DEBUG", "line-tables-only")
            .env("TSAN_OPTIONS", format!("suppressions={}", root.join("xtask/tsan.supp").display()))
            .current_dir(root)
            .output()
            .map_err(|error| format!("xtask tsan: cannot run cargo: {error}"))
    };
    let built = sanitized(&["--no-run"])?;
    if !built.status.success() {
        let reason = last_line(&built.stderr);
        return Ok(Check::CannotRun(format!("this toolchain does not build for the sanitizer: {reason}")));
    }
    // One after the other: with threads of its own the test harness is reported too, and is not ours.
    let output = sanitized(&["--", "--test-threads", "1"])?;
    if output.status.success() {
        return Ok(Check::Passed);
    }
    show(&output);
    Err("xtask tsan: found something, see above".to_owned())
}

/// The runtime with the feature `hwloc`, after installing what that links where it is missing.
pub(crate) fn hwloc(root: &Path) -> Result<Check, Failure> {
    let present = || quietly("pkg-config", &["--atleast-version=2.0.0", "hwloc"]);
    if !present() {
        let install = || quietly("apt-get", &["install", "--yes", "libhwloc-dev", "pkg-config"]);
        // A package list that is old or was never fetched names packages that are not there.
        let installed = install() || (quietly("apt-get", &["update"]) && install());
        if !installed || !present() {
            let reason = "libhwloc 2 and pkg-config are not here, and apt-get cannot install them";
            return Ok(Check::CannotRun(reason.to_owned()));
        }
    }
    for arguments in [
        "clippy --package nacreous --features hwloc --lib --tests --locked -- --deny warnings",
        "test --package nacreous --features hwloc --lib --locked",
    ] {
        let status = Command::new("cargo").args(arguments.split(' ')).current_dir(root).status();
        let status = status.map_err(|error| format!("xtask hwloc: cannot run cargo: {error}"))?;
        if !status.success() {
            return Err(format!("xtask hwloc: failed: cargo {arguments}"));
        }
    }
    Ok(Check::Passed)
}

/// That data threads make no system call. It is one of the tests, and passes where it cannot watch them: here that is told
/// apart.
pub(crate) fn syscalls(root: &Path) -> Result<Check, Failure> {
    const MARK: &str = "CANNOT RUN: ";
    let output = Command::new("cargo")
        .args(["test", "--package", "nacreous", "--test", "syscalls", "--locked", "--", "--nocapture"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("xtask test: cannot run cargo: {error}"))?;
    if !output.status.success() {
        show(&output);
        return Err("xtask test: found a system call, see above".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let reason = text.lines().find_map(|line| line.split_once(MARK)).map(|(_, reason)| reason.to_owned());
    Ok(reason.map_or(Check::Passed, Check::CannotRun))
}

/// Runs a check as a command of its own: that it cannot run is a failure then.
pub(crate) fn alone(name: &str, check: Check) -> Result<(), Failure> {
    match check {
        Check::Passed => {
            say(&format!("xtask {name}: passed"));
            Ok(())
        }
        Check::CannotRun(reason) => Err(format!("xtask {name}: CANNOT RUN: {reason}")),
    }
}

/// The target that this toolchain builds for by itself.
fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("xtask tsan: cannot run rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "xtask tsan: rustc -vV names no host".to_owned())
}

fn quietly(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned()
}

fn show(output: &Output) {
    say(&String::from_utf8_lossy(&output.stdout));
    say(&String::from_utf8_lossy(&output.stderr));
}
