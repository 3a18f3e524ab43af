//! Links in documents lead somewhere.

use std::path::Path;

use crate::tree::{Finding, Source};

pub(crate) fn check(root: &Path, sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        let folder = root.join(&source.path);
        let folder = folder.parent().unwrap_or(root);
        for (index, line) in source.lines() {
            for target in targets(line) {
                if !folder.join(target).exists() {
                    findings.push(Finding::new(source, index, format!("the link to {target} leads nowhere")));
                }
            }
        }
    }
    findings
}

/// The files that a line of Markdown links to.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let links = line.split("](").skip(1).filter_map(|after| after.split(')').next());
    let files = links.map(|link| link.split('#').next().unwrap_or_default());
    files.filter(|file| !file.is_empty() && !file.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_files_count() {
        let line = "see [a](docs/A.md#top), [b](https://example.org), [c](#here) and [d](B.md)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["docs/A.md", "B.md"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = |text| [Source::new("README.md", text)];
        assert_eq!(check(root, &source("[x](Cargo.toml)")), []);
        assert_eq!(check(root, &source("[x](Cargo.tom)")).len(), 1);
    }
}
