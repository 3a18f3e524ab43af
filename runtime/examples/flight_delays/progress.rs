//! How far the input has been read.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use nacreous::source::{CsvError, open_text};

/// How often progress is looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// Counts the bytes read from a file, for whoever holds a clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Counted {
    pub(crate) fn bytes_read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A bar over the bytes of the input, on standard error where that is a terminal.
pub(crate) fn bar(input: &Path) -> ProgressBar {
    let bytes = fs::metadata(input).map_or(0, |metadata| metadata.len());
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} % of {total_bytes}, {eta} left");
    ProgressBar::new(bytes).with_style(style.expect("the template is well-formed"))
}

/// Opens the input, counting what is read of the file.
pub(crate) fn open(input: &Path, counted: Counted) -> Result<Box<dyn Read + Send>, CsvError> {
    let standard_input = Path::new("/dev/stdin");
    let input = if input == Path::new("-") { standard_input } else { input };
    open_text(input, |file| CountedFile { file, counted })
}

struct CountedFile {
    file: File,
    counted: Counted,
}

impl Read for CountedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.counted.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
