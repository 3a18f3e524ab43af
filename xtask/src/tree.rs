//! The text files of the project, read once.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::Failure;

/// A file's path from the root of the project, with forward slashes, and its text.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Something wrong at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    /// `index` counts lines from zero.
    pub(crate) fn new(source: &Source, index: usize, message: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line: index + 1, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate()
    }

    /// Whether it is code that ships: not a test, not an example.
    pub(crate) fn is_product_code(&self) -> bool {
        let in_crate = ["channels/src/", "watermark/src/", "operators/src/", "runtime/src/"];
        let in_crate = in_crate.iter().any(|folder| self.path.starts_with(folder));
        in_crate && self.path.ends_with(".rs") && !self.path.ends_with("tests.rs")
    }
}

/// Every text file that could be of interest, in order of its path.
pub(crate) fn read(root: &Path) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    collect(root, root, &mut sources)
        .map_err(|error| format!("xtask tidy: cannot read the tree: {error}"))?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(root, &path, sources)?;
            }
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            sources.push(Source { path: relative, text: fs::read_to_string(&path)? });
        }
    }
    Ok(())
}
