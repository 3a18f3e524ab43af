//! Lines over TCP, with real clients: many, slow ones, broken ones, ones that send nonsense or too much.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nacreous::{
    prelude::*,
    sink::{self, NoResult, Results},
    source::{LineError, RejectedLine, Source, TcpError, TcpLines},
};

use crate::{equivalence::WORKERS, threads};

const PATIENCE: Duration = Duration::from_secs(30);

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

fn whole_line(line: &str, peer: SocketAddr) -> Result<(SocketAddr, String), String> {
    if line.starts_with('!') { Err(format!("{line} it is not")) } else { Ok((peer, line.to_owned())) }
}

type Lines = (SocketAddr, String);

fn bind() -> TcpLines<fn(&str, SocketAddr) -> Result<Lines, String>> {
    TcpLines::bind("127.0.0.1:0", whole_line as fn(&str, SocketAddr) -> _).unwrap()
}

/// A job, the address it listens on, and what comes out of it.
struct Running {
    job: JobHandle,
    lines: Results<Lines>,
    rejected: Results<RejectedLine>,
}

fn start(lines: impl Source<Item = Lines, Reject = RejectedLine>, workers: usize) -> Running {
    let graph = Graph::new();
    let ((to_lines, lines_out), (to_rejected, rejected_out)) = (sink::handed(4_096), sink::handed(4_096));
    let (lines, rejected) = graph.source(lines);
    lines.event_time(|_| Timestamp::from_nanos(0), in_order()).map(|line| line).to(to_lines);
    rejected.to(to_rejected);
    let job = graph.start(JobOptions { workers, batch: 64, ..JobOptions::DEFAULT }).unwrap();
    Running { job, lines: lines_out, rejected: rejected_out }
}

impl Running {
    fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line").value.1
    }

    fn reject(&mut self) -> RejectedLine {
        self.rejected.recv_timeout(PATIENCE).expect("a rejected line").value
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Closes a connection the hard way: the other side finds it broken.
fn reset(stream: TcpStream) {
    use std::os::fd::AsRawFd;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let (value, length) =
        ((&raw const linger).cast(), libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap());
    // SAFETY: the descriptor is open, and the option is of the type and length given.
    let set =
        unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length) };
    assert_eq!(set, 0);
    drop(stream);
}

#[test]
fn the_lines_of_many_clients_all_arrive_each_client_s_in_order() {
    const CLIENTS: usize = 40;
    const LINES: usize = 300;
    for workers in WORKERS {
        let source = bind().end_after_last_client();
        let address = source.local_addr();
        // So that the stream does not end before the last of them has come.
        let first = connect(address);
        let clients: Vec<_> = (0..4)
            .map(|thread| {
                thread::spawn(move || {
                    let mut clients: Vec<_> = (0..CLIENTS / 4).map(|_| connect(address)).collect();
                    for line in 0..LINES {
                        for (client, stream) in clients.iter_mut().enumerate() {
                            let bad = if line % 10 == 9 { "!" } else { "" };
                            let text = format!("{bad}{} {line}\r\n\n", thread * 100 + client);
                            // In two pieces, to be put together again.
                            let (one, other) = text.as_bytes().split_at(line % text.len());
                            stream.write_all(one).unwrap();
                            stream.write_all(other).unwrap();
                        }
                    }
                })
            })
            .collect();
        let Running { job, lines, rejected } = start(source, workers);
        let rejected = thread::spawn(move || rejected.count());
        let all = thread::spawn(move || lines.map(|line| line.value).collect::<Vec<_>>());
        clients.into_iter().for_each(|client| client.join().unwrap());
        drop(first);
        let (all, rejected) = (all.join().unwrap(), rejected.join().unwrap());
        let report = job.wait().unwrap();
        assert_eq!(report.records_in, (CLIENTS * LINES) as u64);
        assert_eq!((all.len(), rejected), (CLIENTS * LINES / 10 * 9, CLIENTS * LINES / 10));
        let mut by_client = BTreeMap::<_, Vec<(SocketAddr, usize)>>::new();
        for (peer, line) in all {
            let (client, line) = line.split_once(' ').unwrap();
            by_client.entry(client.to_owned()).or_default().push((peer, line.parse().unwrap()));
        }
        assert_eq!(by_client.len(), CLIENTS);
        for lines in by_client.values() {
            assert!(lines.iter().map(|(_, line)| *line).eq((0..LINES).filter(|line| line % 10 != 9)));
            assert!(lines.iter().all(|(peer, _)| *peer == lines[0].0));
        }
    }
}

#[test]
fn a_client_that_stops_in_the_middle_of_a_line_keeps_nobody_waiting() {
    let source = bind();
    let address = source.local_addr();
    let mut running = start(source, 2);
    let (mut slow, mut quick) = (connect(address), connect(address));
    slow.write_all(b"slow").unwrap();
    for n in 0..100 {
        writeln!(quick, "quick {n}").unwrap();
        assert_eq!(running.line(), format!("quick {n}"));
    }
    for byte in b" but here\n" {
        slow.write_all(&[*byte]).unwrap();
    }
    assert_eq!(running.line(), "slow but here");
    // Who sends without a pause does not keep others from their turn either.
    quick.set_nonblocking(true).unwrap();
    let flood = thread::spawn(move || {
        let lines = b"flood\n".repeat(1_000);
        let (mut offset, mut flooding) = (0, true);
        while flooding {
            match quick.write(&lines[offset..]) {
                Ok(written) => offset = (offset + written) % lines.len(),
                Err(error) => flooding = error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    });
    slow.write_all(b"through the flood\n").unwrap();
    let began = Instant::now();
    while running.line() != "through the flood" {
        assert!(began.elapsed() < PATIENCE, "it never comes through");
    }
    running.job.cancel();
    drop(running.lines);
    flood.join().unwrap();
}

#[test]
fn what_makes_no_sense_is_rejected_with_its_sender_and_the_connection_stays() {
    for workers in WORKERS {
        let source = bind().line_bytes_max(100);
        let address = source.local_addr();
        let mut running = start(source, workers);
        let mut client = connect(address);
        let peer = client.local_addr().unwrap();
        let reject = |reason| RejectedLine { peer, reason };

        let too_long = || reject(LineError::TooLong { bytes_max: 100 });
        for (length, end) in
            [(100, "\n"), (100, "\r\n"), (101, "\n"), (101, "\r\n"), (102, "\n"), (300_000, "\n")]
        {
            client.write_all(format!("{}{end}", "x".repeat(length)).as_bytes()).unwrap();
            if length == 100 {
                assert_eq!(running.line().len(), 100);
            } else {
                assert_eq!(running.reject(), too_long());
            }
        }
        // It is known to be too long before it ends, and is rejected once.
        client.write_all(&[b'y'; 50_000]).unwrap();
        assert_eq!(running.reject(), too_long());
        client.write_all(&[b'y'; 50_000]).unwrap();
        client.write_all(b"\n \n\r\n\nafter it\n").unwrap();
        assert_eq!(running.line(), "after it");

        client.write_all(b"caf\xE9\n!so\0\n\x00\xFF\x1B\n").unwrap();
        assert_eq!(running.reject(), reject(LineError::Utf8 { line: "caf\u{FFFD}".to_owned() }));
        let (line, problem) = ("!so\\u{0}".to_owned(), "!so\\u{0} it is not".to_owned());
        assert_eq!(running.reject(), reject(LineError::Refused { line, problem }));
        let message = running.reject().to_string();
        assert_eq!(message, format!("{peer}: `\\u{{0}}\u{FFFD}\\u{{1b}}`: invalid UTF-8"));

        // Closed in good order: what is there is a line. Broken: it is not.
        client.write_all(b"last").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(running.line(), "last");
        assert_eq!(client.read(&mut [0]).expect("closed in good order"), 0);
        let mut broken = connect(address);
        let peer = broken.local_addr().unwrap();
        broken.write_all(b"whole\nhalf").unwrap();
        assert_eq!(running.line(), "whole");
        reset(broken);
        let (line, error) = ("half".to_owned(), io::ErrorKind::ConnectionReset);
        let incomplete = RejectedLine { peer, reason: LineError::Incomplete { line, error } };
        assert_eq!(running.reject(), incomplete);
        // One that breaks between lines has lost nothing.
        let mut broken = connect(address);
        broken.write_all(b"whole\n").unwrap();
        assert_eq!(running.line(), "whole");
        reset(broken);

        running.job.stop(Duration::MAX);
        let report = running.job.wait().unwrap();
        assert_eq!((report.records_rejected, report.records_in), (9, 15));
        assert_eq!(running.rejected.try_recv(), Err(NoResult::Ever));
    }
}

#[test]
fn clients_wait_for_a_job_that_does_not_keep_up_and_nothing_is_lost() {
    for workers in WORKERS {
        let source = bind().end_after_last_client();
        let address = source.local_addr();
        let Running { job, lines, rejected } = start(source, workers);
        drop(rejected);
        let (send_progress, progress) = mpsc::channel();
        let client = thread::spawn(move || {
            let mut client = connect(address);
            client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut sent = 0_usize;
            let mut text = Vec::new();
            while sent < 400_000 || !text.is_empty() {
                if text.is_empty() {
                    (sent..sent + 1_000).for_each(|n| text.extend(format!("{n:0>100}\n").bytes()));
                    sent += 1_000;
                }
                match client.write(&text) {
                    Ok(written) => _ = text.drain(..written),
                    // It has been waiting for so long.
                    Err(_) => _ = send_progress.send(sent),
                }
            }
            sent
        });
        // Nobody receives the lines: the client comes to a halt long before its end.
        let halted = progress.recv_timeout(PATIENCE).expect("it is held back");
        assert!(halted < 200_000, "{halted} lines are under way, more than the buffers hold");
        let mut received = 0;
        for line in lines {
            assert_eq!(line.value.1.parse(), Ok(received));
            received += 1;
        }
        assert_eq!(client.join().unwrap(), received);
        assert_eq!(job.wait().unwrap().records_in, received as u64);
    }
}

#[test]
fn the_thread_that_waits_for_room_is_called_when_there_is_some() {
    let source = bind().end_after_last_client();
    let address = source.local_addr();
    let client = thread::spawn(move || connect(address).write_all(&b"line\n".repeat(200 * 512)));
    let graph = Graph::new();
    let lines = graph.source(source).0.event_time(|_| Timestamp::from_nanos(0), in_order());
    let mut taken = 0;
    lines.for_each(move |_| {
        taken += 1;
        if taken % 512 == 0 {
            // The pause is the subject: long enough for the other thread to fill its buffers, and to park.
            thread::sleep(Duration::from_millis(3));
        }
    });
    let began = Instant::now();
    let report = graph.run(JobOptions::default()).unwrap();
    assert_eq!(report.records_in, 200 * 512);
    client.join().unwrap().unwrap();
    // A thread that nobody wakes looks round every 100 ms.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn clients_beyond_the_bound_wait_until_another_leaves() {
    let source = bind().clients_max(2);
    let address = source.local_addr();
    let mut running = start(source, 1);
    let mut clients: Vec<_> = (0..5).map(|_| connect(address)).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        writeln!(client, "{n}").unwrap();
    }
    let mut early = [running.line(), running.line()];
    early.sort();
    assert_eq!(early, ["0", "1"]);
    for round in 0..3 {
        // Whoever is being served is heard as often as it likes; the others are not.
        writeln!(clients[0], "again").unwrap();
        assert_eq!(running.line(), "again");
        assert_eq!(running.lines.try_recv(), Err(NoResult::Yet));
        drop(clients.remove(0));
        assert_eq!(running.line(), (round + 2).to_string());
    }
    running.job.stop(Duration::MAX);
    assert_eq!(running.job.wait().unwrap().records_in, 8);
}
#[test]
fn a_job_that_ends_leaves_no_thread_and_no_connection_behind() {
    for workers in WORKERS {
        for (flooded, cancel) in [(false, false), (false, true), (true, false), (true, true)] {
            let source = bind();
            let address = source.local_addr();
            let thread = format!("nl-tcp-{}", address.port());
            assert_eq!(threads::named(&thread), Vec::<String>::new());
            let mut running = start(source, workers);
            let mut clients: Vec<_> = (0..3).map(|_| connect(address)).collect();
            for client in &mut clients {
                writeln!(client, "here").unwrap();
                assert_eq!(running.line(), "here");
            }
            assert_eq!(threads::named(&thread).len(), 1);
            if flooded {
                // Until the thread waits for room, and the client for the thread.
                clients[0].set_write_timeout(Some(Duration::from_millis(100))).unwrap();
                while clients[0].write(&b"flood\n".repeat(1_000)).is_ok() {}
            }
            if cancel {
                running.job.cancel();
            } else {
                running.job.stop(Duration::MAX);
            }
            running.lines.by_ref().for_each(drop);
            running.job.wait().unwrap();
            assert_eq!(threads::left(&thread), Vec::<String>::new());
            for mut client in clients {
                let closed = client.read(&mut [0]);
                assert!(
                    matches!(closed, Ok(0))
                        || closed.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
                );
            }
            let refused = TcpStream::connect(address).expect_err("nobody listens");
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    }
    // Nor a descriptor, also if it never began. (Other tests listen meanwhile.)
    (0..100).for_each(|_| drop(bind()));
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let polls = descriptors.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    assert!(polls.filter(|link| link.to_string_lossy().contains("[event")).count() < 60);
    let source = bind();
    let address = source.local_addr();
    let client = connect(address);
    drop(source);
    TcpStream::connect(address).expect_err("nobody listens");
    drop(client);
}

#[test]
fn an_address_that_cannot_be_listened_on_is_named() {
    let taken = bind();
    let address = taken.local_addr();
    for wrong in [address.to_string(), "127.0.0.1:99999".to_owned(), String::new()] {
        let error = TcpLines::bind(&wrong, whole_line).err().expect("it cannot be listened on");
        assert!(matches!(error, TcpError::Listen { .. }));
        assert!(error.to_string().starts_with(&format!("cannot listen on {wrong}: ")), "{error}");
    }
}
