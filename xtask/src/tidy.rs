//! `cargo xtask tidy`: what holds in this project and no compiler checks.

mod arrows;
mod hot;
mod links;
pub(crate) mod orderings;
mod purity;

use std::path::Path;

use crate::{Failure, say, tree};

pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let sources = tree::read(root)?;
    let mut findings: Vec<String> = arrows::check(root)?;
    let by_text = [
        purity::check(&sources),
        hot::check(&sources),
        orderings::check(&sources),
        links::check(root, &sources),
    ];
    findings.extend(by_text.iter().flatten().map(ToString::to_string));
    findings.iter().for_each(|finding| say(finding));
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("xtask tidy: {count} to put right")),
    }
}
