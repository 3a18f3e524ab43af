use csv_core::{ReadRecordResult, Terminator};

use crate::source::{FieldCount, RowError};

/// The fields of one line, unquoted, in memory that is reused.
pub(super) struct Fields {
    reader: csv_core::Reader,
    text: Vec<u8>,
    /// Where in `text` each field ends.
    ends: Vec<usize>,
    /// How many fields the line has.
    count: usize,
    /// How many it should have.
    expected: usize,
}

impl Fields {
    pub(super) fn new() -> Self {
        let reader = csv_core::ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        Self { reader, text: Vec::new(), ends: vec![0; 64], count: 0, expected: 0 }
    }

    /// From now on each line should have this many fields.
    pub(super) fn expect(&mut self, fields: usize) {
        self.expected = fields;
        self.ends = vec![0; fields + 16];
    }

    /// Splits a line, given without its line break, into fields: `expected` of them, if that is known.
    pub(super) fn split(&mut self, line: &[u8], expected: Option<usize>) -> Result<(), RowError> {
        if self.text.len() < line.len() + 1 {
            self.text.resize(line.len() + 1, 0);
        }
        self.reader.reset();
        self.count = 0;
        let (mut read, mut written) = (0, 0);
        loop {
            let input: &[u8] = if read < line.len() { &line[read..] } else { b"\n" };
            let (result, used, out, ends) =
                self.reader.read_record(input, &mut self.text[written..], &mut self.ends[self.count..]);
            read += used;
            written += out;
            self.count += ends;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::InputEmpty if read <= line.len() => {}
                // The line break itself was taken for data: it lies inside quotes.
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Err(RowError::OpenQuote),
                ReadRecordResult::OutputEndsFull => match expected {
                    Some(expected) => {
                        let found = FieldCount::AtLeast(self.count);
                        return Err(RowError::FieldCount { expected, found });
                    }
                    None => self.ends.resize(self.ends.len() * 2, 0),
                },
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
            }
        }
        match expected {
            Some(expected) if expected != self.count => {
                Err(RowError::FieldCount { expected, found: FieldCount::Exactly(self.count) })
            }
            _ => Ok(()),
        }
    }

    /// How many fields each line should have.
    pub(super) fn expected(&self) -> usize {
        self.expected
    }

    /// The fields of the line last split.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|index| self.get(index))
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    pub(super) fn to_strings(&self) -> Vec<String> {
        self.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }
}
