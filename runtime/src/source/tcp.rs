//! Lines that clients send over TCP.

mod client;
mod server;

use std::{
    convert::Infallible,
    fmt, io, mem,
    net::{SocketAddr, ToSocketAddrs},
    str,
};

use self::server::{Listening, Service, What};
use super::{
    Demand, Intake, Readiness, Source,
    row::{PROBLEM_SHOWN_CHARS, VALUE_SHOWN_CHARS, shown},
};
use crate::{Bell, job::BoxError};

/// Listens on a TCP port, reads lines from all clients that connect, and turns each into a value by a function of the
/// user's.
///
/// Lines end in `\n` or `\r\n`; blank ones are skipped. A line that is too long, is not UTF-8, or that the function
/// refuses, goes to the rejected output with its sender's address and the reason; its connection stays. When a client
/// closes its side in good order what came after its last line break is a line, too; when the connection breaks that
/// is rejected, as nobody knows how it would have gone on. Lines of one client stay in order.
///
/// All clients are served by one thread of the source's own, which takes some of what each has sent in turn, so that
/// none keeps the others waiting: neither one that sends much, nor one that stops in the middle of a line. When the job
/// does not keep up, that thread stops reading, and the clients have to wait. When there are as many clients as may
/// be, further ones wait in the operating system's backlog until another leaves. A client that sends nothing stays
/// until it closes its connection.
///
/// The source never ends by itself, unless it is told to [`end_after_last_client`](Self::end_after_last_client):
/// [`JobHandle::stop`](crate::JobHandle::stop) ends it. With the job all connections are closed; what clients had sent
/// and the job had not read is lost, and the job has not counted it.
///
/// ```
/// use nacreous::{prelude::*, source::TcpLines};
/// use std::{io::Write, net::TcpStream, time::Duration};
///
/// let lines = TcpLines::bind("127.0.0.1:0", |line, _peer| line.parse::<i64>())?.end_after_last_client();
/// let address = lines.local_addr();
///
/// let graph = Graph::new();
/// let (numbers, rejected) = graph.source(lines);
/// let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO)?);
/// let (numbers, rejected) = (numbers.collect(), rejected.collect());
/// let job = graph.start(JobOptions::default())?;
///
/// TcpStream::connect(address)?.write_all(b"17\nseventeen\n18")?;
/// job.wait()?;
/// assert_eq!(numbers.take().len(), 2);
/// let reason = rejected.take()[0].value.reason.to_string();
/// assert_eq!(reason, "`seventeen`: invalid digit found in string");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// On the data thread no allocation and no system call for a good line, while neither thread has to wake the other;
/// lines pass in buffers that are reused. Memory for 512 lines on their way and for the line that each client is in the
/// middle of, all as long as the longest so far.
pub struct TcpLines<F> {
    address: SocketAddr,
    limits: Limits,
    parse: F,
    bell: Option<Bell>,
    state: State,
}

/// What is allowed to clients.
#[derive(Debug, Clone, Copy)]
struct Limits {
    line_bytes_max: usize,
    clients_max: usize,
    end_after_last: bool,
}

enum State {
    /// Nobody is served yet; clients may connect already.
    Listening(Listening),
    Serving(Box<Service>),
    Over,
}

/// Why lines cannot be read from clients at all, or no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TcpError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address, as its user named it.
        address: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// The thread that serves the clients cannot be started.
    #[error("cannot start the thread that serves the clients of {address}: {error}")]
    Thread {
        /// The address listened on.
        address: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The operating system no longer says which clients have sent something.
    #[error("cannot go on serving the clients of {address}: {error}")]
    Serve {
        /// The address listened on.
        address: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The thread that serves the clients has panicked, which is a bug.
    #[error("the thread that serves the clients of {address} has panicked, which is a bug")]
    Died {
        /// The address listened on.
        address: SocketAddr,
    },
}

/// A line from a client that could not be made sense of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{peer}: {reason}")]
pub struct RejectedLine {
    /// Who sent it.
    pub peer: SocketAddr,
    /// What is wrong with it.
    pub reason: LineError,
}

/// What is wrong with a line from a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is longer than allowed; the rest of it is passed over.
    #[error("line longer than {bytes_max} bytes")]
    TooLong {
        /// How long a line may be.
        bytes_max: usize,
    },
    /// It is not UTF-8.
    #[error("`{line}`: invalid UTF-8")]
    Utf8 {
        /// The line, as far as it can be read, cut to a length one can read.
        line: String,
    },
    /// The connection broke before the line had ended.
    #[error("`{line}`: the connection broke before the line had ended: {error}")]
    Incomplete {
        /// The beginning of the line, cut to a length one can read.
        line: String,
        /// What happened to the connection.
        error: io::ErrorKind,
    },
    /// The user's function refuses it.
    #[error("`{line}`: {problem}")]
    Refused {
        /// The line, cut to a length one can read.
        line: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl TcpLines<fn(&str, SocketAddr) -> Result<String, Infallible>> {
    /// Listens on an address and takes each line as it is, for a stream of strings; port 0 stands for any free one.
    ///
    /// # Errors
    /// If the address makes no sense or cannot be listened on.
    pub fn text(address: impl ToSocketAddrs + fmt::Display) -> Result<Self, TcpError> {
        Self::bind(address, |line, _| Ok(line.to_owned()))
    }
}

impl<F> TcpLines<F> {
    /// Listens on an address; port 0 stands for any free one. `parse` is given each line, and whom it is from.
    ///
    /// # Errors
    /// If the address makes no sense or cannot be listened on.
    pub fn bind<T, E>(address: impl ToSocketAddrs + fmt::Display, parse: F) -> Result<Self, TcpError>
    where
        F: FnMut(&str, SocketAddr) -> Result<T, E>,
    {
        let listening = Listening::on(&address)
            .map_err(|error| TcpError::Listen { address: address.to_string(), error })?;
        let limits = Limits { line_bytes_max: 1 << 16, clients_max: 1_024, end_after_last: false };
        Ok(Self {
            address: listening.address(),
            limits,
            parse,
            bell: None,
            state: State::Listening(listening),
        })
    }

    /// The address listened on, with the port that was found for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Allows lines of so many bytes, line break not counted; 64 KiB if this is not called.
    #[must_use]
    pub fn line_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.line_bytes_max = bytes;
        self
    }

    /// Serves so many clients at a time, and one at least; 1,024 if this is not called.
    #[must_use]
    pub fn clients_max(mut self, clients: usize) -> Self {
        self.limits.clients_max = clients.max(1);
        self
    }

    /// Ends the stream as soon as there has been a client and there is none any more: for tests and scripts.
    #[must_use]
    pub fn end_after_last_client(mut self) -> Self {
        self.limits.end_after_last = true;
        self
    }

    /// Begins to serve clients. (When the job has begun, and not before: a graph may never be started.)
    #[cold]
    fn serve(&mut self) -> Result<(), TcpError> {
        if let State::Listening(listening) = mem::replace(&mut self.state, State::Over) {
            self.state = State::Serving(Box::new(listening.serve(self.limits, self.bell.take())?));
        }
        Ok(())
    }
}

impl<F, T, E> Source for TcpLines<F>
where
    F: FnMut(&str, SocketAddr) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: fmt::Display,
{
    type Item = T;
    type Reject = RejectedLine;

    fn attach(&mut self, bell: Bell) {
        self.bell = Some(bell);
    }

    fn poll(&mut self, intake: &mut impl Intake<T, RejectedLine>) -> Result<Readiness, BoxError> {
        if matches!(self.state, State::Listening(_)) {
            self.serve()?;
        }
        let State::Serving(service) = &mut self.state else { return Ok(Readiness::Ended) };
        while let Some(line) = service.peek() {
            let value = match line.what {
                What::Line => parsed(&line.text, line.peer, &mut self.parse),
                What::TooLong => Err(LineError::TooLong { bytes_max: self.limits.line_bytes_max }),
                What::BrokenOff(error) => Err(LineError::Incomplete { line: shown_bytes(&line.text), error }),
            };
            let demand = match value {
                Ok(value) => intake.accept(value),
                Err(reason) => intake.reject(RejectedLine { peer: line.peer, reason }),
            };
            service.release();
            if demand == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        if !service.is_over() {
            return Ok(Readiness::Waiting);
        }
        let State::Serving(service) = mem::replace(&mut self.state, State::Over) else {
            return Ok(Readiness::Ended);
        };
        service.end()?;
        Ok(Readiness::Ended)
    }
}

/// Has the user's function make a value of a line.
fn parsed<T, E: fmt::Display>(
    line: &[u8],
    peer: SocketAddr,
    parse: &mut impl FnMut(&str, SocketAddr) -> Result<T, E>,
) -> Result<T, LineError> {
    let text = str::from_utf8(line).map_err(|_| LineError::Utf8 { line: shown_bytes(line) })?;
    parse(text, peer).map_err(|problem| LineError::Refused {
        line: shown(text, VALUE_SHOWN_CHARS),
        problem: shown(&problem.to_string(), PROBLEM_SHOWN_CHARS),
    })
}

fn shown_bytes(line: &[u8]) -> String {
    shown(&String::from_utf8_lossy(line), VALUE_SHOWN_CHARS)
}
