//! The small examples, run as a user runs them.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

/// An example's program, built if it has not been.
pub(crate) fn program(example: &str) -> PathBuf {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let mut path = std::env::current_exe().expect("a test knows where it is");
        path.pop();
        path.pop();
        let profile = if path.ends_with("release") { "release" } else { "test" };
        path.push("examples");
        // All tests at once have built them already; one target alone has not, or finds old ones.
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--profile", profile, "--package", "nacreous", "--examples"])
            .status();
        assert!(built.expect("cargo runs").success());
        path
    });
    FOLDER.join(example)
}

/// What an example prints that ends by itself.
fn printed(example: &str) -> String {
    let output = Command::new(program(example)).stdin(Stdio::null()).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{example}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// The lines of the block that an example's documentation shows as what it prints, those left out not counted.
fn promised(example: &str) -> Vec<String> {
    let path = format!("{}/examples/{example}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).expect("the example's source");
    let lines = source.lines().filter_map(|line| line.strip_prefix("//!"));
    let block = lines.skip_while(|line| *line != " ```text").skip(1).take_while(|line| *line != " ```");
    block.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).filter(|line| line != "…").collect()
}

#[test]
fn joins_find_the_pairs_and_name_what_came_late() {
    let printed = printed("join");
    let mut lines = printed.lines();
    for promised in promised("join") {
        assert!(lines.any(|line| line == promised), "`{promised}` is not where it should be in:\n{printed}");
    }
    let pairs =
        |customer| printed.lines().filter(|line| line.contains("until") && line.contains(customer)).count();
    assert_eq!(
        (pairs("customer 1"), pairs("customer 2")),
        (4, 4),
        "all orders with all payments:\n{printed}"
    );
    assert!(printed.ends_with("9 records, 1 late\n"), "{printed}");
}

#[test]
fn timers_tell_of_silence_and_its_end() {
    assert_eq!(printed("timers").lines().collect::<Vec<_>>(), promised("timers"));
}

#[test]
fn a_feeder_is_held_up_by_a_slow_reader_and_nothing_is_lost() {
    let printed = printed("feed");
    let lines: Vec<_> = printed.lines().collect();
    let [blocked, sent, received] = lines[..] else { panic!("not three lines:\n{printed}") };
    assert!(blocked.starts_with("held up: ") && blocked.contains("waits for room"), "{printed}");
    let numbers: Vec<u64> =
        sent.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let [2_000, held_up, ahead] = numbers[..] else { panic!("not three numbers: {sent}") };
    assert!(held_up > 0 && ahead < 500, "{printed}");
    assert_eq!(received, "1800 results received, the last one 1999; 200 filtered out");
}

/// A word count that runs, and what it has printed so far.
struct WordCount {
    program: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    client: TcpStream,
}

impl WordCount {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(program("word_count"));
        command.args(["--port", "0"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut program = command.spawn().expect("it runs");
        let mut lines = BufReader::new(program.stdout.take().expect("a pipe")).lines();
        let first = lines.next().expect("a line").expect("text");
        let address = first.strip_prefix("listening on ").expect("an address");
        let client = TcpStream::connect(address).expect("somebody listens");
        Self { program, lines, client }
    }

    fn send(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).expect("sent");
    }

    /// Reads until a line begins so; the words and counts on the way.
    fn counts_until(&mut self, end: &str) -> Vec<(String, u64)> {
        let mut counts = Vec::new();
        for line in &mut self.lines {
            let line = line.expect("text");
            if let [_, count, word] = line.split_whitespace().collect::<Vec<_>>()[..]
                && let Ok(count) = count.parse()
            {
                counts.push((word.to_owned(), count));
            }
            if line.starts_with(end) || line.ends_with(end) {
                return counts;
            }
        }
        panic!("the output ended before `{end}`, after {counts:?}");
    }

    fn ends_well(mut self) {
        assert!(self.program.wait().expect("it ends").success());
    }
}

/// Windows are of wall-clock time, so one sentence may be spread over two of them.
fn total(counts: &[(String, u64)], word: &str) -> u64 {
    counts.iter().filter(|(counted, _)| counted == word).map(|(_, count)| count).sum()
}

#[test]
fn words_are_counted_and_printed_while_the_client_stays() {
    let mut words = WordCount::start(&["--seconds", "1", "--once"]);
    words.send("to be or not to be\n");
    // Nothing more comes, and the window closes even so.
    let sent = Instant::now();
    let first = words.counts_until(" or");
    assert!(sent.elapsed() < Duration::from_secs(30));
    words.send("that is the QUESTION");
    words.client.shutdown(std::net::Shutdown::Write).expect("closed");
    let rest = words.counts_until("2 lines, 10 words");
    let counts = [first, rest].concat();
    for (word, count) in [("to", 2), ("be", 2), ("or", 1), ("not", 1), ("question", 1)] {
        assert_eq!(total(&counts, word), count, "{word} in {counts:?}");
    }
    words.ends_well();
}

#[test]
fn an_interrupt_counts_what_has_come() {
    let mut words = WordCount::start(&["--seconds", "1"]);
    words.send("hello\n");
    assert_eq!(total(&words.counts_until("hello"), "hello"), 1);
    words.send("again\n");
    let pid = libc::pid_t::try_from(words.program.id()).expect("a process id");
    // SAFETY: no memory is involved, and the process is ours and has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    words.counts_until(" words");
    words.ends_well();
}
