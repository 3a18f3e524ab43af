//! What certain crates never do: stated here as names that must not stand in their code, however they are imported.

use crate::tree::{Finding, Source};

struct Rule {
    /// Where the rule holds.
    folders: &'static [&'static str],
    words: &'static [&'static str],
    why: &'static str,
}

const RULES: [Rule; 2] = [
    Rule {
        folders: &["operators/src/", "watermark/src/"],
        words: &["thread", "Instant", "SystemTime", "fs", "net", "io", "process", "env", "unsafe"],
        why: "operators and watermarks are pure compute, so that they can be tested as functions and replayed",
    },
    Rule {
        folders: &["operators/src/", "watermark/src/", "runtime/src/"],
        words: &["atomic", "UnsafeCell"],
        why: "channels is the only home of atomics",
    },
];

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_product_code()) {
        let rules =
            RULES.iter().filter(|rule| rule.folders.iter().any(|folder| source.path.starts_with(folder)));
        for Rule { words, why, .. } in rules {
            for (index, line) in source.lines().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                let names = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                for word in names.filter(|name| words.contains(name)) {
                    findings.push(Finding::new(source, index, format!("`{word}` here: {why}")));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_an_operator_is_found_and_a_comment_about_one_is_not() {
        let clock = Source::new("operators/src/map.rs", "// Instant::now\nuse std::{fmt, time::Instant};\n");
        assert_eq!(check(std::slice::from_ref(&clock)).len(), 1);
        let elsewhere = Source { path: "runtime/src/control.rs".to_owned(), ..clock };
        assert_eq!(check(&[elsewhere]), []);
    }

    #[test]
    fn an_atomic_outside_of_channels_is_found() {
        let text = "use std::sync::{Arc, atomic::AtomicI64};\n";
        assert_eq!(check(&[Source::new("runtime/src/worker.rs", text)]).len(), 1);
        assert_eq!(check(&[Source::new("channels/src/published.rs", text)]), []);
    }
}
