//! Goes once through a loop of a data thread, for `cargo xtask bench --check` to count its instructions.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use nacreous_benches::loops;

/// Goes through a loop over so many blocks of records, and prints how many records those were.
///
/// Without a loop it prints the ids of all.
#[derive(Debug, Parser)]
#[command(name = "loops")]
struct Options {
    /// The id of the loop
    id: Option<String>,
    /// How many blocks
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    blocks: u64,
}

fn main() -> ExitCode {
    let Options { id, blocks } = Options::parse();
    let text = match id {
        None => loops::all().map(|(id, _)| format!("{id}\n")).collect(),
        Some(id) => match loops::all().find(|(known, _)| *known == id) {
            Some((_, run)) => format!("{}\n", run(blocks)),
            None => {
                let _ =
                    writeln!(io::stderr(), "loops: there is no loop `{id}`; without an id all are listed");
                return ExitCode::FAILURE;
            }
        },
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
