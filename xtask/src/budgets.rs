//! `cargo xtask bench --check`: counts the instructions that the loops of data threads take for each record, and compares
//! them with the budgets in HOTPATH.md. Instructions alone are compared: they are the same on any day.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Failure, say};

/// Blocks of records in a short run and in a long one: what both have in common is not counted. Long enough that what threads do while
/// they wait, which no two runs have in common, comes to little for each record.
const BLOCKS: [u64; 2] = [4, 44];

/// How far a count may be above its budget: threads are not scheduled alike in any two runs.
const ABOVE: f64 = 1.02;
/// How far below, before the budget says nothing any more.
const BELOW: f64 = 0.9;

/// What callgrind counts besides instructions, and what it is called here.
const EVENTS: [(&str, &str); 4] =
    [("Ir", "instructions"), ("Bc", "branches"), ("Bcm", "mispredicted"), ("D1mr", "D1 misses")];

/// Counts each loop.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(root.join("HOTPATH.md"))
        .map_err(|error| format!("xtask bench: cannot read HOTPATH.md: {error}"))?;
    let budgets = budgets(&text)?;
    let mut build = Command::new("cargo");
    build.args([
        "build",
        "--release",
        "--package",
        "nacreous-benches",
        "--bin",
        "loops",
        "--locked",
        "--target-dir",
        "target",
    ]);
    if !build.current_dir(root).status().is_ok_and(|status| status.success()) {
        return Err("xtask bench: the loops cannot be built".to_owned());
    }
    let program = root.join("target/release/loops");
    let listed = loops(&program)?;
    let mut wrong = Vec::new();
    for id in listed.iter().filter(|id| !budgets.iter().any(|(known, _)| known == *id)) {
        wrong.push(format!("{id}: it has no budget in HOTPATH.md"));
    }
    let [instructions, branches, mispredicted, misses] = EVENTS.map(|(_, name)| name);
    say(&format!(
        "{:<16} {:>8} {instructions:>13} {branches:>9} {mispredicted:>13} {misses:>10}",
        "a record", "budget"
    ));
    for (id, budget) in &budgets {
        let counts = count(&program, &root.join("target"), id)?;
        let [instructions, branches, mispredicted, misses] = counts;
        say(&format!(
            "{id:<16} {budget:>8} {instructions:>13.2} {branches:>9.2} {mispredicted:>13.4} {misses:>10.4}"
        ));
        wrong.extend(verdict(id, *budget, instructions));
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("xtask bench: {}", wrong.join("\nxtask bench: "))) }
}

/// What is wrong with a count, if anything is.
fn verdict(id: &str, budget: f64, instructions: f64) -> Option<String> {
    if instructions > budget * ABOVE {
        return Some(format!("{id}: {instructions:.2} instructions a record, and the budget is {budget}"));
    }
    let stale = instructions < budget * BELOW;
    stale.then(|| format!("{id}: {instructions:.2} instructions a record: lower the budget of {budget}"))
}

/// The rows of the table of loops: an id, and its budget.
fn budgets(text: &str) -> Result<Vec<(String, f64)>, Failure> {
    let section = text.split_once("\n## Loops\n").map_or("", |(_, rest)| rest);
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split('|').map(str::trim);
        Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
    };
    let rows: Vec<_> = section.lines().filter_map(row).collect();
    if rows.is_empty() {
        return Err("xtask bench: HOTPATH.md has no table of budgets under `## Loops`".to_owned());
    }
    Ok(rows)
}

/// The ids of the loops that a program has.
pub(crate) fn loops(program: &Path) -> Result<Vec<String>, Failure> {
    let listed = Command::new(program).stdin(Stdio::null()).output();
    let listed = listed.map_err(|error| format!("xtask bench: cannot run {}: {error}", program.display()))?;
    Ok(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect())
}

/// The instructions that a loop takes for each record.
pub(crate) fn instructions(program: &Path, folder: &Path, id: &str) -> Result<f64, Failure> {
    count(program, folder, id).map(|[instructions, ..]| instructions)
}

/// What a loop takes for each record, by event. Callgrind leaves what it writes in the folder.
fn count(program: &Path, folder: &Path, id: &str) -> Result<[f64; EVENTS.len()], Failure> {
    let [short, long] = BLOCKS.map(|blocks| run(program, folder, id, blocks));
    let ((short, few), (long, many)) = (short?, long?);
    let mut counts = [0.0; EVENTS.len()];
    for (count, (long, short)) in counts.iter_mut().zip(long.into_iter().zip(short)) {
        *count = (long - short) / (many - few);
    }
    Ok(counts)
}

/// Runs a loop over so many blocks under callgrind: what was counted, and how many records there were.
fn run(program: &Path, folder: &Path, id: &str, blocks: u64) -> Result<([f64; EVENTS.len()], f64), Failure> {
    let out: PathBuf = folder.join("callgrind.loops");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--branch-sim=yes", "--cache-sim=yes", "--quiet"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(program).arg(id).arg(blocks.to_string()).stdin(Stdio::null());
    let output = valgrind.output().map_err(|error| format!("xtask bench: cannot run valgrind: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("xtask bench: {id} fails under valgrind: {}", said.trim()));
    }
    let records = String::from_utf8_lossy(&output.stdout).trim().parse();
    let records =
        records.map_err(|_| format!("xtask bench: {id} does not say how many records it has read"))?;
    let counted = fs::read_to_string(&out)
        .map_err(|error| format!("xtask bench: cannot read {}: {error}", out.display()))?;
    let counts = counts(&counted).ok_or_else(|| format!("xtask bench: no counts in {}", out.display()))?;
    Ok((counts, records))
}

/// The totals in what callgrind has written.
fn counts(text: &str) -> Option<[f64; EVENTS.len()]> {
    let line = |begin| text.lines().find_map(|line: &str| line.strip_prefix(begin));
    let names: Vec<_> = line("events:")?.split_whitespace().collect();
    let totals: Vec<f64> =
        line("totals:")?.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let mut counts = [0.0; EVENTS.len()];
    for (count, (event, _)) in counts.iter_mut().zip(EVENTS) {
        *count = *totals.get(names.iter().position(|name| *name == event)?)?;
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_loops_is_found_and_no_other() {
        let text = "\n| other | 7 | x |\n## Loops\n\n| loop | budget |\n|---|---|\n| a/b | 12 | x |\n| c | 3.5 | |\n\n## More\n\n| d | 1 |\n";
        assert_eq!(budgets(text).unwrap(), [("a/b".to_owned(), 12.0), ("c".to_owned(), 3.5)]);
        assert!(budgets("# Nothing").is_err());
    }

    #[test]
    fn totals_are_read_by_name() {
        let text = "version: 1\nevents: Ir Dr D1mr Bc Bcm\nfn=(1)\ntotals: 10 20 30 40 50\n";
        assert_eq!(counts(text), Some([10.0, 40.0, 50.0, 30.0]));
        assert_eq!(counts("events: Ir\ntotals: 10\n"), None);
    }

    #[test]
    fn a_count_above_its_budget_is_wrong_and_so_is_a_budget_that_says_nothing() {
        assert_eq!((verdict("a", 30.0, 30.5), verdict("a", 30.0, 28.0)), (None, None));
        assert!(verdict("a", 30.0, 31.0).is_some_and(|text| text.contains("the budget is 30")));
        assert!(verdict("a", 30.0, 20.0).is_some_and(|text| text.contains("lower")));
    }
}
