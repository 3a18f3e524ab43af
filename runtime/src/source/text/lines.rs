use std::io::{self, Read};

use memchr::memchr;

/// The longest line that is read; a longer one is passed over.
pub(in crate::source) const LINE_BYTES_MAX: usize = 1 << 20;

/// How much is read at once at first; the buffer grows to the longest line.
const BUFFER_BYTES: usize = 1 << 16;

/// Lines of bytes, with their numbers, in a buffer that is reused.
pub(in crate::source) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// What is unread in the buffer.
    start: usize,
    end: usize,
    number: u64,
    at_end: bool,
}

/// A line without its line break.
pub(in crate::source) enum Line<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl<R: Read> Lines<R> {
    pub(in crate::source) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, number: 0, at_end: false }
    }

    /// Whether a whole line can be had without reading more.
    pub(in crate::source) fn has_line(&self) -> bool {
        memchr(b'\n', &self.buffer[self.start..self.end]).is_some() || self.at_end
    }

    /// Passes over the next line if it is blank; whether it was.
    pub(in crate::source) fn next_is_blank(&mut self) -> io::Result<bool> {
        while !self.has_line() && self.end - self.start <= LINE_BYTES_MAX {
            self.fill()?;
        }
        let unread = &self.buffer[self.start..self.end];
        let length = memchr(b'\n', unread).unwrap_or(unread.len());
        let blank =
            length < unread.len() && text_of(self.number + 1, &unread[..length]).trim_ascii().is_empty();
        if blank {
            self.start += length + 1;
            self.number += 1;
        }
        Ok(blank)
    }

    /// The next line, with its number, counted from 1; `None` at the end of the input.
    pub(in crate::source) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        let mut searched = 0;
        let mut too_long = false;
        let (start, end) = loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(found) = memchr(b'\n', &unread[searched..]) {
                let line = (self.start, self.start + searched + found);
                self.start = line.1 + 1;
                break line;
            }
            searched = unread.len();
            if self.at_end {
                if searched == 0 && !too_long {
                    return Ok(None);
                }
                let line = (self.start, self.end);
                self.start = self.end;
                break line;
            }
            if searched > LINE_BYTES_MAX {
                too_long = true;
                (self.start, self.end, searched) = (0, 0, 0);
            }
            self.fill()?;
        };
        self.number += 1;
        if too_long || end - start > LINE_BYTES_MAX {
            return Ok(Some((self.number, Line::TooLong)));
        }
        let line = text_of(self.number, &self.buffer[start..end]);
        Ok(Some((self.number, Line::Text(line))))
    }

    /// Reads more behind what is unread, making room first.
    #[cold]
    #[inline(never)]
    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += read;
        self.at_end = read == 0;
        Ok(())
    }
}

/// A line without what does not belong to its text: the rest of its line break, and before the first one, the mark
/// that says that it is UTF-8.
fn text_of(number: u64, line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
}
