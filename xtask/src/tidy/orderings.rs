//! Each atomic operation carries `// ORDERING(edge): Order; pairs with Type::function`, the other end in the same
//! module names it back, and the module's protocol chapter names the loom model that covers the edge. What no
//! model can know says `unproved: why` in place of its partner.

use std::collections::BTreeSet;

use crate::tree::{Finding, Source};

/// How many lines above an atomic operation its note may begin: calls are broken over lines.
const REACH_LINES: usize = 3;

#[derive(Debug)]
struct Note<'a> {
    source: &'a Source,
    index: usize,
    edge: &'a str,
    order: &'a str,
    /// What stands behind the order: the partners, or the reason for `Relaxed`.
    rest: &'a str,
    /// `Type::function`.
    site: String,
}

impl Note<'_> {
    /// Why no model can show that the order is needed.
    fn unproved(&self) -> Option<&str> {
        self.rest.strip_prefix("unproved: ")
    }

    fn partners(&self) -> Vec<&str> {
        let named = self.rest.strip_prefix("pairs with ").unwrap_or_default();
        named.split(", ").filter(|name| !name.is_empty()).collect()
    }
}

/// An atomic operation whose order could be weakened.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) source: &'a Source,
    /// The line of the operation, counted from zero.
    pub(crate) index: usize,
    /// `Type::function`.
    pub(crate) name: String,
    pub(crate) order: &'a str,
    /// The next weaker order that the operation takes.
    pub(crate) weaker: &'static str,
    /// The loom model that its module's protocol chapter names for its edge.
    pub(crate) model: &'a str,
}

/// Every atomic operation that is not `Relaxed`.
pub(crate) fn sites(sources: &[Source]) -> Vec<Site<'_>> {
    let atomics =
        sources.iter().filter(|source| source.is_product_code() && source.path.starts_with("channels/"));
    let notes = atomics.flat_map(|source| notes_in(source, &mut Vec::new()));
    let strong = notes.filter(|note| note.order != "Relaxed" && note.unproved().is_none());
    strong.filter_map(site_of).collect()
}

fn site_of(note: Note<'_>) -> Option<Site<'_>> {
    let written = format!("Ordering::{}", note.order);
    let mut below = note.source.lines().skip(note.index + 1).take(REACH_LINES);
    let (index, line) = below.find(|(_, line)| line.contains(&written))?;
    // There is no such thing as a relaxed fence.
    let weaker = if line.contains("fence(") { "AcqRel" } else { "Relaxed" };
    let model = model_of(&note)?;
    Some(Site { source: note.source, index, name: note.site, order: note.order, weaker, model })
}

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let atomics =
        sources.iter().filter(|source| source.is_product_code() && source.path.starts_with("channels/"));
    let mut findings = Vec::new();
    let mut notes = Vec::new();
    for source in atomics.clone() {
        let found = notes_in(source, &mut findings);
        operations_without_note(source, &found, &mut findings);
        notes.extend(found);
    }
    for note in &notes {
        let mut complain = |message: String| findings.push(Finding::new(note.source, note.index, message));
        let Note { edge, order, .. } = note;
        if *order == "Relaxed" {
            if note.rest.len() < 10 {
                complain(format!("ORDERING({edge}): Relaxed needs a reason why nothing is published by it"));
            }
            continue;
        }
        if let Some(reason) = note.unproved() {
            if reason.len() < 40 {
                complain(format!("ORDERING({edge}): unproved needs a reason that convinces"));
            }
            continue;
        }
        if note.partners().is_empty() {
            complain(format!("ORDERING({edge}): {order} must say `pairs with Type::function`"));
        }
        for partner in note.partners() {
            let answers = notes.iter().any(|other| {
                other.source.path == note.source.path
                    && other.edge == *edge
                    && other.site == partner
                    && other.partners().contains(&note.site.as_str())
            });
            if !answers {
                complain(format!("ORDERING({edge}): {partner} does not name {} back", note.site));
            }
        }
        if !edge_has_model(note, sources) {
            complain(format!("ORDERING({edge}): the protocol chapter names no loom model that exists"));
        }
    }
    findings
}

fn notes_in<'a>(source: &'a Source, findings: &mut Vec<Finding>) -> Vec<Note<'a>> {
    let mut notes = Vec::new();
    let (mut owner, mut function) = ("", "");
    for (index, line) in source.lines() {
        if line.starts_with("impl") {
            owner = implementor(line);
        }
        if let Some((_, after)) = line.trim_start().split_once("fn ") {
            function = after.split(['(', '<']).next().unwrap_or_default();
        }
        let Some(text) = line.trim_start().strip_prefix("// ORDERING(") else { continue };
        let parts = text.split_once("): ").and_then(|(edge, text)| Some((edge, text.split_once("; ")?)));
        let Some((edge, (order, rest))) = parts else {
            findings.push(Finding::new(source, index, "not of the form `ORDERING(edge): Order; …`"));
            continue;
        };
        notes.push(Note { source, index, edge, order, rest, site: format!("{owner}::{function}") });
    }
    notes
}

/// `Producer` of `impl<S> Drop for Producer<S> {`.
fn implementor(line: &str) -> &str {
    let after = line.rsplit_once(" for ").map_or_else(
        || line.split_once("> ").map_or(line.trim_start_matches("impl "), |(_, after)| after),
        |(_, after)| after,
    );
    after.split(['<', ' ', '{']).next().unwrap_or_default()
}

fn operations_without_note(source: &Source, notes: &[Note<'_>], findings: &mut Vec<Finding>) {
    for (index, line) in source.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let Some((_, order)) = line.split_once("Ordering::") else { continue };
        let order: String = order.chars().take_while(char::is_ascii_alphanumeric).collect();
        let above = notes.iter().rfind(|note| note.index < index && index - note.index <= REACH_LINES);
        match above {
            None => findings.push(Finding::new(source, index, format!("{order} without an ORDERING note"))),
            Some(note) if note.order != order => {
                let message = format!("the note says {}, the code {order}", note.order);
                findings.push(Finding::new(source, index, message));
            }
            Some(_) => {}
        }
    }
}

/// Whether the chapter at the head of the module has a row for the edge whose last cell is a loom model.
fn edge_has_model(note: &Note<'_>, sources: &[Source]) -> bool {
    let models: BTreeSet<&str> = sources
        .iter()
        .filter(|source| source.path.starts_with("channels/tests/"))
        .flat_map(|source| source.text.lines())
        .filter_map(|line| line.strip_prefix("fn ")?.split('(').next())
        .collect();
    model_of(note).is_some_and(|model| models.contains(model))
}

/// The last cell of the edge's row in the chapter at the head of the module.
fn model_of<'a>(note: &Note<'a>) -> Option<&'a str> {
    let row_begins = format!("//! | `{}` | `", note.edge);
    let row = note.source.text.lines().find(|line| line.starts_with(&row_begins))?;
    Some(row.trim_end_matches(" |").rsplit("| ").next()?.trim_matches('`'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
//! | `tail` | `from` | `to` | hands over | `a_model` |
impl<S> Producer<S> {
    pub fn publish(&mut self) {
        // ORDERING(tail): Release; pairs with Consumer::peek
        self.tail.store(1, Ordering::Release);
    }
}
impl<S> Iterator for Consumer<S> {
    fn peek(&mut self) {
        // ORDERING(tail): Acquire; pairs with Producer::publish
        self.tail.load(Ordering::Acquire);
        // ORDERING(hint): Relaxed; only a hint, read for statistics
        self.hint.load(Ordering::Relaxed);
    }
}
";
    const MODEL: &str = "fn a_model() {}\n";

    fn findings(code: &str, model: &str) -> usize {
        let sources =
            [Source::new("channels/src/spsc.rs", code), Source::new("channels/tests/loom.rs", model)];
        check(&sources).len()
    }

    #[test]
    fn notes_that_name_each_other_are_fine() {
        assert_eq!(findings(GOOD, MODEL), 0);
    }

    #[test]
    fn each_thing_missing_is_found() {
        let without = |from: &str, to: &str| {
            assert!(GOOD.contains(from));
            findings(&GOOD.replace(from, to), MODEL)
        };
        assert_eq!(without("        // ORDERING(hint): Relaxed; only a hint, read for statistics\n", ""), 1);
        assert_eq!(without("; only a hint, read for statistics", "; why"), 1);
        assert_eq!(without("load(Ordering::Acquire)", "load(Ordering::Relaxed)"), 1);
        assert_eq!(without("Release; pairs with Consumer::peek", "Release; as everyone does"), 2);
        assert_eq!(without("pairs with Producer::publish", "pairs with Producer::push"), 2);
        assert_eq!(without("`a_model`", "`another`"), 2);
        assert_eq!(findings(GOOD, ""), 2);
        // The other end no longer names it back, and the reason is short; then it is long enough.
        assert_eq!(without("Release; pairs with Consumer::peek", "Release; unproved: no idea"), 2);
        let reason = "Release; unproved: the kernel does the other half, and no model knows the kernel";
        assert_eq!(without("Release; pairs with Consumer::peek", reason), 1);
    }
}
