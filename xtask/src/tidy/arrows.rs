//! Which crate may use which: the arrows of docs/ARCHITECTURE.md, and no others.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::Failure;

/// Each crate and the crates of this workspace that it may use.
const ARROWS: [(&str, &[&str]); 6] = [
    ("nacreous-channels", &[]),
    ("nacreous-watermark", &[]),
    ("nacreous-operators", &["nacreous-watermark"]),
    ("nacreous", &["nacreous-channels", "nacreous-watermark", "nacreous-operators"]),
    ("nacreous-benches", &["nacreous-channels", "nacreous-watermark", "nacreous-operators", "nacreous"]),
    ("xtask", &[]),
];

pub(crate) fn check(root: &Path) -> Result<Vec<String>, Failure> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("xtask tidy: cannot run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "xtask tidy: cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("xtask tidy: cannot understand cargo metadata: {error}"))?;
    Ok(check_metadata(&metadata))
}

fn check_metadata(metadata: &Value) -> Vec<String> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let packages = list(metadata, "packages");
    let members: Vec<String> = packages.iter().map(name).collect();
    let mut findings = Vec::new();
    for package in &packages {
        let user = name(package);
        let Some((_, allowed)) = ARROWS.iter().find(|(member, _)| *member == user) else {
            findings.push(format!(
                "{user}: a crate without a place in the architecture; see xtask/src/tidy/arrows.rs"
            ));
            continue;
        };
        for used in list(package, "dependencies").iter().map(name) {
            if members.contains(&used) && !allowed.contains(&used.as_str()) {
                findings.push(format!("{user} must not depend on {used}"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, uses: &[&str]) -> Value {
        let dependencies: Vec<_> = uses.iter().map(|name| json!({ "name": name })).collect();
        json!({ "name": name, "dependencies": dependencies })
    }

    #[test]
    fn an_arrow_against_the_architecture_is_found() {
        let channels = package("nacreous-channels", &["crossbeam-utils"]);
        let operators = package("nacreous-operators", &[]);
        let fine = json!({ "packages": [channels, operators] });
        assert_eq!(check_metadata(&fine), Vec::<String>::new());
        let operators = package("nacreous-operators", &["nacreous-channels"]);
        let wrong = json!({ "packages": [channels, operators] });
        assert_eq!(check_metadata(&wrong), ["nacreous-operators must not depend on nacreous-channels"]);
    }

    #[test]
    fn a_crate_nobody_placed_is_found() {
        assert_eq!(check_metadata(&json!({ "packages": [package("nacreous-extra", &[])] })).len(), 1);
    }
}
