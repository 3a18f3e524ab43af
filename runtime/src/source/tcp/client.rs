use std::{
    io::{self, Read},
    net::SocketAddr,
};

use memchr::memchr;
use mio::net::TcpStream;

use super::server::{Gone, Outlet, What};

/// A connection, and the line it is in the middle of.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    peer: SocketAddr,
    /// The beginning of a line that has not ended yet.
    begun: Vec<u8>,
    /// The line was too long, and is passed over to its end.
    skipping: bool,
    /// It waits for its turn.
    pub(super) in_turn: bool,
}

/// What a client's turn came to.
pub(super) enum Turn {
    /// It may have sent more.
    More,
    /// There is nothing to read at the moment.
    Dry,
    /// It will send nothing any more.
    Over,
}

impl Client {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self { stream, peer, begun: Vec::new(), skipping: false, in_turn: false }
    }

    /// Reads as much as `chunk` holds, and puts the lines it completes into `lines`.
    pub(super) fn take_turn(&mut self, chunk: &mut [u8], lines: &mut Outlet) -> Result<Turn, Gone> {
        let read = loop {
            match self.stream.read(chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match read {
            Ok(0) => {
                let last = !self.begun.is_empty() && !self.skipping;
                if last {
                    self.complete(&[], lines)?;
                }
                Ok(Turn::Over)
            }
            Ok(read) => {
                self.cut(&chunk[..read], lines)?;
                Ok(Turn::More)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Turn::Dry),
            Err(error) => {
                if !self.begun.is_empty() {
                    lines.put(self.peer, What::BrokenOff(error.kind()), [&self.begun, &[]])?;
                }
                Ok(Turn::Over)
            }
        }
    }

    /// Cuts what was read into lines.
    fn cut(&mut self, mut read: &[u8], lines: &mut Outlet) -> Result<(), Gone> {
        while let Some(end) = memchr(b'\n', read) {
            if self.skipping {
                self.skipping = false;
            } else {
                self.complete(&read[..end], lines)?;
            }
            read = &read[end + 1..];
        }
        // A line break may begin with one byte more than the line may have.
        if !self.skipping && self.begun.len() + read.len() > lines.line_bytes_max() + 1 {
            lines.put(self.peer, What::TooLong, [&[], &[]])?;
            self.skipping = true;
            self.begun.clear();
        }
        if !self.skipping {
            self.begun.extend_from_slice(read);
        }
        Ok(())
    }

    /// The line ends with these bytes, and possibly half of a line break.
    fn complete(&mut self, mut rest: &[u8], lines: &mut Outlet) -> Result<(), Gone> {
        if rest.is_empty() {
            self.begun.pop_if(|last| *last == b'\r');
        } else {
            rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        if self.begun.len() + rest.len() > lines.line_bytes_max() {
            lines.put(self.peer, What::TooLong, [&[], &[]])?;
        } else if !(self.begun.trim_ascii().is_empty() && rest.trim_ascii().is_empty()) {
            lines.put(self.peer, What::Line, [&self.begun, rest])?;
        }
        self.begun.clear();
        Ok(())
    }
}
