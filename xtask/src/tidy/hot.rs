//! `// HOT(id)` stands above a function if and only if HOTPATH.md has its row.

use std::collections::BTreeMap;

use crate::tree::{Finding, Source};

/// The columns of a row: id, where, rate, budget, allocations, locks and system calls, proof.
const COLUMNS: usize = 6;

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut markers = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_product_code()) {
        for (index, line) in source.lines() {
            let Some(id) = line.trim().strip_prefix("// HOT(").and_then(|rest| rest.strip_suffix(')')) else {
                continue;
            };
            if !stands_above_a_function(source, index) {
                findings.push(Finding::new(
                    source,
                    index,
                    format!("HOT({id}) does not stand above a function"),
                ));
            }
            if markers.insert(id, (source, index)).is_some() {
                findings.push(Finding::new(source, index, format!("HOT({id}) stands in two places")));
            }
        }
    }

    let mut rows = Vec::new();
    let tables = sources.iter().filter(|source| source.path == "HOTPATH.md");
    for (table, (index, line)) in tables.flat_map(|table| table.lines().map(move |line| (table, line))) {
        let Some(row) = line.strip_prefix("| `") else { continue };
        let Some((id, rest)) = row.split_once('`') else { continue };
        let cells: Vec<_> = rest.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        if cells.len() != COLUMNS - 1 {
            findings.push(Finding::new(
                table,
                index,
                format!("the row of {id} has not {COLUMNS} filled columns"),
            ));
            continue;
        }
        match markers.get(id) {
            None => findings.push(Finding::new(table, index, format!("no function is marked HOT({id})"))),
            Some((source, _)) if !cells[0].contains(&source.path) => {
                let message = format!("HOT({id}) stands in {}, not where the row says", source.path);
                findings.push(Finding::new(table, index, message));
            }
            Some(_) => {}
        }
        rows.push(id);
    }
    for (id, (source, index)) in markers {
        if !rows.contains(&id) {
            findings.push(Finding::new(source, index, format!("HOTPATH.md has no row for HOT({id})")));
        }
    }
    findings
}

/// Whether the next line that is no attribute begins a function.
fn stands_above_a_function(source: &Source, index: usize) -> bool {
    let below = source.text.lines().skip(index + 1).map(str::trim);
    let mut code = below.skip_while(|line| line.starts_with("#["));
    code.next().is_some_and(|line| line.starts_with("fn ") || line.contains(" fn "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "| `ring.claim` | `channels/src/spsc.rs` claim | each batch | 12 | none | `spsc` |\n";
    const CODE: &str = "    // HOT(ring.claim)\n    #[inline]\n    pub fn claim(&mut self) {}\n";

    fn check_texts(code: &str, table: &str) -> Vec<String> {
        let sources = [Source::new("channels/src/spsc.rs", code), Source::new("HOTPATH.md", table)];
        check(&sources).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_marker_with_its_row_is_fine() {
        assert_eq!(check_texts(CODE, ROW), Vec::<String>::new());
    }

    #[test]
    fn a_marker_without_a_row_and_a_row_without_a_marker_are_found() {
        assert_eq!(
            check_texts(CODE, ""),
            ["channels/src/spsc.rs:1: HOTPATH.md has no row for HOT(ring.claim)"]
        );
        let alone = Source::new("channels/src/spsc.rs", CODE);
        assert_eq!(check(&[alone]).len(), 1, "no HOTPATH.md at all");
        assert_eq!(check_texts("", ROW), ["HOTPATH.md:1: no function is marked HOT(ring.claim)"]);
    }

    #[test]
    fn a_marker_astray_or_doubled_and_a_row_with_holes_are_found() {
        assert_eq!(check_texts("// HOT(ring.claim)\nstruct Ring;\n", ROW).len(), 1);
        assert_eq!(check_texts(&CODE.repeat(2), ROW).len(), 1);
        assert_eq!(check_texts(CODE, &ROW.replace("none", " ")).len(), 2);
        assert_eq!(check_texts(CODE, &ROW.replace("spsc.rs", "mpsc.rs")).len(), 1);
    }
}
