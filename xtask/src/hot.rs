//! `cargo xtask hot BASE`: what the hot path took at another commit, and takes now: instructions for each record of whole
//! loops, and a few rows of the scorecard, run in turn.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Failure, budgets, say};

/// The rows that are run: one for each kind of loop, a matter of seconds each.
const ROWS: [&str; 5] = [
    "spsc/batched/rtrb",
    "chain/fused-4/hand",
    "keyed-sum/1-worker/hand",
    "keyed-sum/string-keys/timely",
    "window/sliding-sum-60-1/hand",
];
/// How often each side runs a row.
const TURNS: usize = 3;

/// A commit, built.
struct Built {
    name: String,
    programs: PathBuf,
}

/// Compares what is in the working tree with a commit.
pub(crate) fn compare(root: &Path, base: &str) -> Result<(), Failure> {
    let commit = git(root, &["rev-parse", "--short", "--verify", &format!("{base}^{{commit}}")])
        .map_err(|said| format!("xtask hot: `{base}` is no commit: {said}"))?;
    let folder = root.join("target/hot");
    let tree = folder.join("tree");
    if tree.exists() {
        git(&tree, &["checkout", "--detach", "--quiet", &commit])
    } else {
        git(root, &["worktree", "prune"])?;
        git(root, &["worktree", "add", "--detach", "--quiet", &tree.display().to_string(), &commit])
    }
    .map_err(|said| format!("xtask hot: cannot check out {commit} in {}: {said}", tree.display()))?;
    let before = build(&tree, &folder.join("before"), commit)?;
    let now = build(root, &folder.join("now"), "now".to_owned())?;

    say(&format!("\n{:<32} {:>10} {:>10} {:>8}", "instructions a record", before.name, now.name, "change"));
    let known = budgets::loops(&before.programs.join("loops"))?;
    for id in budgets::loops(&now.programs.join("loops"))? {
        let count = |built: &Built| budgets::instructions(&built.programs.join("loops"), &folder, &id);
        let after = count(&now)?;
        if known.contains(&id) {
            say(&line(&id, count(&before)?, after));
        } else {
            say(&format!("{id:<32} {:>10} {after:>10.2}", "-"));
        }
    }

    say(&format!(
        "\n{:<32} {:>10} {:>10} {:>8}",
        "rate, as a part of the rival's", before.name, now.name, "change"
    ));
    for id in ROWS {
        let [mut befores, mut nows] = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            befores.extend(ratio(&before, id)?);
            nows.extend(ratio(&now, id)?);
        }
        match (median(befores), median(nows)) {
            (Some(before), Some(after)) => say(&line(id, before, after)),
            _ => say(&format!("{id:<32} is not in both")),
        }
    }
    Ok(())
}

fn line(id: &str, before: f64, after: f64) -> String {
    format!("{id:<32} {before:>10.2} {after:>10.2} {:>+7.1} %", (after / before - 1.0) * 100.0)
}

/// Builds what counts and what is timed.
fn build(tree: &Path, target: &Path, name: String) -> Result<Built, Failure> {
    say(&format!("==> {name}"));
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--package", "nacreous-benches", "--bin", "loops"]);
    cargo.args(["--bin", "scorecard", "--target-dir"]).arg(target).current_dir(tree);
    if !cargo.status().is_ok_and(|status| status.success()) {
        return Err(format!("xtask hot: {name} cannot be built: see above"));
    }
    Ok(Built { name, programs: target.join("release") })
}

/// The ratio of a row, if there is such a row.
fn ratio(built: &Built, id: &str) -> Result<Option<f64>, Failure> {
    let mut scorecard = Command::new(built.programs.join("scorecard"));
    scorecard.args(["--only", id, "--rounds", "5", "--json"]).stdin(Stdio::null());
    let output =
        scorecard.output().map_err(|error| format!("xtask hot: cannot run the scorecard: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().next().and_then(|line| serde_json::from_str::<Value>(line).ok());
    Ok(row.and_then(|row| row.get("ratio")?.as_f64()))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// What git prints; what it says if it fails.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git").args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run git: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_percent() {
        assert!(line("a", 40.0, 42.0).ends_with("+5.0 %"));
        assert!(line("a", 2.0, 1.0).ends_with("-50.0 %"));
    }

    #[test]
    fn the_median_of_none_is_none() {
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(Vec::new())), (Some(2.0), None));
    }
}
