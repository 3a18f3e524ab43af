//! The thread that serves the clients.

use std::{
    collections::VecDeque,
    io,
    net::{self, SocketAddr, ToSocketAddrs},
    thread::{self, JoinHandle},
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, Waker, net::TcpListener};
use nacreous_channels::spsc;

use super::{
    Limits, TcpError,
    client::{Client, Turn},
};
use crate::{
    Bell,
    bell::{Callee, Courtesy, line},
};

/// How many lines may be on their way to the data thread.
const LINES: usize = 512;
/// How much is read from a client in a turn.
const TURN_BYTES: usize = 1 << 14;
/// How soon a connection is accepted after one could not be, for want of file descriptors say.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

/// A port that is listened on.
pub(super) struct Listening {
    poll: Poll,
    listener: TcpListener,
    address: SocketAddr,
    stop: Waker,
}

impl Listening {
    pub(super) fn on(address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let mut listener = TcpListener::from_std(listener);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let stop = Waker::new(poll.registry(), STOP)?;
        Ok(Self { poll, listener, address, stop })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the thread, which rings the bell when there are lines.
    pub(super) fn serve(self, limits: Limits, bell: Option<Bell>) -> Result<Service, TcpError> {
        let Self { poll, listener, address, stop } = self;
        let (producer, lines) = spsc::ring(LINES, Line::default);
        let (caller, called) = line();
        let courtesy = Courtesy::new(caller, lines.capacity());
        let server = Server {
            poll,
            listener,
            limits,
            clients: Vec::new(),
            free: Vec::new(),
            turns: VecDeque::new(),
            accept: Accept::Now,
            chunk: vec![0; TURN_BYTES].into_boxed_slice(),
            lines: Outlet { producer, bell, called, line_bytes_max: limits.line_bytes_max },
        };
        let name = format!("nl-tcp-{}", address.port());
        let thread = thread::Builder::new().name(name).spawn(move || server.run());
        let thread = thread.map_err(|error| TcpError::Thread { address, error })?;
        Ok(Service { address, running: Some(Running { lines, courtesy, stop, thread }) })
    }
}

/// The data thread's side of the thread that serves the clients. That ends with it.
pub(super) struct Service {
    address: SocketAddr,
    /// Until it is ended.
    running: Option<Running>,
}

struct Running {
    lines: spsc::Consumer<Line>,
    courtesy: Courtesy,
    stop: Waker,
    thread: JoinHandle<io::Result<()>>,
}

/// A line on its way, in a buffer that is reused.
pub(super) struct Line {
    pub(super) peer: SocketAddr,
    pub(super) what: What,
    pub(super) text: Vec<u8>,
}

/// What a line is.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// One to be made sense of.
    Line,
    /// One too long; its text is not kept.
    TooLong,
    /// The beginning of one, after which the connection broke.
    BrokenOff(io::ErrorKind),
}

impl Service {
    /// The next line, if there is one.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<&Line> {
        let Running { lines, courtesy, .. } = self.running.as_mut()?;
        let line = lines.peek();
        if line.is_none() {
            courtesy.found_nothing();
        }
        line.map(|line| &*line)
    }

    /// Gives back the buffer of the line last peeked at.
    #[inline]
    pub(super) fn release(&mut self) {
        if let Some(Running { lines, courtesy, .. }) = &mut self.running {
            lines.release();
            courtesy.took_one();
        }
    }

    /// Whether there will never be another line.
    pub(super) fn is_over(&mut self) -> bool {
        let Some(Running { lines, .. }) = &mut self.running else { return true };
        lines.is_closed() && lines.peek().is_none()
    }

    /// Ends the thread and closes all connections; what went wrong there.
    pub(super) fn end(mut self) -> Result<(), TcpError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), TcpError> {
        let address = self.address;
        let Some(Running { lines, courtesy, stop, thread }) = self.running.take() else { return Ok(()) };
        // It finds the ring closed, whether it waits for room there or for clients.
        drop(lines);
        drop(courtesy);
        stop.wake().map_err(|error| TcpError::Serve { address, error })?;
        let ended = thread.join().map_err(|_| TcpError::Died { address })?;
        ended.map_err(|error| TcpError::Serve { address, error })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The job is over; whatever went wrong cannot matter to it any more.
        let _ = self.stop();
    }
}

/// Where lines go.
pub(super) struct Outlet {
    producer: spsc::Producer<Line>,
    bell: Option<Bell>,
    called: Callee,
    line_bytes_max: usize,
}

/// The data thread wants no more lines.
pub(super) struct Gone;

impl Outlet {
    pub(super) fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    /// Puts a line on its way, made of two parts, waiting until there is room. While this waits nothing is read from
    /// any client: they are to wait, too.
    pub(super) fn put(&mut self, peer: SocketAddr, what: What, parts: [&[u8]; 2]) -> Result<(), Gone> {
        if self.producer.claim().is_none() {
            self.announce();
            let Self { producer, called, .. } = self;
            let ready = || (producer.claim().is_some() || producer.is_closed()).then_some(());
            called.wait_for(None, ready);
        }
        if self.producer.is_closed() {
            return Err(Gone);
        }
        let line = self.producer.claim().expect("there is room, or the ring is closed");
        (line.peer, line.what) = (peer, what);
        line.text.clear();
        parts.iter().for_each(|part| line.text.extend_from_slice(part));
        self.producer.publish();
        Ok(())
    }

    /// Wakes the data thread to what has been put.
    fn announce(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self { peer: SocketAddr::from(([0; 4], 0)), what: What::Line, text: Vec::new() }
    }
}

/// What the thread works with.
struct Server {
    poll: Poll,
    listener: TcpListener,
    limits: Limits,
    /// By token.
    clients: Vec<Option<Client>>,
    /// Tokens not in use.
    free: Vec<usize>,
    /// Clients that may have sent something, by token, in the order of their turns.
    turns: VecDeque<usize>,
    accept: Accept,
    chunk: Box<[u8]>,
    lines: Outlet,
}

/// Whether there may be a connection to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accept {
    Now,
    /// There is, but the last attempt failed.
    Later,
    /// Not before the operating system says so.
    WhenTold,
}

impl Server {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut had_clients = false;
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            if self.lines.producer.is_closed() {
                return Ok(());
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept = Accept::Now,
                    STOP => {}
                    Token(token) => self.queue(token),
                }
            }
            if self.serve_round().is_err() {
                return Ok(());
            }
            self.accept_all();
            had_clients |= self.count() > 0;
            if self.limits.end_after_last && had_clients && self.count() == 0 {
                // One may have come since.
                self.accept = Accept::Now;
                self.accept_all();
                if self.count() == 0 {
                    return Ok(());
                }
            }
        }
    }

    /// For how long there is nothing to do unless the operating system has news; `None` if for ever.
    fn patience(&self) -> Option<Duration> {
        let room = self.count() < self.limits.clients_max;
        match self.accept {
            _ if !self.turns.is_empty() => Some(Duration::ZERO),
            Accept::Now if room => Some(Duration::ZERO),
            Accept::Later if room => Some(ACCEPT_AGAIN),
            _ => None,
        }
    }

    /// How many clients there are.
    fn count(&self) -> usize {
        self.clients.len() - self.free.len()
    }

    /// A client has sent something: it is its turn after all others that have.
    fn queue(&mut self, token: usize) {
        // It may have gone since, and another one come.
        if let Some(Some(client)) = self.clients.get_mut(token)
            && !client.in_turn
        {
            client.in_turn = true;
            self.turns.push_back(token);
        }
    }

    /// Gives each client that has sent something one turn.
    fn serve_round(&mut self) -> Result<(), Gone> {
        for _ in 0..self.turns.len() {
            let Some(token) = self.turns.pop_front() else { break };
            let Some(client) = &mut self.clients[token] else { continue };
            match client.take_turn(&mut self.chunk, &mut self.lines)? {
                Turn::More => self.turns.push_back(token),
                Turn::Dry => client.in_turn = false,
                Turn::Over => {
                    // What is dropped is closed, and the operating system forgets it.
                    self.clients[token] = None;
                    self.free.push(token);
                }
            }
            self.lines.announce();
        }
        Ok(())
    }

    /// Accepts connections as long as there are any, and room for them.
    fn accept_all(&mut self) {
        while self.accept != Accept::WhenTold && self.count() < self.limits.clients_max {
            match self.listener.accept() {
                Ok((stream, peer)) => self.welcome(Client::new(stream, peer)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.accept = Accept::WhenTold,
                    // The client has left before it was accepted.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.accept = Accept::Later;
                        return;
                    }
                },
            }
        }
    }

    fn welcome(&mut self, mut client: Client) {
        let token = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        let registered = self.poll.registry().register(&mut client.stream, Token(token), Interest::READABLE);
        match registered {
            Ok(()) => self.clients[token] = Some(client),
            // It finds its connection closed before anything was read from it.
            Err(_) => self.free.push(token),
        }
    }
}
