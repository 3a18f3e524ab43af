//! What certain crates never do: stated here as words that their code must not contain.

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
        words: &["std::thread", "Instant::now", "SystemTime", "std::fs", "std::net", "std::io", "unsafe {"],
        why: "operators and watermarks are pure compute, so that they can be tested as functions and replayed",
    },
    Rule {
        folders: &["operators/src/", "watermark/src/", "runtime/src/"],
        words: &["sync::atomic", "AtomicBool", "AtomicU64", "AtomicUsize", "UnsafeCell"],
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
                for word in words.iter().filter(|word| line.contains(**word)) {
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
        let clock = Source::new("operators/src/map.rs", "// Instant::now\nlet now = Instant::now();\n");
        assert_eq!(check(std::slice::from_ref(&clock)).len(), 1);
        let elsewhere = Source { path: "runtime/src/control.rs".to_owned(), ..clock };
        assert_eq!(check(&[elsewhere]), []);
    }

    #[test]
    fn an_atomic_outside_of_channels_is_found() {
        let text = "static COUNT: AtomicU64 = AtomicU64::new(0);\n";
        assert_eq!(check(&[Source::new("runtime/src/worker.rs", text)]).len(), 1);
        assert_eq!(check(&[Source::new("channels/src/published.rs", text)]), []);
    }
}
