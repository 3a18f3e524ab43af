//! `cargo xtask orderings`: weakens each memory order in turn, and expects the loom model that is to guard it to
//! fail. An order that can be weakened without a failure is either too strong or unproved.

use std::{
    fs, io,
    path::Path,
    process::{Command, Output},
};

use crate::{
    Failure, say,
    tidy::orderings::{Site, sites},
    tree,
};

/// The flag that turns the crate into its model, and a build that is quick: a model explores as many executions
/// however fast the code is.
pub(crate) const LOOM_BUILD: [(&str, &str); 5] = [
    ("RUSTFLAGS", "--cfg loom"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "none"),
];

/// What of the project a copy needs for the models to run.
const COPIED: [&str; 4] = ["Cargo.toml", "Cargo.lock", "channels", "clippy.toml"];

pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let sources = tree::read(root)?;
    let sites = sites(&sources);
    if sites.is_empty() {
        return Err("xtask orderings: found no memory order to weaken; has the notation changed?".to_owned());
    }
    let copy = root.join("target/orderings");
    make_copy(root, &copy).map_err(|error| format!("xtask orderings: cannot copy the crate: {error}"))?;
    if !run_models(&copy, "")?.status.success() {
        return Err("xtask orderings: the loom models fail as they are".to_owned());
    }
    let mut unproved = 0;
    for site in &sites {
        let proved = fails_when_weakened(site, &copy)?;
        unproved += usize::from(!proved);
        let Site { source, index, name, order, weaker, model } = site;
        let verdict = if proved { "is caught by" } else { "IS NOT CAUGHT by" };
        say(&format!("{}:{}: {name} with {weaker} for {order} {verdict} {model}", source.path, index + 1));
    }
    match unproved {
        0 => Ok(()),
        count => Err(format!("xtask orderings: {count} of {} orders can be weakened unnoticed", sites.len())),
    }
}

/// Whether the site's own model fails when its order is weakened.
fn fails_when_weakened(site: &Site<'_>, copy: &Path) -> Result<bool, Failure> {
    let cannot = |error: io::Error| format!("xtask orderings: cannot weaken {}: {error}", site.source.path);
    let path = copy.join(&site.source.path);
    fs::write(&path, weakened(site)).map_err(cannot)?;
    let output = run_models(copy, site.model)?;
    fs::write(&path, &site.source.text).map_err(cannot)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("running 1 test") {
        return Err(format!(
            "xtask orderings: the weakened code does not build, or there is not one model {}: {}",
            site.model,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    // A model that finds a deadlock may take its process with it.
    let died = String::from_utf8_lossy(&output.stderr).contains("(signal: ");
    Ok(died || text.contains(&format!("{} ... FAILED", site.model)))
}

/// The file's text with the order at the site replaced.
fn weakened(site: &Site<'_>) -> String {
    let weaken = |(index, line): (usize, &str)| match index == site.index {
        true => {
            line.replace(&format!("Ordering::{}", site.order), &format!("Ordering::{}", site.weaker)) + "\n"
        }
        false => line.to_owned() + "\n",
    };
    site.source.lines().map(weaken).collect()
}

/// Runs the models whose names contain `only`.
fn run_models(copy: &Path, only: &str) -> Result<Output, Failure> {
    Command::new("cargo")
        .args(["test", "--package", "nacreous-channels", "--test", "loom", "--release", only])
        .envs(LOOM_BUILD)
        .current_dir(copy)
        .output()
        .map_err(|error| format!("xtask orderings: cannot run cargo: {error}"))
}

/// Copies the crate into a workspace of its own, in which it is the only member.
fn make_copy(root: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir_all(copy)?;
    for name in COPIED {
        // Files that are gone by now would be built along.
        let old = copy.join(name);
        if old.is_dir() {
            fs::remove_dir_all(&old)?;
        }
        copy_over(&root.join(name), &old)?;
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let alone = |line: &str| match line.starts_with("members = ") {
        true => "members = [\"channels\"]\n".to_owned(),
        false => line.to_owned() + "\n",
    };
    fs::write(copy.join("Cargo.toml"), manifest.lines().map(alone).collect::<String>())
}

fn copy_over(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_over(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Source;

    #[test]
    fn weakening_changes_the_one_order_and_nothing_else() {
        let text = "\
//! | `tail` | `from` | `to` | hands over | `a_model` |
impl Producer {
    fn publish(&self) {
        // ORDERING(tail): Release; pairs with Consumer::peek
        self.tail.store(1, Ordering::Release);
        self.head.store(1, Ordering::Release);
    }
}
";
        let sources = [Source::new("channels/src/spsc.rs", text)];
        let sites = sites(&sources);
        let [site] = &sites[..] else { panic!("{sites:?}") };
        assert_eq!((site.name.as_str(), site.index, site.model), ("Producer::publish", 4, "a_model"));
        assert_eq!(weakened(site), text.replacen("Ordering::Release", "Ordering::Relaxed", 1));
    }
}
