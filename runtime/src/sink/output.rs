//! Files to write to, compressed if their names say so.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use flate2::{Compression, write::GzEncoder};

use super::WriteError;

/// A file that rows are written to. One whose name ends in `.gz` is compressed.
///
/// To flush a compressed file completes it: whoever reads it then finds everything written so far, and whatever happens
/// to the program afterwards, that can be decompressed. What is written next begins another member of the file, which
/// `gunzip` and [`open_text`](crate::source::open_text) read on as if there were one.
///
/// # Cost
/// Each flush of a compressed file adds some 20 bytes to it, and memory for compression (300 KB) is allocated anew
/// after it. A stream that trickles flushes after every record: then compression is worth nothing.
#[derive(Debug)]
pub struct OutputFile(Inner);

#[derive(Debug)]
enum Inner {
    Plain(File),
    Gzip {
        file: Arc<File>,
        /// What is being written.
        member: Option<Box<GzEncoder<Arc<File>>>>,
        /// There is a complete member: without any the file would be no gzip.
        complete: bool,
    },
}

impl OutputFile {
    /// Creates a file, or empties it.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|error| WriteError::new(path.display().to_string(), error))?;
        let gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        Ok(Self(match gzip {
            true => Inner::Gzip { file: Arc::new(file), member: None, complete: false },
            false => Inner::Plain(file),
        }))
    }
}

/// Begins a member.
fn begin(file: &Arc<File>) -> Box<GzEncoder<Arc<File>>> {
    Box::new(GzEncoder::new(Arc::clone(file), Compression::default()))
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(file) => file.write(bytes),
            // Nothing is to begin no member.
            Inner::Gzip { .. } if bytes.is_empty() => Ok(0),
            Inner::Gzip { file, member, .. } => member.get_or_insert_with(|| begin(file)).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(file) => file.flush(),
            Inner::Gzip { file, member, complete } => {
                let open = member.take().or_else(|| (!*complete).then(|| begin(file)));
                if let Some(open) = open {
                    open.finish()?;
                    *complete = true;
                }
                Ok(())
            }
        }
    }
}
